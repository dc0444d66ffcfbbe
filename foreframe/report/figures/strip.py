"""Rows of frames of one clip, or of several, still and playing: the same pixels, only repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy
from pydantic import Field

from foreframe.artefacts import hdf5
from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.strips import Frames, Row

REAL = "real"  # is shown with the frames that were given; futures begin after those
COPY = "copy_last_frame"  # a row that is not stored: the last given frame, repeated


class Settings(Spec):
    """`of` is `schema / run / protocol`; `rows` are labels by the names of arrays (n,T,H,W,3).

    `clips` are their numbers, or `each`: a picture for every clip, `shown`: for those that the
    sampling shows, `all`: all in one. `given` is the result that says how many frames were given.
    A `{clip}` in a label is its number, from 1.
    `plays` are the rows of the playing clip where they are others.
    """

    of: str
    rows: dict[str, str]
    plays: dict[str, str] = Field(default={})
    clips: list[int] | Literal["each", "shown", "all"] = "each"
    given: str = ""


@dataclass(frozen=True)
class Clips:
    """Arrays by name, (n,T,H,W,3) or, of futures alone, (n,h,H,W,3); frames (n,t,...) before."""

    arrays: Mapping[str, Frames]
    before: Frames
    context: int | None
    frames: int

    def row(self, name: str, number: int, label: str) -> Row:
        """Return a row of a strip."""
        frames = self.arrays[name][number]
        if self.context is None or len(frames) == self.frames:
            return Row(label, frames)
        if name == REAL:
            return Row(label, self._whole(frames, number))
        return Row(label, frames, self.context + 1)

    def panel(self, name: str, number: int, label: str) -> Row:
        """Return a row as a panel that plays: all of the clip, under a label of one line."""
        row = self.row(name, number, label.replace("-\n", "").replace("\n", " "))
        return row if row.first == 1 else Row(row.label, self._whole(row.frames, number))

    def _whole(self, frames: Frames, number: int) -> Frames:
        return numpy.concatenate([self.before[number, : self.context], frames])


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return one picture, or one for each clip."""
    schema, run, *where = settings.of.split(" / ")
    context = int(desk.number(*settings.given.split(" / ")).value) if settings.given else None
    with desk.arrays(schema, run, *where) as file:
        shown = str(file.attrs.get("shown_choice"))
        rows, plays = (
            {
                name.replace("{shown}", shown): label
                for name, label in desk.each_choice(labels).items()
            }
            for labels in (settings.rows, settings.plays or settings.rows)
        )
        clips = read(file, {*rows, *plays}, context)
    count = min(len(array) for array in clips.arrays.values())
    if settings.clips == "shown":
        count = min(count, desk.settings.section("sampling.show"))
    if isinstance(settings.clips, list):
        return [picture(clips, settings.clips, rows, plays)]
    if settings.clips == "all":
        return [picture(clips, list(range(count)), rows, plays)]
    return [picture(clips, [number], rows, plays, number + 1) for number in range(count)]


def read(file: hdf5.Reader, names: set[str], context: int | None) -> Clips:
    """Return the arrays of these names; of several futures of a clip the first."""
    arrays: dict[str, Frames] = {}
    for name in sorted(names - {COPY}):
        found = file[name][:]
        arrays[name] = found[:, 0] if found.ndim == 6 else found
    lengths = [array.shape[1] for array in arrays.values()]
    if "context" in file:  # given frames stand apart
        before = file["context"][:]
        frames = before.shape[1] + max(lengths)
    else:
        before = next(array for array in arrays.values() if array.shape[1] == max(lengths))
        frames = max(lengths)
    if COPY in names:
        assert context is not None, COPY
        arrays[COPY] = before[:, context - 1 : context].repeat(frames - context, axis=1)
    return Clips(arrays, before, context, frames)


def picture(
    clips: Clips,
    numbers: list[int],
    rows: Mapping[str, str],
    plays: Mapping[str, str],
    place: int | None = None,
) -> Picture:
    """Return clips one below the other, each with all its rows."""
    context = clips.context
    drawn = [
        clips.row(name, number, label.replace("{clip}", str(number + 1)))
        for number in numbers
        for name, label in rows.items()
    ]
    if context is None:
        columns = strips.spread(clips.frames, strips.COLUMNS)
    else:
        columns = strips.around_horizon(context, clips.frames)
    playing = [
        animations.draw([clips.panel(name, number, said) for name, said in plays.items()], context)
        for number in numbers
    ]
    return Picture(strips.draw(drawn, columns, context), animations.together(playing), place)
