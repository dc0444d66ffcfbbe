"""The report of a finished study set once more from other numbers: what its verdicts say then."""

import contextlib
import functools
import html
import json
import re
import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foreframe.report.compile import compile_html
from stages import report
from workflow import dag

# run, quantity, set or protocol, and a value with the half of its interval, None where it has none;
# words have none either, and a quantity of no value is taken away
Change = tuple[str, str, str, float | str | None, float | None]


def verdicts(folder: Path, study: str, changes: Iterable[Change]) -> dict[str, str]:
    """Return the verdict of each claim in the report of a study, as `page` sets it."""
    return claims(page(folder, study, changes))


def page(
    folder: Path,
    study: str,
    changes: Iterable[Change],
    analysed: Iterable[tuple[str, Any]] = (),
) -> str:
    """Return the report of `study` in the project `folder` as HTML.

    It is set from the results there, as they were when first asked for, these changes made; and
    from analyses in which these values, by their dotted places, are others.
    """
    place, text, about = _described(folder, study)
    results, document, build = json.loads(text), json.loads(about), Path(place.name)
    for change in changes:
        _put(results, *change)
    for where, value in analysed:
        *names, last = where.split(".")
        entry = functools.reduce(lambda part, name: part[name], names, document["analyses"])
        assert last in entry, where
        entry[last] = value
    (build / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (build / "document.json").write_text(json.dumps(document), encoding="utf-8")
    return compile_html(build / "report.typ").decode()


def claims(text: str, head: str = "holds") -> dict[str, str]:
    """Return the last cell of every row, by the first, of the table in HTML whose last head is."""
    for table in re.findall(r"<table.*?</table>", text, re.S):
        first, *rows = (_cells(row) for row in re.findall(r"<tr.*?</tr>", table, re.S))
        if first[-1] == head:
            return {cells[0]: cells[-1] for cells in rows}
    raise AssertionError(f"no table ends with {head}")


def rows(text: str) -> set[str]:
    """Return the first cells of all rows of all tables in HTML."""
    return {cells[0] for cells in map(_cells, re.findall(r"<tr.*?</tr>", text, re.S)) if cells}


def table(text: str, name: str) -> list[list[str]]:
    """Return the cells of the table of this name in HTML, row by row, its header first."""
    (figure,) = re.findall(rf'<figure id="{name}">.*?</figure>', text, re.S)
    return [_cells(row) for row in re.findall(r"<tr.*?</tr>", figure, re.S)]


@functools.cache
def _described(folder: Path, study: str) -> tuple[tempfile.TemporaryDirectory[str], str, str]:
    """Return a folder with all that a report is set from, its results and what else it says.

    It is drawn once, for good.
    """
    options, place = _options(folder, study), tempfile.TemporaryDirectory()
    build = Path(place.name)
    with contextlib.chdir(folder):
        report.gather(build, options.pop("sources"))
        report.describe(build, **options)
    results, document = (build / f"{name}.json" for name in ("results", "document"))
    return place, results.read_text(encoding="utf-8"), document.read_text(encoding="utf-8")


def _put(
    results: dict[str, Any],
    run: str,
    quantity: str,
    where: str,
    value: float | str | None,
    half: float | None,
) -> None:
    if value is None:
        results[run].pop(quantity, None)
        return
    place = results[run].setdefault(quantity, {}).setdefault(where, {"artefact": ""})
    low, high = (None, None)
    if half is not None:
        assert not isinstance(value, str), quantity
        low, high = value - half, value + half
    place |= {"value": value, "low": low, "high": high}


def _cells(row: str) -> list[str]:
    found = re.findall(r"<t[dh].*?</t[dh]>", row, re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in found]


def _options(folder: Path, study: str) -> dict[str, tuple[Path, ...]]:
    """Return the paths that the study's stage `report` is given, by the parameter of `describe`."""
    (stage,) = (
        each for each in dag.read(folder) if each.study == study and each.name.endswith(":report")
    )
    found: dict[str, list[Path]] = {}
    for word in shlex.split(stage.command)[3:]:
        if word.startswith("--"):
            known = found.setdefault(word.removeprefix("--"), [])
        else:
            known.append(Path(word))
    kept = ("results", "settings", "figures", "thesis", "sources")
    return {name: tuple(found[name]) for name in kept}
