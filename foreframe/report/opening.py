"""What a report opens with, and its card in the index of all reports: a sentence, a clip, numbers.

A study's figures.yaml says which; the numbers are read from results, each beside its best baseline.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from foreframe.artefacts import facts
from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.report import animations
from foreframe.report.results import Number

if TYPE_CHECKING:
    from foreframe.report.desk import Desk

SCHEMA = "card"
CARD, CLIP = "card.json", "clip.webp"  # beside the report
LIMIT = 1_500_000  # bytes of a clip: a reader of a README waits for no more


class Quantity(Strict):
    """One number: the best of the results `of`, beside the best of the results `against`.

    Both hold the words for a result by its name, `run / quantity / where`.
    """

    label: str
    unit: str = ""
    digits: Annotated[int, Field(ge=0, le=6)]
    better: Literal["higher", "lower"]
    of: Annotated[dict[str, str], Field(min_length=1)]
    against: Annotated[dict[str, str], Field(min_length=1)]


class Opening(Strict):
    """The section `opening` of figures.yaml; `clip` is the name of a picture that plays."""

    sentence: Annotated[str, Field(min_length=20)]
    clip: str
    numbers: Annotated[list[Quantity], Field(min_length=1, max_length=5)]


def of(opening: Opening | None, desk: "Desk") -> dict[str, Any]:
    """Return the opening with its results, as JSON values; `desk` notes what it was made from.

    Without one, as for a page about data alone, nothing is returned.

    Raises:
        UserError: a result is not there; the message names the choices.
    """
    if opening is None:
        return {}
    return {
        "sentence": opening.sentence,
        "clip": opening.clip,
        "numbers": [_number(quantity, desk) for quantity in opening.numbers],
        "artefacts": [artefact.facts() for artefact in desk.used.values()],
    }


def _number(quantity: Quantity, desk: "Desk") -> dict[str, Any]:
    ours = _best(quantity.of, quantity.better, desk)
    theirs = _best(quantity.against, quantity.better, desk)
    ahead = None
    if ours["value"] is not None and theirs["value"] is not None:
        sign = 1 if quantity.better == "higher" else -1
        ahead = sign * (ours["value"] - theirs["value"]) > 0
    words = {name: getattr(quantity, name) for name in ("label", "unit", "digits", "better")}
    return {**words, "ours": ours, "theirs": theirs, "ahead": ahead}


def _best(labels: Mapping[str, str], better: str, desk: "Desk") -> dict[str, Any]:
    """Return the best result and its words; one that is not known is best only where none is."""

    def rank(pair: tuple[str, Number]) -> tuple[bool, float]:
        value = pair[1].value
        sign = 1 if better == "higher" else -1
        return value is not None, 0.0 if value is None else sign * value

    found = [
        (label, desk.number(*name.split(" / "))) for name, label in desk.each_choice(labels).items()
    ]
    label, number = max(found, key=rank)
    return {"name": label, "value": number.value, "low": number.low, "high": number.high}


def card(folder: Path, pages: list[str]) -> tuple[dict[str, Any], bytes]:
    """Return what the index of reports shows of one, and its clip, small enough for a README.

    `folder` has what the report was set from; the clip is an animated WebP.

    Raises:
        UserError: there is no opening, or the picture that it names does not play or exist.
    """
    opened, document = (facts.parse(folder / f"{name}.json") for name in ("opening", "document"))
    if not opened:
        raise UserError("figures.yaml has no section opening. Add one, as docs/report.md says.")
    path = folder / f"{opened['clip']}.webp"
    if not path.exists():
        raise UserError(
            f"opening: {opened['clip']} is no picture that plays. "
            "Name one that does; of a figure of several, with its number, such as rollout_1."
        )
    about = {"title": document["title"], "alt": facts.parse(path.with_suffix(".json"))["alt"]}
    return {**opened, **about, "pages": pages}, animations.within(path.read_bytes(), LIMIT)


def line(card: Mapping[str, Any]) -> str:
    """Return the numbers of a card in one line of plain words."""
    return "; ".join(_said(number) for number in card["numbers"]) + "."


def _said(number: Mapping[str, Any]) -> str:
    values = (shown(number["ours"]["value"], number), shown(number["theirs"]["value"], number))
    ours, theirs = (number[side]["name"] for side in ("ours", "theirs"))
    return f"{number['label']} {values[0]} by {ours} (best baseline, {theirs}: {values[1]})"


def shown(value: float | None, number: Mapping[str, Any]) -> str:
    """Return a value with the digits and the unit of its number; a dash where it is not known."""
    if value is None:
        return "–"
    return f"{value:.{number['digits']}f} {number['unit']}".strip().replace("-", "−")
