"""`foreframe showcase`: the clip and the numbers that README.md opens with, from the driving study.

Git keeps copies, since a reader of README.md has run nothing; a test holds them to the bytes that
dvc.lock names, and README.md's line to the numbers.
"""

import shutil
from pathlib import Path
from typing import Any

from foreframe.artefacts import atomic, facts
from foreframe.errors import UserError
from foreframe.report import opening
from workflow.index import REPORTS
from workflow.studies import MAIN

README = "README.md"
CLIP, CARD = "docs/futures.webp", "docs/futures.json"
BEGIN, END = "<!-- Made by `make showcase`. -->\n", "<!-- End of it. -->\n"


def run(root: Path) -> None:
    """Copy the clip and the card of the driving study's report, and write both into README.md.

    Raises:
        UserError: the report has not been made here, or README.md has no place for it.
    """
    made = root / REPORTS / MAIN
    card = facts.read(made / opening.CARD, opening.SCHEMA)
    text = (root / README).read_text(encoding="utf-8")
    parts(text)
    for source, out in ((opening.CLIP, CLIP), (opening.CARD, CARD)):
        with atomic.writing(root / out) as path:
            shutil.copyfile(made / source, path)
    before, _, after = parts(text)
    atomic.write_text(root / README, f"{before}{block(card)}{after}")


def parts(text: str) -> tuple[str, str, str]:
    """Return what stands before, between and after the marks in README.md; they belong outside.

    Raises:
        UserError: a mark is missing.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{README} must have one line {BEGIN.strip()} and one {END.strip()}")
    before, _, rest = text.partition(BEGIN)
    between, _, after = rest.partition(END)
    return before + BEGIN, between, END + after


def block(card: dict[str, Any]) -> str:
    """Return the lines of README.md: a picture that moves, and one line of numbers."""
    return f"\n![{card['alt']}]({CLIP})\n\n{opening.line(card)}\n\n"
