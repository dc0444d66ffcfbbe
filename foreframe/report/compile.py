"""The Typst call: one source becomes a PDF/A and one HTML file, offline, always the same bytes.

Everything that is particular to Typst and its young HTML export stands in this file.
"""

import re
from pathlib import Path
from typing import Literal

import typst

from foreframe.errors import UserError

# PDF/A asks for a date; this one says that the document has none.
NO_DATE = 0
# Archivable (fonts inside, colours defined) and accessible (structure, words for pictures).
PDF_STANDARDS: "list[typst.PDFStandard]" = ["a-2a", "ua-1"]


def compile_pdf(source: Path) -> bytes:
    """Return the PDF/A-2a of a Typst file; it may read the files of its own folder only.

    Raises:
        UserError: the source is wrong or asks for a number that is not there.
    """
    return _compile(source, "pdf")


def compile_html(source: Path) -> bytes:
    """Return the HTML of a Typst file, pictures included; see `compile_pdf`."""
    return _compile(source, "html")


def _compile(source: Path, form: Literal["pdf", "html"]) -> bytes:
    compiler = typst.Compiler(
        root=str(source.parent),
        # Only the fonts inside the wheel: others differ from machine to machine.
        ignore_system_fonts=True,
    )
    try:
        result, _ = compiler.compile_with_warnings(
            input=str(source),
            format=form,
            pdf_standards=PDF_STANDARDS if form == "pdf" else [],
            timestamp=NO_DATE,
        )
    except typst.TypstError as error:
        raise UserError(_plain(source, error)) from None
    assert isinstance(result, bytes)
    return result


def _plain(source: Path, error: typst.TypstError) -> str:
    # Warnings come first; the place of the error stands on the line after its message.
    place = re.search(r"error: .*\n.*─ (?:\S*/)?(\S+:\d+:\d+)", error.diagnostic)
    where = place.group(1) if place else source.name
    hints = "".join(f" ({hint})" for hint in error.hints)
    return (
        f"the report cannot be set: {where}: {error.message}{hints}. "
        "Correct the Typst source, or make the artefacts again that it reads with `dvc repro`."
    )
