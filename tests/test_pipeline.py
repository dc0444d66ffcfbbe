"""The whole study: equal bytes in two clones, by both engines; stages read what they declare."""

import functools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from foreframe import versions
from foreframe.artefacts import digest
from foreframe.config import reading
from tests import smoke
from tests.needs import needs_program
from workflow import dag
from workflow.studies import MAIN

# Those of the main study, which the clones of these tests have run.
STAGES = {stage.name: stage for stage in dag.read(smoke.ROOT) if stage.study == MAIN}


def lock(clone: smoke.Clone) -> dict[str, Any]:
    text = (clone.folder / "dvc.lock").read_text()
    return dict(YAML(typ="safe").load(text)["stages"])


def outputs(clone: smoke.Clone) -> dict[str, str]:
    return {out["path"]: out["md5"] for entry in lock(clone).values() for out in entry["outs"]}


def test_two_clones_and_two_engines_give_the_same_bytes(
    by_dvc: smoke.Clone, by_snakemake: smoke.Clone
) -> None:
    assert lock(by_dvc) == lock(by_snakemake)
    for path in outputs(by_dvc):
        first, second = by_dvc.folder / path, by_snakemake.folder / path
        assert first.read_bytes() == second.read_bytes(), path


def test_the_lock_holds_every_stage_and_the_digests_of_the_bytes(by_dvc: smoke.Clone) -> None:
    assert lock(by_dvc).keys() == STAGES.keys()
    for path, md5 in outputs(by_dvc).items():
        assert digest.digest(by_dvc.folder / path) == md5, path


def test_after_either_engine_the_other_has_nothing_to_do(
    by_dvc: smoke.Clone, by_snakemake: smoke.Clone
) -> None:
    assert "Nothing to be done" in by_dvc.run("snakemake", "-n").stdout
    assert "up to date" in by_snakemake.run("dvc", "status", "dvc.yaml").stdout


def test_a_reworded_comment_makes_nothing_stale_but_the_versions(
    by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    copy = smoke.copy(by_dvc, tmp_path / "copy")  # other processes read the study meanwhile
    path = copy.folder / "foreframe" / "randomness.py"
    path.write_text(path.read_text() + "# one more word\n")
    copy.run("dvc", "repro", "--quiet", "versions")
    assert "up to date" in copy.run("dvc", "status", "dvc.yaml").stdout


# What makes a stage fail: late in the study, and in a training.
FAILURES = (
    ("clips: 2", "clips: 2000", "but the test set has"),
    ("learning_rate: 0.002", "learning_rate: 1.0e+30", "is not a finite number"),
)


def test_a_failed_stage_leaves_earlier_artefacts_and_its_own_older_ones_can_be_had_again(
    by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    copy = smoke.copy(by_dvc, tmp_path / "copy")
    params = copy.folder / "params.yaml"
    before = params.read_text()
    for old, new, message in FAILURES:
        assert old in before
        params.write_text(before.replace(old, new))
        run = copy.run("dvc", "repro", "--quiet", check=False)
        assert run.returncode != 0
        assert message in run.stderr
        assert "Traceback" not in run.stderr
        # What the failed stage would have made is missing, never half there; the rest is as it was.
        for path, md5 in outputs(by_dvc).items():
            found = copy.folder / path
            assert not found.exists() or digest.digest(found) == md5, path
        assert not list(copy.folder.glob("data/**/.*.tmp"))
    params.write_text(before)
    copy.run("dvc", "repro", "--quiet")
    assert lock(copy) == lock(by_dvc)
    assert all(digest.digest(copy.folder / path) == md5 for path, md5 in outputs(copy).items())


def declared_paths(name: str) -> set[str]:
    return {*STAGES[name].deps, *STAGES[name].outs}


def opened(clone: smoke.Clone, name: str) -> set[str]:
    """Return the paths inside the clone that a stage's processes opened, relative to it."""
    return opened_by(clone, shlex.split(STAGES[name].command)[2])


@functools.cache
def opened_by(clone: smoke.Clone, module: str) -> set[str]:
    """Return the same of all processes that ran a stage's file; the traces are long."""
    found = set()
    for path in clone.traces.glob(f"{module}.*"):
        for text in re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(errors="replace")):
            full = Path(clone.folder, text)
            if full.is_relative_to(clone.folder) and not full.is_dir():
                found.add(str(full.relative_to(clone.folder)))
    return found


def modules(paths: set[str]) -> set[str]:
    """Return the project modules that were imported: those whose compiled form was read."""
    found = set()
    for path in paths:
        source = re.sub(r"__pycache__/([^.]+)\.cpython-\d+\.pyc$", r"\1", path)
        if source != path:
            found.add(source.replace("/", ".").removesuffix(".__init__"))
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_opens_only_what_it_declares(name: str, by_dvc: smoke.Clone) -> None:
    needs_program("strace")
    names = [other for other in STAGES if other.partition("@")[0] == name.partition("@")[0]]
    declared = {"params.yaml"}.union(*(declared_paths(other) for other in names))
    paths = opened(by_dvc, name)
    assert paths, "the stage was not traced"
    code = {path for path in paths if path.endswith(".py") or "__pycache__" in path}
    ours = {path for path in paths - code if not _is_temporary(path, declared)}
    assert ours <= declared


def _is_temporary(path: str, declared: set[str]) -> bool:
    """Whether a path is the atomic writer's hidden file, a checkpoint, or the log of costs."""
    folder, _, name = path.rpartition("/")
    target = re.sub(r"^\.(.+)\.[0-9a-f]+\.tmp$", r"\1", name)
    return f"{folder}/{target}" in declared - {path} or path.startswith((".checkpoints/", "logs/"))


@pytest.mark.parametrize("name", sorted(STAGES.keys() - {"versions"}))
def test_a_stage_imports_only_code_whose_version_it_declares(
    name: str, by_dvc: smoke.Clone
) -> None:
    needs_program("strace")
    texts = versions.read_modules([smoke.ROOT / "foreframe", smoke.ROOT / "stages"])
    sections = reading.load(by_dvc.folder / "params.yaml")["protocols"]
    keys = {key for file, key in STAGES[name].params if file == "data/versions.json"}
    same = [other for other in STAGES if other.partition("@")[0] == name.partition("@")[0]]
    for other in same:
        keys |= {key for file, key in STAGES[other].params if file == "data/versions.json"}
    for protocol in [key for key in keys if key.startswith("protocols.")]:
        # Stands for the metrics that the protocol names.
        metrics = sections[protocol.partition(".")[2]]["measures"]["metrics"]
        keys = keys - {protocol} | {f"{versions.METRICS}.{metric}" for metric in metrics}
    # The key of a package stands for each of its modules.
    whole = {each for each in texts for key in keys if f"{each}.".startswith(f"{key}.")}
    covered = set().union(*(versions.closure(each, texts) for each in whole))
    imported = modules(opened(by_dvc, name)) & texts.keys()
    assert imported, "no import was traced"
    assert imported <= covered


def test_the_code_versions_address_every_key_that_dvc_yaml_names(by_dvc: smoke.Clone) -> None:
    content = json.loads((by_dvc.folder / "data/versions.json").read_text())
    for entry in STAGES.values():
        for file, key in entry.params:
            if file == "data/versions.json":
                value = content
                for part in key.split("."):
                    value = value[part]
                # A kind that is a package has a version for each of its modules.
                assert isinstance(value, str | dict), key
