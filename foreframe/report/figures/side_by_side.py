"""One clip and what several models made of it, a row for each, still and playing."""

from typing import Annotated, Self

import numpy
from pydantic import Field, model_validator

from foreframe.errors import UserError
from foreframe.report.desk import Desk, Picture, Spec, plain
from foreframe.report.figures.rows import REAL, Clips, read
from foreframe.report.figures.strip import picture


class Settings(Spec):
    """`rows` are labels by `run/choice`, whose first futures under `protocol` are shown.

    Or under no protocol but an `analysis`, whose arrays are shown: `run/array`. A `{value}` in a
    label is the run's result of the name `value`. With `others` those that other programs drew
    (`data/external`) stand above them, if there are any. A picture for each of the first `clips`
    clips, or for all that are stored if they are fewer. `columns` are as those of a strip.
    """

    protocol: str = ""
    analysis: str = ""
    value: str = ""
    rows: Annotated[dict[str, str], Field(min_length=1)]
    clips: Annotated[int, Field(ge=1)]
    others: bool = False
    columns: list[int] = Field(default=[])

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.protocol) == bool(self.analysis):
            raise ValueError("name either a protocol or an analysis")
        if self.others and self.analysis:
            raise ValueError("others are measured under a protocol, not by an analysis")
        return self

    def results(self, run: str) -> tuple[str, str]:
        """Return the name and the protocol under which a run's numbers stand."""
        return (f"{self.analysis}/{run}", "") if self.analysis else (run, self.protocol)

    def array(self, choice: str) -> str:
        """Return the name of an array."""
        return choice if self.analysis else f"{choice}/frames"


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
    arrays = {key: clips.arrays[settings.array(_parts(key)[1])] for key, clips in found.items()}
    arrays = {REAL: one.arrays[REAL], **others, **arrays}
    clips = Clips(arrays, one.before, one.context, one.frames)
    rows = {key: _label(settings, key, desk) for key in settings.rows}
    labels = {REAL: "real", **{name: plain(name) for name in others}, **rows}
    count = min(settings.clips, *(len(array) for array in clips.arrays.values()))
    return [
        picture(clips, [number], labels, labels, number + 1, columns=settings.columns)
        for number in range(count)
    ]


def _read(settings: Settings, key: str, desk: Desk) -> Clips:
    run, choice = _parts(key)
    name, protocol = settings.results(run)
    where = ["analysis_arrays", name] if settings.analysis else ["samples", name, protocol]
    context = int(
        desk.number(name, "about.context" if settings.analysis else "context", protocol).value
    )
    with desk.arrays(*where) as file:
        return read(file, {REAL, settings.array(choice)}, context)


def _label(settings: Settings, key: str, desk: Desk) -> str:
    label = settings.rows[key]
    if not settings.value:
        return label
    name, protocol = settings.results(_parts(key)[0])
    value = desk.number(name, settings.value, protocol).value
    return label.replace("{value}", f"{value:.2f}")


def _parts(key: str) -> tuple[str, str]:
    run, _, choice = key.partition("/")
    return run, choice
