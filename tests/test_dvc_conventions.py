"""What users of DVC expect of a finished study: metrics, plots, experiments, remotes, the DAG."""

import json
import shutil
from pathlib import Path

import pytest

from tests import smoke
from workflow import dag


@pytest.fixture(scope="module")
def study(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """A finished study whose lock is committed, as after a first `make report`."""
    copy = smoke.copy(by_dvc, tmp_path_factory.mktemp("conventions") / "study")
    copy.run("git", "config", "user.name", "test")
    copy.run("git", "config", "user.email", "test@example.org")
    copy.run("git", "add", "-A")
    copy.run("git", "commit", "-qm", "the smoke study")
    return copy


def shown(study: smoke.Clone, *command: str) -> dict[str, dict[str, object]]:
    """Return {file: content} as `dvc metrics show` or `dvc metrics diff` gives them."""
    content = json.loads(study.run("dvc", *command, "--json").stdout)
    return {file: entry["data"] for file, entry in content[""]["data"].items()}


def test_metrics_are_few_and_all_numbers(study: smoke.Clone) -> None:
    files = shown(study, "metrics", "show")
    values = [value for content in files.values() for value in content.values()]
    assert {type(value) for value in values} <= {int, float}
    assert 10 <= len(values) <= 40
    # What `dvc metrics show` prints must fit a screen: a few columns for each file.
    assert max(len(content) for content in files.values()) <= 16


def test_a_changed_parameter_shows_in_params_diff_and_reruns_by_experiment(
    study: smoke.Clone,
) -> None:
    run = study.run("dvc", "exp", "run", "--name", "renamed", "-S", "report.title=Another title")
    ran = [line for line in run.stdout.splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'versions':", "Running stage 'report':"]
    diff = json.loads(study.run("dvc", "params", "diff", "--json").stdout)
    assert diff["params.yaml"]["report.title"]["new"] == "Another title"
    assert "renamed" in study.run("dvc", "exp", "show", "--csv").stdout
    study.run("dvc", "exp", "apply", "renamed")
    assert "Another title" in (study.folder / "params.yaml").read_text()
    study.run("git", "checkout", "-q", "params.yaml", "dvc.lock")
    study.run("dvc", "checkout")


def test_plots_hold_learning_curves_and_codebook_usage(study: smoke.Clone, tmp_path: Path) -> None:
    for command in ("show", "diff"):
        out = tmp_path / command
        study.run("dvc", "plots", command, "--out", str(out))
        page = (out / "index.html").read_text()
        for name in ("autoencoder training", "priors training", "codebook usage"):
            assert name in page, (command, name)
        assert "validation_usage_top" in page


def test_a_colleague_pulls_what_was_pushed(study: smoke.Clone, tmp_path: Path) -> None:
    study.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    study.run("dvc", "push")
    other = smoke.Clone(tmp_path / "colleague", study.traces)
    shutil.copytree(study.folder, other.folder, ignore=shutil.ignore_patterns("cache", "tmp"))
    paths = [path for stage in dag.read(study.folder) for path in stage.outs]
    for path in paths:
        (other.folder / path).unlink()
    other.run("dvc", "pull")
    for path in paths:
        assert (other.folder / path).read_bytes() == (study.folder / path).read_bytes(), path
    assert "up to date" in other.run("dvc", "status").stdout
    assert "up to date" in other.run("dvc", "repro").stdout


def test_the_dag_is_drawn_with_every_stage(study: smoke.Clone) -> None:
    drawn = study.run("dvc", "dag", "--md").stdout
    assert all(f'"{stage.name}"' in drawn for stage in dag.read(study.folder))
