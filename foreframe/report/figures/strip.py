"""Rows of frames of one clip, or of several, still and playing: the same pixels, only repeated."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from foreframe.report import animations, strips
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures import marks
from foreframe.report.figures.rows import Clips, read


class Settings(Spec):
    """`of` is `schema / run / protocol`; `rows` are labels by the names of arrays (n,T,H,W,3).

    `clips` are their numbers, of those there are, or `each`: a picture for every clip, `shown`: for
    those that the sampling shows, `all`: all in one. `given` is the result that says how many
    frames were given. A `{clip}` in a label is its number, from 1, a `{score}` its value in the
    array `scores` (n,).
    `plays` are the rows of the playing clip where they are others. `columns` are the numbers of the
    frames to show, from 1, of which those beyond the clips are left out; without, they are spread.
    `events` are labels as `marks` reads them: the numbers of such frames have the event's colour.
    `pictures`: clips have one frame, (n,1,H,W,3) or grey (n,1,H,W), and stand side by side; or
    (n,S,1,H,W,3) of a picture are shown as a clip.
    """

    of: str
    rows: dict[str, str]
    plays: dict[str, str] = Field(default={})
    clips: list[int] | Literal["each", "shown", "all"] = "each"
    given: str = ""
    scores: str = ""
    columns: list[int] = Field(default=[])
    events: dict[str, str] = Field(default={})
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
    marked = {
        (context or 0) + frame: mark.colour
        for mark in marks.read(settings.events, desk)
        for frame in mark.frames()
    }
    count = min(len(array) for array in clips.arrays.values())
    if settings.clips == "shown":
        count = min(count, desk.settings.section("sampling.show"))
    numbers: list[list[int]] = [[number] for number in range(count)]
    if settings.clips == "all":
        numbers = [list(range(count))]
    elif isinstance(settings.clips, list):
        numbers = [[number for number in settings.clips if number < count]]
    places = range(1, count + 1) if settings.clips in ("each", "shown") else [None]
    return [
        picture(clips, each, rows, plays, place, scores, settings.columns, marked)
        for each, place in zip(numbers, places, strict=True)
    ]


def picture(
    clips: Clips,
    numbers: list[int],
    rows: Mapping[str, str],
    plays: Mapping[str, str],
    place: int | None = None,
    scores: Sequence[float] | None = None,
    columns: Sequence[int] = (),
    marked: Mapping[int, str] | None = None,
) -> Picture:
    """Return clips one below the other, each with all its rows."""
    context = clips.context

    def said(label: str, number: int) -> str:
        label = label.replace("{clip}", str(number + 1))
        return label if scores is None else label.replace("{score}", f"{scores[number]:.3f}")

    # Given frames stand in the row of true ones; where there is none, in each.
    given = any(clips.row(name, number, "").first == 1 for name in rows for number in numbers)
    row = clips.row if given else clips.panel
    drawn = [
        row(name, number, said(label, number)) for number in numbers for name, label in rows.items()
    ]
    panels = [
        [clips.panel(name, number, said(label, number)) for name, label in plays.items()]
        for number in numbers
    ]
    shown = strips.columns(columns, context, clips.frames)
    still = strips.draw(drawn, shown, context, marked)
    return Picture(still, animations.arranged(panels, context), place)
