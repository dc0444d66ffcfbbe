"""`foreframe compare`: one table of one protocol, also with what other programs sampled."""

import copy
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
import pytest

from foreframe.artefacts import facts, hdf5
from foreframe.errors import UserError
from tests import smoke
from tests.stages import evaluation_study as tiny
from tests.workflow import tiny as project
from workflow import compare, contexts

PARAMS = Path("params.yaml")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of a tiny study's evaluation."""
    study = tiny.make(tmp_path_factory.mktemp("study"))
    study.evaluate(metrics=("psnr", "mse", "lpips_alex"))
    return {**study.scores(), "settings": {"right": "a" * 64, "black": "b" * 64}}


def write(folder: Path, name: str, found: dict[str, Any], **changes: Any) -> Path:
    """Write an evaluation in which PSNRs of the predictor `right` are raised by `more` dB."""
    values = copy.deepcopy(found)
    for end in ("mean", "low", "high"):
        old = values["predictors"]["right"]["psnr"][end]
        more = changes.get("more", 0.0)
        values["predictors"]["right"]["psnr"][end] = None if old is None else old + more
    values["weights"] = changes.get("weights", "c" * 64)
    values["protocol"] |= changes.get("protocol", {})
    facts.write(folder / name, "evaluation", values)
    return folder / name


def table(paths: list[Path], folder: Path) -> pandas.DataFrame:
    """Return the CSV of a comparison, by predictor and files."""
    compare.run(paths, PARAMS, protocol=None, out=folder / "table.csv")
    return pandas.read_csv(folder / "table.csv").set_index("predictor")


