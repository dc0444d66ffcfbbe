"""A study's whole settings are known before its stage writes them, and so is what they make due."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import smoke
from tests.workflow import engines, tiny
from workflow import dag, parameters

# One process makes the project and keeps it.
pytestmark = pytest.mark.xdist_group("settings")

THESIS = "studies/driving_thesis/dvc.yaml"
PARAMS = "studies/driving_thesis/params.yaml"
FILE = "data/driving_thesis/settings.json"
FOUND = "data/driving_thesis/search/search.json"
SETTINGS = f"{THESIS}:settings"
SEALS = {"schema", "version", "checksum"}
FIRST = ("versions", *(f"studies/{name}/dvc.yaml:settings" for name in smoke.FURTHER))

# A text to replace in a file, and the stages whose own values that changes.
VARIANT = (PARAMS, "top_small:\n    like: top\n    changes: {residual_layers: 1}",
    "top_small:\n    like: top\n    changes: {residual_layers: 1, channels: 24}")  # fmt: skip
LARGE = (PARAMS, "top_large:\n    like: top\n    changes: {residual_layers: 2}",
    "top_large:\n    like: top\n    changes: {residual_layers: 4}")  # fmt: skip
CODE = ("foreframe/priors/conditional_pixel_snail.py", "def build(", "AGAIN = 1\n\n\ndef build(")
COMMENT = ("foreframe/priors/conditional_pixel_snail.py", "def build(", "# Again.\ndef build(")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which all studies count as done; but for the first stages, no file is real."""
    clone = smoke.clone(tmp_path_factory.mktemp("settings") / "project")
    engines.repro(clone.folder, *FIRST)
    for stage in dag.declared(clone.folder):
        for name in stage.outs if stage.name not in FIRST else ():
            path = clone.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"autoencoder": name}))
    clone.run("dvc", "commit", "--quiet", "--force")
    assert not due(clone.folder)
    return clone.folder


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Path:
    """A copy for a test that edits it."""
    return Path(shutil.copytree(whole, tmp_path / "project"))


def due(folder: Path) -> set[str]:
    return {stage.name for stage in dag.read(folder) if stage.due}


def predicted(folder: Path) -> Any:
    """Return what workflow/parameters.py says that the file of settings will hold."""
    with engines.opening(folder) as repo:
        coming = {
            os.path.relpath(out.fs_path, folder): parameters.prediction(
                stage.addressing, stage, out
            )
            for stage in repo.index.stages
            for out in stage.outs
        }
        return parameters.Parameters(str(folder), coming).content(FILE)


def written(folder: Path) -> Any:
    return json.loads((folder / FILE).read_text())


def found_by_dvc(folder: Path) -> set[str]:
    """Return the stages that DVC runs or finds changed, and those that read from these.

    The first stages run; the others are asked about.
    """
    found = engines.repro(folder, *FIRST)
    changed = engines.status(folder)
    found |= changed
    with engines.opening(folder) as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        waiting = [*changed]
        while waiting:
            # DVC's graph points from a stage to those it waits for.
            readers = repo.index.graph.predecessors(stages[waiting.pop()])
            new = {stage.addressing for stage in readers} - found
            waiting += new
            found |= new
    return found


def test_what_is_predicted_is_what_the_stage_writes(done: Path) -> None:
    before = written(done)
    assert predicted(done) == before
    for edit in (VARIANT, CODE):
        tiny.edit(done, *edit)
    told = predicted(done)
    assert told != {key: value for key, value in before.items() if key not in SEALS}
    engines.repro(done, SETTINGS)
    after = written(done)
    assert after.keys() - told.keys() == SEALS
    assert {key: after[key] for key in told} == told


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (VARIANT, {f"{stage}@top_small" for stage in ("train_prior", "sample", "evaluate")}),
        (LARGE, {"train_prior@top_large"}),
    ],
    ids=["top_small", "top_large"],
)
def test_an_edit_of_a_variant_makes_due_what_follows_from_it_and_no_sibling(
    edit: tuple[str, str, str], expected: set[str], done: Path
) -> None:
    tiny.edit(done, *edit)
    # Before the stage has run: what it will write is known.
    announced = due(done)
    assert announced == {f"{THESIS}:{name}" for name in {"settings", *expected, "report"}}
    assert found_by_dvc(done) == announced


def test_an_edit_of_a_priors_code_makes_due_what_dvc_finds_changed(done: Path) -> None:
    tiny.edit(done, *CODE)
    announced = due(done)
    assert found_by_dvc(done) == announced
    trained = {name for name in announced if ":train_prior@" in name}
    bottom = {each for each in written(done)["priors"] if each.startswith("bottom_")}
    assert {name for name in trained if name.startswith(THESIS)} == {
        f"{THESIS}:train_prior@{name}" for name in bottom
    }


def test_a_comment_in_a_priors_code_makes_nothing_due_but_the_versions(done: Path) -> None:
    tiny.edit(done, *COMMENT)
    assert due(done) == {"versions"} == found_by_dvc(done)


# ---------------------------------------------------------------- what is refused


def refused(folder: Path, *command: str) -> str:
    """Return what a command says that ends with a user's mistake: one sentence, no traceback."""
    run = smoke.foreframe(folder, *command)
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr.removeprefix("error: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("findings:\n", "finding:\n", f"{PARAMS}: finding is no parameter. Remove it; "),
        ("like: top\n", "like: middle\n", f"{PARAMS}: priors.top_small.like is middle; choose "),
        ("base: ../../params.yaml", "base: ../params.yaml", "studies/params.yaml does not exist"),
    ],
    ids=["a section", "an entry", "a base"],
)  # fmt: skip
def test_a_study_with_what_is_not_there_is_refused_in_one_sentence(
    old: str, new: str, message: str, whole: Path, tmp_path: Path
) -> None:
    for name in ("params.yaml", "dvc.yaml", PARAMS, THESIS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / name, tmp_path / name)
    path = tmp_path / PARAMS
    path.write_text(path.read_text().replace(old, new, 1))
    assert refused(tmp_path, "check", "--study", "driving_thesis").startswith(message)


def test_two_studies_that_write_one_path_are_refused_in_one_sentence(done: Path) -> None:
    tiny.edit(done, THESIS, "data/driving_thesis/findings.csv", "data/driving/split.json")
    said = refused(done, "costs", "--study", "driving_thesis")
    assert said.startswith(f"data/driving/split.json is an output of split and {THESIS}:find. ")


def test_a_stage_that_is_handed_another_base_refuses_it(done: Path) -> None:
    shutil.copy(done / "params.yaml", done / "other.yaml")
    tiny.edit(done, THESIS, f"--params {PARAMS} params.yaml", f"--params {PARAMS} other.yaml")
    by_dvc = smoke.Clone(done, done.parent).run("dvc", "repro", SETTINGS, check=False)
    assert by_dvc.returncode != 0
    assert f"error: {PARAMS}: with its base the study is" in by_dvc.stderr
    assert "other.yaml. Name the same files in both.\n" in by_dvc.stderr
    assert "Traceback" not in by_dvc.stderr
