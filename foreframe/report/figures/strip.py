"""Rows of frames of one clip, or of several, still and playing: the same pixels, only repeated."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.rows import Clips, read


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
