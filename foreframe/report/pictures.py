"""Pictures made of frames: what the data look like, reconstructions, futures, and where they err.

Frames are uint8: (k, H, W, 3) for single frames, (n, T, H, W, 3) for clips.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy
from numpy.typing import NDArray
from PIL import Image

from foreframe.report import animations, strips
from foreframe.report.plots import name_of
from foreframe.report.strips import Row
from foreframe.report.study import Frames, Rollouts

GALLERY_ROWS = 2
EXAMPLES = {
    "original": "original",
    "reconstruction": "recon-\nstruction",
    "top_only": "top codes\nonly",
    "bottom_only": "bottom codes\nonly",
}
# The errors' colours end here: half of the range of a pixel.
WORST = 128.0


def gallery(frames: Frames) -> Image.Image:
    """Return single frames in a grid."""
    factor = strips.factor_for(frames.shape[2], strips.CELL)
    columns = -(-len(frames) // GALLERY_ROWS)
    step = [length * factor + strips.GAP for length in (frames.shape[2], frames.shape[1])]
    rows = -(-len(frames) // columns)
    size = (columns * step[0] - strips.GAP, rows * step[1] - strips.GAP)
    image = Image.new("RGB", size, "white")
    for place, frame in enumerate(frames):
        corner = (place % columns * step[0], place // columns * step[1])
        image.paste(Image.fromarray(strips.enlarge(frame, factor)), corner)
    return image


def example(examples: Mapping[str, Frames], number: int) -> Image.Image:
    """Return a strip of one test clip: original, reconstruction, and each level decoded alone."""
    rows = [Row(label, examples[name][number]) for name, label in EXAMPLES.items()]
    return strips.draw(rows, strips.spread(len(rows[0].frames), strips.COLUMNS))


def example_clip(examples: Mapping[str, Frames], number: int) -> list[Image.Image]:
    """Return the panels of `example`, playing side by side."""
    return animations.draw([Row(name_of(name), examples[name][number]) for name in EXAMPLES])


def rollout(rollouts: Rollouts, number: int) -> Image.Image:
    """Return a strip of the real clip, each choice's future, and the last given frame repeated."""
    first = rollouts.context + 1
    rows = [Row("real", rollouts.real[number])]
    rows += [Row(name_of(name), future[number], first) for name, future in _futures(rollouts)]
    numbers = strips.around_horizon(rollouts.context, rollouts.real.shape[1])
    return strips.draw(rows, numbers, rollouts.context)


def rollout_clip(rollouts: Rollouts, number: int) -> list[Image.Image]:
    """Return the rows of `rollout` as panels that play the context and then each future."""
    real, context = rollouts.real[number], rollouts.real[number, : rollouts.context]
    panels = [Row("real", real)]
    for name, future in _futures(rollouts):
        panels.append(Row(name_of(name), numpy.concatenate([context, future[number]])))
    return animations.draw(panels, rollouts.context)


def errors(rollouts: Rollouts) -> Image.Image:
    """Return maps of |sample - real| for each frame of the horizon, means over clips and colours.

    Black is no error, white is an error of half of a pixel's range or more.
    """
    first = rollouts.context + 1
    real = rollouts.real[:, rollouts.context :]
    rows = [
        Row(name_of(name), _error_map(future, real), first) for name, future in _futures(rollouts)
    ]
    horizon = real.shape[1]
    numbers = [rollouts.context + number for number in strips.spread(horizon, strips.COLUMNS)]
    return strips.draw(rows, numbers)


def _futures(rollouts: Rollouts) -> list[tuple[str, Frames]]:
    copied = rollouts.real[:, rollouts.context - 1 : rollouts.context]
    horizon = rollouts.real.shape[1] - rollouts.context
    return [*rollouts.futures.items(), ("copy_last_frame", copied.repeat(horizon, axis=1))]


def _error_map(sample: Frames, real: Frames) -> Frames:
    distance = numpy.abs(sample.astype(numpy.float64) - real).mean(axis=(0, -1))
    colours: NDArray[Any] = matplotlib.colormaps["magma"](numpy.minimum(distance / WORST, 1.0))
    return (colours[..., :3] * 255).round().astype(numpy.uint8)
