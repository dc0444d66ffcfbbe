"""What a document states: its own numbers as rows that join ours by run, quantity and place.

A study's `thesis.yaml` holds `about` (plain facts: author, scale, what was seen) and `rows`. A row
joins a result (`mse` of the run `vqvae` on `test`) or a setting of a run
(`training.batch_size`); `cited: true` marks one that is only quoted. So a row beside which nothing
of ours can stand is found before anybody wonders why a table has a hole.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.report.results import Results
from foreframe.report.settings import Settings, as_rows

Value = int | float | str | bool | None | list[Any]


class Row(Strict):
    """One number, or word, of the document."""

    table: str  # or the section or figure that states it
    run: str
    quantity: str
    where: str = ""
    value: Value
    spread: float | None = None
    note: str = ""
    cited: bool = False


class Thesis(Strict):
    """A whole file; that of a second study may add rows and facts to the first's."""

    about: dict[str, Any]
    rows: list[Row]


def load(paths: Iterable[Path]) -> Thesis:
    """Read one or several files as one.

    Raises:
        UserError: a file is missing or wrong, or two rows say the same thing.
    """
    about: dict[str, Any] = {}
    rows: dict[tuple[str, str, str], Row] = {}
    for path in paths:
        found: Thesis = reading.validate(Thesis, reading.load(path), str(path))
        about = reading.merged(about, found.about)
        for row in found.rows:
            key = (row.run, row.quantity, row.where)
            if key in rows:
                raise UserError(
                    f"{path}: the row {' '.join(key).strip()} is there twice. Remove one."
                )
            rows[key] = row
    return Thesis(about=about, rows=list(rows.values()))


def joined(thesis: Thesis, results: Results, settings: Settings) -> dict[str, Any]:
    """Return the rows as `run -> quantity -> where -> row`, each joined with ours.

    Raises:
        UserError: a row that is not cited joins nothing.
    """
    found: dict[str, Any] = {}
    for row in thesis.rows:
        ours = results.find(row.run, row.quantity, row.where) is not None
        if not (row.cited or ours or has_setting(settings.runs.get(row.run), row.quantity)):
            raise UserError(
                f"thesis: table {row.table}: nothing joins the row {row.run} / {row.quantity} / "
                f"{row.where or '-'}. If its result is missing, run `dvc repro`; else correct its "
                "names, or mark it `cited: true`."
            )
        place = found.setdefault(row.run, {}).setdefault(row.quantity, {})
        place[row.where] = row.model_dump()
    return {"about": thesis.about, "rows": found}


def has_setting(section: Any, key: str) -> bool:
    """Return whether a run's settings have a dotted key."""
    return any(name == key or name.startswith(f"{key}.") for name, _ in as_rows(section))
