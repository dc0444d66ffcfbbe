"""`foreframe index`: reports/index.html, which opens every report that was made here.

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
from workflow import studies

REPORTS = "reports"
OUT = "index.html"
SOURCES = ("index.typ", "style.typ", "web.typ", "chapters/card.typ")


def run(root: Path) -> Path:
    """Write the page and return its path.

    Raises:
        UserError: no report has been made here, or a card is damaged.
    """
    reports = root / REPORTS
    cards = [
        {**card(reports, place.name), "study": place.name}
        for place in studies.places(root)
        if (reports / place.name / opening.CARD).exists()
    ]
    if not cards:
        raise UserError("no report has been made here yet. Make one: make report")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in SOURCES:
            shutil.copyfile(reports / source, folder / Path(source).name)
        for each in cards:
            clip = reports / each["study"] / opening.CLIP
            shutil.copyfile(clip, folder / f"{each['study']}.webp")
        atomic.write_text(folder / "cards.json", json.dumps(cards, allow_nan=False))
        page = compile_html(folder / "index.typ")
    atomic.write_bytes(reports / OUT, page)
    return reports / OUT


def card(reports: Path, study: str) -> dict[str, Any]:
    """Return what a study's report wrote for pages that show it.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    return facts.read(reports / study / opening.CARD, opening.SCHEMA)
