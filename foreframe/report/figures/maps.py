"""Arrays (T, H, W) of an analysis as maps: a row for each, a column for each (code-)frame."""

from typing import Any, Literal

import numpy

from foreframe.report import style
from foreframe.report.desk import Chart, Desk


class Settings(Chart):
    """`rows` are labels by the names of arrays in the file of an analysis, `of`.

    `titles` count frames from the first, or say how much later a code-frame is. `centre` marks the
    middle, whose own value in the first map is left out. Of each array `skip` maps are left out, by
    the level that the array's name ends with: given code-frames, of a clip of `given` context.
    """

    of: str
    rows: dict[str, str]
    titles: Literal["+{}", "code-frame {}", "later"]
    centre: bool = False
    given: bool = False


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the rows one above the other, each on a scale of its own from zero."""
    rows = desk.each_choice(settings.rows)
    parts = canvas.subfigures(len(rows), 1, squeeze=False)[:, 0]
    with desk.arrays(f"{settings.of}_arrays", settings.of) as file:
        arrays = {name: file[name][:].astype(numpy.float64) for name in rows}
    for part, (name, label) in zip(parts, rows.items(), strict=True):
        first = _given(settings, name.rpartition("/")[2], desk) if settings.given else 0
        values_THW = arrays[name][first:]
        row, column = values_THW.shape[1] // 2, values_THW.shape[2] // 2
        if settings.centre:
            values_THW[0, row, column] = numpy.nan
        top = float(numpy.nanmax(values_THW)) or 1.0
        every = part.subplots(1, len(values_THW), squeeze=False)[0]
        for number, (axes, values_HW) in enumerate(zip(every, values_THW, strict=True)):
            image = axes.imshow(values_HW, vmin=0, vmax=top, cmap="magma", interpolation="nearest")
            axes.set(xticks=[], yticks=[], title=_title(settings, first, number))
            axes.grid(visible=False)
            if settings.centre:
                mark = "s" if number == 0 else "+"
                axes.plot([column], [row], mark, color=style.SKY, markersize=3)
        part.colorbar(image, ax=list(every), label=label, fraction=0.03, pad=0.01)


def _title(settings: Settings, first: int, number: int) -> str:
    if settings.titles == "later":
        return f"+{number}" if number else "same code-frame"
    return settings.titles.format(first + number + 1)


def _given(settings: Settings, level: str, desk: Desk) -> int:
    """Return how many code-frames of a level are given."""
    data = desk.library.of("frames")[0].run
    context = desk.number(settings.of, "about.context").value
    frames = context + desk.number(settings.of, "about.horizon").value
    return int(desk.number(data, f"grid.{level}").value[0] * context // frames)
