"""`foreframe index`: reports/index.html, which opens every report that was made here.

Beside it, reports/claims.html: what the documents claim, and what of it those reports say holds.

No stage of DVC: a stage would have to declare the cards of all studies, so that `dvc repro` of one
study ran them all, or ended at the first that is missing. Each study's report writes its own
card, and this sets those that are there. Equal cards give the same bytes.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from foreframe.artefacts import atomic, facts
from foreframe.errors import UserError
from foreframe.report import opening
from foreframe.report.compile import compile_html
from workflow import claims, studies

REPORTS, PAGE = "reports", "report.html"
OUT, CLAIMS = "index.html", "claims.html"
SOURCES = ("index.typ", "claims.typ", "style.typ", "web.typ", "chapters/card.typ")


def run(root: Path) -> Path:
    """Write both pages, the second where a report tests claims, and return the first one's path.

    Raises:
        UserError: no report has been made here, or what one wrote is damaged.
    """
    reports = root / REPORTS
    made = [
        place for place in studies.places(root) if (reports / place.name / opening.CARD).exists()
    ]
    if not made:
        raise UserError("no report has been made here yet. Make one: make report")
    cards = [{**card(reports, place.name), "study": place.name} for place in made]
    claimed = [
        {**found, "title": each["title"], "study": place.name}
        for place, each in zip(made, cards, strict=True)
        if (page := reports / place.name / PAGE).exists()
        and (found := claims.of(root, place, page)) is not None
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in SOURCES:
            shutil.copyfile(reports / source, folder / Path(source).name)
        for each in cards:
            clip = reports / each["study"] / opening.CLIP
            shutil.copyfile(clip, folder / f"{each['study']}.webp")
        for stem, rows in (("cards", cards), ("claims", claimed)):
            atomic.write_text(folder / f"{stem}.json", json.dumps(rows, allow_nan=False))
        pages = {OUT: compile_html(folder / "index.typ")}
        if claimed:
            pages[CLAIMS] = compile_html(folder / "claims.typ")
    for path, content in pages.items():
        atomic.write_bytes(reports / path, content)
    if not claimed:
        (reports / CLAIMS).unlink(missing_ok=True)
    return reports / OUT


def card(reports: Path, study: str) -> dict[str, Any]:
    """Return what a study's report wrote for pages that show it.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    return facts.read(reports / study / opening.CARD, opening.SCHEMA)
