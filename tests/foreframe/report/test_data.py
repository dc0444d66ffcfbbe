"""The page about the data: its sentences follow the numbers, and what is not known is said."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import facts
from foreframe.report.compile import compile_html
from stages import report
from tests import report_artefacts
from tests.smoke import ROOT

Words = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def typeset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the page is set from, of a study that has data and nothing else."""
    folder = tmp_path_factory.mktemp("typeset")
    study = folder / "data/driving"
    report_artefacts.make(study)
    names = ("frames.h5", "split.json", "inspection.json", "inspection.h5")
    parameters = folder / "params.yaml"
    parameters.write_text(json.dumps(report_artefacts.parameters()), encoding="utf-8")
    page = folder / "page"
    page.mkdir()
    sources = ("data.typ", "style.typ", "web.typ", "results.typ", "chapters/inspection.typ")
    report.gather(page, [ROOT / "reports" / name for name in sources])
    report.describe(
        page,
        tuple(study / name for name in names),
        (parameters,),
        (ROOT / "reports/inspection.yaml",),
        (),
    )
    return page


@pytest.fixture
def words(typeset: Path, tmp_path: Path) -> Words:
    """Sets the page for the numbers given and returns its words."""

    def set_page(numbers: dict[str, Any]) -> str:
        folder = shutil.copytree(typeset, tmp_path / "page")
        document = facts.parse(folder / "document.json")
        document["analyses"]["inspection"] = numbers
        (folder / "document.json").write_text(json.dumps(document), encoding="utf-8")
        page = compile_html(folder / "data.typ").decode()
        return re.sub(r"\s+", " ", re.sub("<.*?>", "", page))

    return set_page


@pytest.fixture
def numbers(typeset: Path) -> dict[str, Any]:
    """The facts of the inspection, for a test to change."""
    found: dict[str, Any] = facts.parse(typeset / "document.json")["analyses"]["inspection"]
    return found


def test_verdicts_follow_the_numbers(numbers: dict[str, Any], words: Words) -> None:
    for name, (near, chance) in {
        "train_validation": (0, 1.0), "train_test": (3, 1e-4), "validation_test": (1, 0.4),
    }.items():  # fmt: skip
        numbers["duplicates"]["pairs"][name] |= {
            "near": near, "chance": chance, "share": near / 4, "identical": 0,
        }  # fmt: skip
    stretches = len(numbers["drift"]["usual"]["earth_mover"])
    numbers["drift"]["sets"]["validation"]["usual_beyond"]["earth_mover"] = stretches
    numbers["drift"]["sets"]["test"]["usual_beyond"]["earth_mover"] = 0
    numbers["motion"]["train"]["still"] = 200
    page = words(numbers)
    assert "No clip occurs byte for byte in two sets" in page
    assert "clips of the validation set, none is near to one of the training set" in page
    assert "3 (75.0 %) are near to one of the training set, more than between different" in page
    assert "1 (25.0 %) is near to one of the validation set, no more than different" in page
    assert "so there is no sign of a drift" in page
    assert "that is more than for any stretch of the training set" in page
    assert "repeating the last frame is a strong baseline" in page


def test_copies_and_still_pictures_are_called_so(numbers: dict[str, Any], words: Words) -> None:
    for pair in numbers["duplicates"]["pairs"].values():
        pair["identical"] = 0
    numbers["duplicates"]["pairs"]["train_test"]["identical"] = 1
    for motion in numbers["motion"].values():
        motion["still"] = 0
    page = words(numbers)
    assert "1 clip of one set occurs byte for byte in another: the sets are not independent" in page
    assert "No frame stands still" in page


def test_what_could_not_be_measured_is_said(numbers: dict[str, Any], words: Words) -> None:
    numbers["duplicates"]["threshold"] = None
    numbers["duplicates"]["calibration"] |= {"closest": None, "median": None, "near": 0}
    numbers["drift"]["stretch_frames"] = 5
    numbers["episodes"] |= {"shortest": 100, "median": 150.0, "longest": 200}
    page = words(numbers)
    assert "How far apart different scenes usually are could not be measured" in page
    assert "near to one of the" not in page
    assert "have 100 to 200 frames (10.0 s to 20.0 s), half of them no more than 150" in page
    assert "Lengths of the episodes" in page
    assert "They are shorter than the other sets" in page


def test_every_picture_is_described_with_what_it_was_made_from(typeset: Path) -> None:
    drawn = facts.parse(typeset / "document.json")["pictures"]
    assert len(drawn) == len(set(drawn)) == 12
    for name in drawn:
        made_from = facts.parse(typeset / f"{name}.json")["artefacts"]
        assert "inspection_arrays" in {artefact["schema"] for artefact in made_from}, name
