"""A study is a folder: one of toys is put into a copy of the project, and every engine takes it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.data import video
from tests import smoke
from tests.needs import needs_program
from workflow import dag, studies

TOYS = smoke.ROOT / "tests/toys"
STUDY = "studies/toy/dvc.yaml"
RUNS = ("pixels", "hasty")
FOREFRAME = (sys.executable, "-m", "workflow.cli")

# One process makes the study and keeps it.
pytestmark = pytest.mark.xdist_group("toy")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """A copy of the project, with the study and its kind of predictor, after it has run."""
    clone = smoke.clone(tmp_path_factory.mktemp("toy") / "project")
    shutil.copytree(TOYS / "study", clone.folder / "studies/toy")
    shutil.copy(TOYS / "predictor.py", clone.folder / "foreframe/predictors/toy.py")
    clone.run(*FOREFRAME, "preset", "smoke", "--study", "toy")
    clone.run(*FOREFRAME, "check", "--study", "toy")
    clone.run("dvc", "repro", STUDY)
    return clone


def scores(toy: smoke.Clone, run: str) -> Any:
    return json.loads((toy.folder / f"data/toy/evaluations/{run}/next.json").read_text())


def test_the_params_of_the_study_are_its_preset_laptop() -> None:
    params = (TOYS / "study/params.yaml").read_bytes()
    assert (TOYS / "study/presets/laptop.yaml").read_bytes() == params


def test_nothing_but_a_folder_and_a_network_is_added_to_the_project(toy: smoke.Clone) -> None:
    lines = toy.run("git", "status", "--porcelain").stdout.splitlines()
    assert set(lines) == {"?? dvc.lock", "?? foreframe/predictors/toy.py", "?? studies/toy/"}
    added = {path.suffix for path in (TOYS / "study").rglob("*") if path.is_file()}
    assert added == {".yaml", ".typ"}


def test_every_stage_has_run_and_has_nothing_to_do_then(toy: smoke.Clone) -> None:
    own = [stage for stage in dag.read(toy.folder) if stage.study == "toy"]
    assert {studies.local(stage.name) for stage in own} >= {
        *(f"{stage}@{run}" for stage in ("train_predictor", "sample", "evaluate") for run in RUNS),
        "settings",
        "report",
    }
    assert not [stage.name for stage in own if stage.due]
    assert "Running stage" not in toy.run("dvc", "repro", STUDY).stdout


def test_a_variant_of_a_predictor_differs_from_it_in_its_changes_alone(toy: smoke.Clone) -> None:
    found = json.loads((toy.folder / "data/toy/settings.json").read_text())
    pixels, hasty = (found["predictors"][run] for run in RUNS)
    training = {**pixels["training"], "epochs": hasty["training"]["epochs"]}
    assert hasty == {**pixels, "training": training} != pixels
    # What was trained for longer errs less.
    errors = [scores(toy, run)["predictors"]["mean"]["mse"]["mean"] for run in RUNS]
    assert errors[0] < errors[1]


def test_the_report_has_the_numbers_of_the_evaluations_beside_those_of_the_thesis(
    toy: smoke.Clone,
) -> None:
    needs_program("pdftotext")
    reports = toy.folder / "reports/toy"
    page = re.sub(r'src="data:[^"]*"', "", (reports / "report.html").read_text(encoding="utf-8"))
    command = ["pdftotext", "-layout", str(reports / "report.pdf"), "-"]
    paper = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours = [scores(toy, run)["predictors"]["mean"]["psnr"]["mean"] for run in RUNS]
    for text in (page, paper):
        for number in ("21.375", "1024", *(f"{value:.3f}" for value in ours)):
            assert number in text
        assert "Quality by predicted frame" in text
    assert page.count("<svg") + page.count("<img") >= 4


def test_evaluations_of_the_study_stand_in_one_table(toy: smoke.Clone) -> None:
    files = [f"data/toy/evaluations/{run}/next.json" for run in RUNS]
    text = toy.run(*FOREFRAME, "compare", *files).stdout
    assert "protocol next" in text
    # The two trainings differ in a setting, so they are no repetition of one.
    assert all(f"mean ({file})" in text for file in files)


def test_a_predictor_of_the_study_continues_a_video(toy: smoke.Clone, tmp_path: Path) -> None:
    given, out = tmp_path / "given.mp4", tmp_path / "out.mp4"
    video.write(given, numpy.zeros((16, 24, 24, 3), numpy.uint8), 0.1)
    words = ("--study", "toy", "--run", "hasty", "--choice", "mean", "--out", str(out))
    assert "then 4 predicted" in toy.run(*FOREFRAME, "predict", str(given), *words).stdout
    assert out.stat().st_size > 0


def test_another_program_gets_the_contexts_of_the_study(toy: smoke.Clone, tmp_path: Path) -> None:
    words = ("--protocol", "next", "--study", "toy", "--out", str(tmp_path / "contexts.h5"))
    clips = scores(toy, "pixels")["clips"]
    assert f"{clips} contexts of 14 frames" in toy.run(*FOREFRAME, "contexts", *words).stdout


def test_the_study_is_verified_and_its_costs_are_listed(toy: smoke.Clone) -> None:
    assert "everything is as dvc.lock says" in toy.run(*FOREFRAME, "verify", "toy").stdout
    found = json.loads(toy.run(*FOREFRAME, "costs", "--study", "toy", "--json").stdout)
    rows = {row["stage"]: row for row in found["stages"]}
    assert rows.keys() == {stage.name for stage in dag.declared(toy.folder) if stage.study == "toy"}
    trained = rows[f"{STUDY}:train_predictor@pixels"]
    # A kind that does not say what a clip takes has parameters and time all the same.
    assert trained["parameters"] == 2 * 3 * 12 * 12
    assert trained["operations"] is None
    assert all(row["seconds"] is not None for row in rows.values())
