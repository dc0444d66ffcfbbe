"""The page that a published study opens with: what it is, what it knows, what it is for."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foreframe.artefacts import facts
from foreframe.report import opening
from workflow import index
from workflow.publishing import SUMS, Publication

TRAINED = "training"


def text(root: Path, told: Publication, outs: Sequence[str]) -> str:
    """Return the page, as Markdown; every number stands in one of the files `outs`."""
    parts = [_about(root, told), _use(told), _data(told), _models(root, outs), _limits(told)]
    return "\n".join("\n".join(part) + "\n" for part in map(list, parts) if part)


def _about(root: Path, told: Publication) -> Iterator[str]:
    if not (root / index.REPORTS / told.study / opening.CARD).exists():
        yield f"# {told.study}"
        return
    known = index.card(root / index.REPORTS, told.study)
    yield f"# {known['title']}"
    yield ""
    yield str(known["sentence"])
    yield ""
    yield "| measured on its test set | this study | best of the baselines |"
    yield "|---|---|---|"
    for number in known["numbers"]:
        unit = f" ({number['unit']})" if number["unit"] else ""
        ours, theirs = (_number(number[side], number["digits"]) for side in ("ours", "theirs"))
        yield f"| {number['label']}{unit}, {number['better']} is better | {ours} | {theirs} |"
    yield ""
    yield f"The report, reports/{told.study}/, says how each was measured."


def _number(found: dict[str, Any], digits: int) -> str:
    value = f"{found['value']:.{digits}f}"
    if found["low"] is not None:
        value += f" ({found['low']:.{digits}f} to {found['high']:.{digits}f})"
    return f"{value}, {found['name']}"


def _use(told: Publication) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield f"The study `{told.study}` of Foreframe as it ran, every file at its place."
    yield "In a clone of the project, with the environment of `make setup`:"
    yield ""
    if told.commit:
        yield f"    git checkout {told.commit}"
    yield "    foreframe fetch THIS_FOLDER"
    yield ""
    yield f"`sha256sum -c {SUMS}` checks the files without Foreframe."


def _data(told: Publication) -> Iterator[str]:
    if not told.data:
        return
    yield "## Data"
    yield ""
    yield "| frames | source | licence |"
    yield "|---|---|---|"
    for path, one in sorted(told.data.items()):
        yield f"| {path} | {one['source']} | {one['licence']} |"


def _models(root: Path, outs: Sequence[str]) -> Iterator[str]:
    records = {path: _record(root / path) for path in outs if path.endswith(".json")}
    trained = {path: one for path, one in records.items() if one}
    if not trained:
        return
    yield "## Models"
    yield ""
    yield "| record of a training | parameters | steps | clips seen |"
    yield "|---|---|---|---|"
    for path, one in sorted(trained.items()):
        cells = (one.get(name) for name in ("parameters", "steps", "samples"))
        yield f"| {path} | {' | '.join('-' if cell is None else f'{cell:,}' for cell in cells)} |"


def _record(path: Path) -> dict[str, Any] | None:
    content = facts.parse(path)
    return content if content.get("schema") == f"foreframe/{TRAINED}" else None


def _limits(told: Publication) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "These networks know the data above and nothing else; of other videos nothing was"
    yield "measured. They are made to compare methods, not to steer anything real."
    yield ""
    yield f"Licence of all but the frames: {told.licence}."
