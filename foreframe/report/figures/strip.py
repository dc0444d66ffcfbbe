"""Rows of frames of one clip, or of several, still and playing: the same pixels, only repeated."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.rows import Clips, read


class Settings(Spec):
    """`of` is `schema / run / protocol`; `rows` are labels by the names of arrays (n,T,H,W,3).

    `clips` are their numbers, of those there are, or `each`: a picture for every clip, `shown`: for
    those that the sampling shows, `all`: all in one. `given` is the result that says how many
    frames were given. A `{clip}` in a label is its number, from 1, a `{score}` its value in the
    array `scores` (n,).
    `plays` are the rows of the playing clip where they are others. `bits` and `hole` are keys of
    settings: in how many grey levels frames are shown, and what part of predicted ones was filled
    in. `pictures`: clips have one frame, (n,1,H,W,3) or grey (n,1,H,W), and stand side by side; or
    (n,S,1,H,W,3) of a picture are shown as a clip.
    """

    of: str
    rows: dict[str, str]
    plays: dict[str, str] = Field(default={})
    clips: list[int] | Literal["each", "shown", "all"] = "each"
    given: str = ""
    scores: str = ""
    bits: str = ""
    hole: str = ""
    pictures: bool = False


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
        clips = read(file, {*rows, *plays}, context, settings.pictures)
        scores = file[settings.scores][:].tolist() if settings.scores else None
    if settings.bits:
        clips = clips.coarse(int(desk.settings.section(settings.bits)))
    hole = int(desk.settings.section(settings.hole)) if settings.hole else None
    count = min(len(array) for array in clips.arrays.values())
    if settings.clips == "shown":
        count = min(count, desk.settings.section("sampling.show"))
    if isinstance(settings.clips, list):
        there = [number for number in settings.clips if number < count]
        return [picture(clips, there, rows, plays, scores=scores, hole=hole)]
    if settings.clips == "all":
        return [picture(clips, list(range(count)), rows, plays, scores=scores, hole=hole)]
    return [
        picture(clips, [number], rows, plays, number + 1, scores, hole) for number in range(count)
    ]


def picture(
    clips: Clips,
    numbers: list[int],
    rows: Mapping[str, str],
    plays: Mapping[str, str],
    place: int | None = None,
    scores: Sequence[float] | None = None,
    hole: int | None = None,
) -> Picture:
    """Return clips one below the other, each with all its rows."""
    context = clips.context

    def said(label: str, number: int) -> str:
        label = label.replace("{clip}", str(number + 1))
        return label if scores is None else label.replace("{score}", f"{scores[number]:.3f}")

    drawn = [
        clips.row(name, number, said(label, number))
        for number in numbers
        for name, label in rows.items()
    ]
    if context is None:
        columns = strips.spread(clips.frames, strips.COLUMNS)
    else:
        columns = strips.around_horizon(context, clips.frames)
    playing = [
        animations.draw(
            [clips.panel(name, number, said(label, number)) for name, label in plays.items()],
            context,
        )
        for number in numbers
    ]
    return Picture(strips.draw(drawn, columns, context, hole), animations.together(playing), place)
