"""The document's rows join ours; one that joins nothing is an error, unless it is only quoted."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from foreframe.errors import UserError
from foreframe.report import settings as settings_file
from foreframe.report import thesis
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Number, Results
from tests import report_artefacts
from tests.smoke import ROOT

ROW = {"table": "6.1", "run": "top", "quantity": "nll", "where": "test", "value": 1.9}
SECTIONS = {
    "priors": {"top": {"kind": "pixel_snail", "training": {"epochs": 4}}},
    "report": {"title": "t", "author": "a", "protocol": None},
}


def write(path: Path, *rows: dict[str, Any], **about: Any) -> Path:
    YAML().dump({"about": about, "rows": list(rows)}, path)
    return path


def joined(folder: Path, *rows: dict[str, Any]) -> dict[str, Any]:
    results = Results(Reader(Library([])))
    results.numbers = {"top": {"nll": {"test": Number(2.0, None, None, "models.json")}}}
    YAML().dump(SECTIONS, folder / "params.yaml")
    found = thesis.load([write(folder / "thesis.yaml", *rows)])
    return thesis.joined(found, results, settings_file.load([folder / "params.yaml"]))


def test_rows_join_results_and_settings(tmp_path: Path) -> None:
    setting = {"table": "5.4", "run": "top", "quantity": "training.epochs", "value": 8}
    found = joined(tmp_path, ROW, setting)["rows"]["top"]
    assert found["nll"]["test"]["value"] == 1.9
    assert found["training.epochs"][""]["value"] == 8


@pytest.mark.parametrize(
    "wrong", [{"run": "topp"}, {"quantity": "nil"}, {"where": "train"}, {"quantity": "epochs"}]
)
def test_a_row_that_joins_nothing_is_refused_and_a_quoted_one_is_not(
    wrong: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"table 6\.1: nothing joins the row .*cited: true"):
        joined(tmp_path, {**ROW, **wrong})
    assert joined(tmp_path, {**ROW, **wrong, "cited": True})["rows"]


def test_a_second_file_adds_to_the_first(tmp_path: Path) -> None:
    first = write(tmp_path / "a.yaml", ROW, scale={"frames": 1}, year=2022)
    second = write(tmp_path / "b.yaml", {**ROW, "where": "train"}, scale={"hours": 2})
    both = thesis.load([first, second])
    assert both.about == {"scale": {"frames": 1, "hours": 2}, "year": 2022}
    assert [row.where for row in both.rows] == ["test", "train"]
    with pytest.raises(UserError, match="top nll test is there twice"):
        thesis.load([first, first])


def test_a_key_that_a_row_has_not_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "thesis.yaml", {**ROW, "unit": "nats"})
    with pytest.raises(UserError, match=r"rows\.0\.unit is no parameter"):
        thesis.load([path])


STUDIES = [
    "driving",
    "driving_thesis",
    "recurrent_flows",
    "hierarchical_vrnn",
    "adversarial_video",
    "modular_dynamics",
    "cascaded_video",
    "object_scenes",
]


@pytest.mark.parametrize("study", STUDIES)
def test_figures_and_rows_of_a_study_can_be_read(study: str) -> None:
    assert report_artefacts.declared(study)
    assert thesis.load([ROOT / "studies" / study / "thesis.yaml"]).rows
