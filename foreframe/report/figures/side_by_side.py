"""One clip and what several models made of it, a row for each, still and playing."""

from typing import Annotated

import numpy
from pydantic import Field

from foreframe.errors import UserError
from foreframe.report.desk import Desk, Picture, Spec, plain
from foreframe.report.figures.rows import REAL, Clips, read
from foreframe.report.figures.strip import picture


class Settings(Spec):
    """`rows` are labels by `run/choice`, whose first futures under `protocol` are shown.

    With `others` those that other programs drew (`data/external`) stand above them, if there are
    any. A picture for each of the first `clips` clips, or for all that are stored if they are
    fewer. `columns` are as those of a strip.
    """

    protocol: str
    rows: Annotated[dict[str, str], Field(min_length=1)]
    clips: Annotated[int, Field(ge=1)]
    others: bool = False
    columns: list[int] = Field(default=[])


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return one picture for each clip, the true one above the futures.

    Raises:
        UserError: the runs were given different clips.
    """
    found = {key: _read(settings, key, desk) for key in settings.rows}
    first, one = next(iter(found.items()))
    for key, other in found.items():
        if not numpy.array_equal(one.arrays[REAL], other.arrays[REAL]):
            raise UserError(
                f"{first} and {key} were given different clips. Name runs of one data set."
            )
    others = desk.external(settings.protocol, settings.clips) if settings.others else {}
    arrays = {key: clips.arrays[_frames(key)] for key, clips in found.items()}
    arrays = {REAL: one.arrays[REAL], **others, **arrays}
    clips = Clips(arrays, one.before, one.context, one.frames)
    labels = {REAL: "real", **{name: plain(name) for name in others}, **settings.rows}
    count = min(settings.clips, *(len(array) for array in clips.arrays.values()))
    return [
        picture(clips, [number], labels, labels, number + 1, columns=settings.columns)
        for number in range(count)
    ]


def _read(settings: Settings, key: str, desk: Desk) -> Clips:
    run, _, _ = key.partition("/")
    context = int(desk.number(run, "context", settings.protocol).value)
    with desk.arrays("samples", run, settings.protocol) as file:
        return read(file, {REAL, _frames(key)}, context)


def _frames(key: str) -> str:
    return f"{key.partition('/')[2]}/frames"
