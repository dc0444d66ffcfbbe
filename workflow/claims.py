"""What the documents claim and what was found here, as the reports made here say it.

A report tests each claim of its document as a number and sets the verdicts in a table that is
labelled `claims-table`: the claim first, then the number, whether it holds last. They are read from
the report's HTML, so that a page beside it can only say what the report says.
"""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from foreframe.artefacts import facts
from foreframe.errors import UserError
from workflow import preset
from workflow.studies import Place

TABLE = "claims-table"
VERDICTS = ("yes", "no", "open", "–")  # a dash: what it needs was not measured


def of(root: Path, place: Place, page: Path) -> dict[str, Any] | None:
    """Return a study's claims, how many have each verdict, and its preset; None if it has none.

    Raises:
        UserError: the page's table has a verdict that is none.
    """
    parser = _Rows()
    parser.feed(page.read_text(encoding="utf-8"))
    rows = [[" ".join(cell.split()) for cell in row] for row in parser.rows if row]
    if not rows:
        return None
    found = [{"claim": row[0], "number": row[1], "holds": row[-1]} for row in rows]
    counts = Counter(row["holds"] for row in found)
    for verdict in counts.keys() - set(VERDICTS):
        raise UserError(f"{page}: a claim's verdict is {verdict!r}. Make the report again.")
    return {
        "rows": found,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "preset": scale(root, place),
    }


def scale(root: Path, place: Place) -> str | None:
    """Return the preset that a study's settings, as they were last written out, are those of."""
    path = root / place.settings
    if not path.exists():
        return None
    written = facts.read(path, "settings")
    for name in preset.names(root / place.presets):
        sections = preset.resolved(name, root, place).sections
        if all(written.get(key) == value for key, value in sections.items()):
            return name
    return None


class _Rows(HTMLParser):
    """The cells' words of each row in the body of the table that is looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = self._body = self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "figure":
            self._inside = dict(attrs).get("id") == TABLE
        elif self._inside and tag == "tbody":
            self._body = True
        elif self._body and tag == "tr":
            self.rows.append([])
        elif self._body and tag == "td":
            self._cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._inside = False
        elif tag in ("tbody", "td"):
            self._cell = False
            self._body = self._body and tag != "tbody"

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data
