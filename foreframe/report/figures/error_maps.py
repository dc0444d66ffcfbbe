"""Where futures err: the mean absolute difference to the real clips, as colours, frame by frame."""

from typing import Any

import matplotlib
import numpy
from numpy.typing import NDArray

from foreframe.report import strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.rows import REAL, read
from foreframe.report.strips import Frames, Row

WORST = 128.0  # the colours end here: half of the range of a pixel


class Settings(Spec):
    """`of` is `run / protocol` of samples; `rows` are labels by the names of futures."""

    of: str
    rows: dict[str, str]


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return a row of maps for each kind of future; black is no error, white is WORST or more."""
    rows, show = desk.each_choice(settings.rows), desk.settings.section("sampling.show")
    with desk.arrays("samples", *settings.of.split(" / ")) as file:
        context = int(file.attrs["context"])
        clips = read(file, {REAL, *rows}, context)
    real = clips.arrays[REAL][:show, context:]
    drawn = [
        Row(label, error_map(clips.arrays[name][:show], real), context + 1)
        for name, label in rows.items()
    ]
    numbers = [context + number for number in strips.spread(real.shape[1], strips.COLUMNS)]
    return [Picture(strips.draw(drawn, numbers))]


def error_map(sample: Frames, real: Frames) -> Frames:
    """Return |sample - real|, means over clips and colours, as colours (T,H,W,3)."""
    distance = numpy.abs(sample.astype(numpy.float64) - real).mean(axis=(0, -1))
    colours: NDArray[Any] = matplotlib.colormaps["magma"](numpy.minimum(distance / WORST, 1.0))
    return (colours[..., :3] * 255).round().astype(numpy.uint8)
