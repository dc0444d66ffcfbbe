"""A new network is one file: toys of every role pass the real stages in a copy of the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import hdf5
from foreframe.versions import PACKAGES
from tests.smoke import ROOT

ROLES = {
    "autoencoder": "foreframe/autoencoders",
    "prior": "foreframe/priors",
    "predictor": "foreframe/predictors",
    "classifier": "foreframe/classifiers",
    "analysis": "foreframe/analyses",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the project with a file more for each role, after its stages ran."""
    folder = tmp_path_factory.mktemp("seams")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / "code" / package, ignore=ignored)
    for role, package in ROLES.items():
        shutil.copy(ROOT / "tests/toys" / f"{role}.py", folder / "code" / package / "toy.py")
    (folder / "data").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(folder / "code")}
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests/toys/run.py")],
        cwd=folder / "data", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return folder / "data"


def read(made: Path, name: str) -> Any:
    return json.loads((made / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["autoencoder", "predictor", "classifier"])
def test_a_toy_learns(made: Path, name: str) -> None:
    losses = read(made, f"{name}.json")["epochs"]["validation_loss"]
    assert losses[-1] < losses[0]


def test_codes_of_a_toy_are_asked_about_and_read(made: Path) -> None:
    assert 0 < read(made, "answer.json")["blocks"]["spread"]["mean"] < 1
    found = read(made, "classes.json")
    assert found["accuracy"]["mean"] > 1.5 * found["chance"]


def test_players_of_a_prior_without_density_have_curves_of_their_own(made: Path) -> None:
    record = read(made, "prior.json")
    assert {"critic_loss", "generator_loss", "real"} <= record["curve"][0].keys()
    assert "flops_per_clip" not in record


def test_futures_of_a_learned_predictor_are_measured_with_their_likelihood(made: Path) -> None:
    found = read(made, "predictor_scores.json")
    assert {"drawn", "mean", "copy_last_frame"} <= found["predictors"].keys()
    # A mean errs less than a draw around it.
    psnr = {name: values["psnr"]["mean"] for name, values in found["predictors"].items()}
    assert psnr["mean"] > psnr["drawn"]
    assert found["likelihood"]["kind"] == "exact"
    assert 0 < found["likelihood"]["bits"] < 8


def test_codes_without_density_have_futures_and_no_likelihood(made: Path) -> None:
    found = read(made, "codes_scores.json")
    # What the codes keep of the true future bounds what any prior draws in them.
    psnr = {name: values["psnr"]["mean"] for name, values in found["predictors"].items()}
    assert psnr["reconstruction"] > psnr["drawn"]
    assert found["likelihood"] is None


def test_a_classifier_knows_the_names_of_its_classes(made: Path) -> None:
    assert len(read(made, "classifier.json")["classes"]) == 10


def test_a_classifier_is_measured_on_every_set(made: Path) -> None:
    found = read(made, "clips.json")
    assert found["error"].keys() == {"train", "validation", "test"}
    assert found["nearest"]["error"].keys() == {"validation", "test"}
    assert (
        found["merged"]["path"]["error"]["train"]["mean"] <= found["error"]["train"]["mean"] < 0.9
    )


def test_places_are_told_by_who_begins_with_another_s_slots(made: Path) -> None:
    assert read(made, "locator.json")["classes"] == [
        "linear", "sinusoidal", "hypocycloidal", "none"
    ]  # fmt: skip
    found = read(made, "places.json")
    assert found["told"].keys() == {"train", "validation", "test"}
    assert found["chance"]["test"]["top_1"] == 0.25
    assert found["last_seen"]["test"] is None


def test_flow_of_a_toy_study_has_its_episodes(made: Path) -> None:
    with hdf5.opening(made / "flow.h5", "frames") as file:
        assert file["episode_length"][:].tolist() == 30 * [7]


def test_a_question_to_a_predictor_is_answered_with_numbers_a_series_and_arrays(
    made: Path,
) -> None:
    found = read(made, "analysis.json")
    own, true = (found["brightness"][name] for name in ("own", "true"))
    assert own["clips"] == true["clips"] == found["about"]["clips"] == 9
    # It has learned how bright pixels are.
    assert abs(own["mean"] - true["mean"]) < 16
    excess = [row["mean"] for row in found["series"]]
    assert sum(excess) / len(excess) == pytest.approx(own["mean"] - true["mean"])
    with hdf5.opening(made / "analysis.h5", "analysis") as file:
        assert file["future"].shape == (2, 2, 16, 16, 3)
