"""The report on paper: pages are full, and pictures are not far from the words about them."""

import re
import subprocess
from pathlib import Path

import numpy
import pytest
from PIL import Image

from foreframe.report.compile import compile_pdf
from tests import report_artefacts
from tests.needs import needs_program
from tests.stages import test_report

# Of the height of a page, where its text begins and ends; reports/style.typ has the margins.
TOP, BOTTOM = 0.095, 0.915
INK = 230  # a lighter pixel is paper
RESOLUTION = 20  # pixels per inch: a line of text is three rows of pixels


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny study whose report has been set."""
    folder = tmp_path_factory.mktemp("pages")
    report_artefacts.make(folder / test_report.DATA)
    assert test_report.call(folder) == ""
    return folder


@pytest.fixture(scope="module")
def gaps(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """Of each page the highest stripe without ink, as a share of the height for text."""
    needs_program("pdftoppm")
    folder = tmp_path_factory.mktemp("pixels")
    command = ["pdftoppm", "-r", str(RESOLUTION), "-gray"]
    subprocess.run([*command, pages / "report.pdf", folder / "page"], check=True)
    return [gap(path) for path in sorted(folder.iterdir())]


def gap(path: Path) -> float:
    with Image.open(path) as picture:
        dark = numpy.any(numpy.asarray(picture) < INK, axis=1)
    top, bottom = (round(share * len(dark)) for share in (TOP, BOTTOM))
    rows = [top, *(top + numpy.flatnonzero(dark[top:bottom])), bottom]
    return float(numpy.diff(rows).max() / (bottom - top))


def test_no_page_is_half_empty_and_few_have_a_fifth_empty(gaps: list[float]) -> None:
    # The last page ends where the report does.
    told = {number: round(gap, 2) for number, gap in enumerate(gaps[:-1], start=1)}
    assert len(told) > 15
    assert {number: gap for number, gap in told.items() if gap > 0.4} == {}
    # Title and abstract, and the end of the contents, are two of them.
    assert len([gap for gap in told.values() if gap > 0.2]) <= 4, told


def words(pdf: Path) -> list[str]:
    """Return the words of each page."""
    needs_program("pdftotext")
    command = ["pdftotext", "-layout", str(pdf), "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [re.sub(r"\s+", " ", page) for page in text.split("\f")]


def test_a_picture_stands_at_most_two_pages_from_its_first_mention(pages: Path) -> None:
    sheets = words(pages / "report.pdf")
    listed = dict(re.findall(r"(Figure [0-9A-Z]+\.\d+) (\w[^.]*?)(?: \.){5}", " ".join(sheets)))
    body = [sheet for sheet in sheets if ". . . . ." not in sheet]
    shown = {
        name: place
        for name, title in listed.items()
        for place, sheet in enumerate(body)
        if re.search(rf"{name}:? {re.escape(title)}\.", sheet)
    }
    mentioned = {
        name: min(place for place, sheet in enumerate(body) if re.search(rf"{name}\b", sheet))
        for name in shown
    }
    assert len(shown) > 15
    assert {name for name in shown if shown[name] - mentioned[name] > 2} == set()


WANDERING = """
#import "style.typ": *
#set document(title: "Two chapters", date: auto)
#show: report
#show: main-matter
= One
#for number in range(6) [#figure(
  image("tall.svg", alt: "Tall", height: 9cm), kind: image, alt: "Tall", caption: [Box #number.],
)]
= Two
#lorem(2000)
"""


def test_pictures_do_not_wander_into_the_next_chapter(tmp_path: Path) -> None:
    (tmp_path / "tall.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    )
    for name in ("style.typ", "web.typ"):
        (tmp_path / name).write_bytes((test_report.REPORTS / name).read_bytes())
    (tmp_path / "report.typ").write_text(WANDERING)
    (tmp_path / "report.pdf").write_bytes(compile_pdf(tmp_path / "report.typ"))
    sheets = words(tmp_path / "report.pdf")
    last = max(place for place, sheet in enumerate(sheets) if "Figure 1." in sheet)
    second = next(place for place, sheet in enumerate(sheets) if "2 Two" in sheet)
    assert second - 1 <= last <= second


MATTERS = """
#import "style.typ": *
#set document(title: "A head for each page", date: auto)
#show: report
Title
#pagebreak()
#unnumbered[Contents][#lorem(900)]
#show: main-matter
= One
#lorem(900)
= Two
#lorem(900)
"""


def test_a_page_has_the_chapter_it_begins_in_and_its_own_number(tmp_path: Path) -> None:
    for name in ("style.typ", "web.typ"):
        (tmp_path / name).write_bytes((test_report.REPORTS / name).read_bytes())
    (tmp_path / "report.typ").write_text(MATTERS)
    (tmp_path / "report.pdf").write_bytes(compile_pdf(tmp_path / "report.typ"))
    heads = [
        " ".join(sheet.split()[:2]) for sheet in words(tmp_path / "report.pdf") if sheet.strip()
    ]
    assert heads[0].startswith("Title")
    assert heads[1:] == ["Contents ii", "Contents iii", "One 1", "One 2", "Two 3"]