def test_one_evaluation_is_a_table_with_a_dash_and_a_reason(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = table([write(tmp_path, "a.json", found)], tmp_path)
    assert list(lines.index) == list(found["predictors"])
    for name, values in found["predictors"].items():
        assert lines.loc[name, "mse"] == pytest.approx(values["mse"]["mean"])
    assert lines["lpips_alex"].isna().all()
    printed = capsys.readouterr().out
    (row,) = [line for line in printed.splitlines() if line.startswith("black ")]
    assert row.split()[1] == "-"  # metrics stand by name: the first is lpips_alex
    assert "psnr (dB) ↑" in printed and "mse ([0, 1] squared) ↓" in printed
    assert "lpips_alex: the weights alexnet" in printed
    assert found["protocol_digest"][:16] in printed


def test_a_distance_has_its_deviation_over_repeats_and_says_where_clips_are_few(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distance = {"mean": 217.3, "low": None, "high": None, "std": 5.6, "repeats": 5, "few": False}
    for few in (False, True):
        right = found["predictors"]["right"] | {"mse": distance | {"few": few}}
        changed = {**found, "predictors": {**found["predictors"], "right": right}}
        lines = table([write(tmp_path, "a.json", changed)], tmp_path)
        assert lines.loc["right", "mse_std"] == 5.6
        printed = capsys.readouterr().out
        assert "217.3 ± 5.6" in printed
        assert ("mse: too few clips for a covariance of full rank" in printed) == few


def test_trainings_of_equal_settings_are_one_row(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        write(tmp_path, f"{seed}.json", found, weights=str(seed) * 64, more=seed)
        for seed in (0, 1, 2)
    ]
    lines = table(paths, tmp_path)
    psnr = found["predictors"]["right"]["psnr"]["mean"]
    assert lines.loc["right", "trainings"] == 3
    assert lines.loc["right", "psnr"] == pytest.approx(psnr + 1)
    assert lines.loc["right", "psnr_std"] == pytest.approx(1)
    # Baselines are the same whatever was trained, and stand there once.
    assert lines.loc["copy_last_frame", "trainings"] == 1
    assert "± 1 (3)" in capsys.readouterr().out


def test_other_settings_are_another_row_told_apart_by_the_file(
    found: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**found, "settings": {"right": "d" * 64}}
    paths = [write(tmp_path, "a.json", found), write(tmp_path, "b.json", other, more=3.0)]
    lines = table(paths, tmp_path)
    assert lines["trainings"][lines.index == "right"].tolist() == [1, 1]
    printed = capsys.readouterr().out
    assert f"right ({paths[0]})" in printed and f"right ({paths[1]})" in printed


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"horizon": 9}, "horizon"),
        ({"clip_starts": [72, 80]}, "clip_starts"),
        ({"metrics": {"psnr": "capped at 60 dB"}}, r"metrics\.lpips_alex, metrics\.mse, metrics\."),
        ({"seed": 1, "samples": 2}, "samples, seed"),
    ],
)
def test_numbers_of_two_protocols_never_share_a_table(
    found: dict[str, Any], tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    paths = [write(tmp_path, "a.json", found), write(tmp_path, "b.json", found, protocol=change)]
    with pytest.raises(UserError, match=rf"different protocols: they differ in {field}"):
        table(paths, tmp_path)
    assert not (tmp_path / "table.csv").exists()


def test_samples_need_the_name_of_a_protocol(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--protocol NAME"):
        compare.run([tmp_path / "a.h5"], PARAMS, protocol=None, out=None)


def run(clone: smoke.Clone, *words: str) -> str:
    done = smoke.foreframe(clone.folder, *words)
    return done.stdout + done.stderr


def test_contexts_of_a_study_that_has_no_frames_yet_name_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run(tmp_path, "git", "init", "-q")
    (tmp_path / ".dvc").mkdir()
    for name in ("params.yaml", "dvc.yaml", ".dvc/config"):
        shutil.copy(smoke.ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"frames\.h5 does not exist. Run `dvc repro`"):
        contexts.run("driving", tmp_path / "contexts.h5", Path())
    assert not (tmp_path / "contexts.h5").exists()


def sampled_elsewhere(contexts: Path, out: Path) -> None:
    """Continue contexts as another program would: it repeats the last frame, twice."""
    with hdf5.opening(contexts, "contexts") as given, h5py.File(out, "w") as file:
        for name in ("protocol", "dataset", "context", "horizon"):
            file.attrs[name] = given.attrs[name]
        file.attrs["schema"], file.attrs["version"] = "foreframe/external_samples", 2
        file.attrs["predictor"] = "repeats"
        file["clip_start"] = given["clip_start"][:]
        last = given["context"][:, -1:]
        file["frames"] = last.repeat(given.attrs["horizon"], axis=1)[:, None]


def test_what_another_program_made_of_the_contexts_is_measured_like_a_baseline(
    by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    contexts, samples = tmp_path / "contexts.h5", tmp_path / "samples.h5"
    assert "2 contexts of 8 frames" in run(
        by_dvc, "contexts", "--protocol", "driving", "--out", str(contexts)
    )
    with (
        hdf5.opening(contexts, "contexts") as given,
        hdf5.opening(by_dvc.folder / "data/driving/samples/driving.h5", "samples") as own,
    ):
        assert numpy.array_equal(given["context"][:], own["real"][:, :8])
    sampled_elsewhere(contexts, samples)
    out = tmp_path / "table.csv"
    evaluation = "data/driving/evaluations/driving.json"
    words = ("--protocol", "driving", "--csv", str(out))
    printed = run(by_dvc, "compare", evaluation, str(samples), *words)
    assert printed.startswith("protocol driving"), printed
    lines = pandas.read_csv(out).set_index("predictor")
    assert {"repeats", "argmax", "sampled", "reconstruction"} < set(lines.index)
    for metric in ("psnr", "ssim", "sharpness"):
        values = lines[metric].to_dict()
        assert values["repeats"] == values["copy_last_frame"]


def test_mistakes_on_the_command_line_are_named(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    out = str(tmp_path / "contexts.h5")
    text = run(by_dvc, "contexts", "--protocol", "drivin", "--out", out)
    assert text.startswith("error: There is no protocol drivin.") and "svg_kth" in text
    text = run(by_dvc, "contexts", "--protocol", "svg_kth", "--out", out)
    assert "protocols.svg_kth.futures.clips is 1000, but the test set has" in text
    text = run(by_dvc, "compare", "data/driving/models.json")
    assert "is no foreframe/evaluation file" in text
    assert list(tmp_path.iterdir()) == []
