"""What users of DVC expect of every study's stages, and of a finished study: metrics, plots, ..."""

import importlib
import json
import math
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from foreframe.config import reading
from foreframe.config import study as config_study
from foreframe.report import desk
from foreframe.running import stage
from stages import settings
from tests import smoke
from workflow import dag, preset, studies

STAGES = {found.name: found for found in dag.read(smoke.ROOT)}
VERSIONS = "data/versions.json"
EPISODES = {"bair": 30}  # frames of published episodes that are all of one length
# What the finished study of the tests below has.
MADE = [path for found in STAGES.values() if found.study == "driving" for path in found.outs]


def options(name: str) -> Mapping[str, Sequence[str]]:
    """Return the values of each option of a stage's command, by the parameter of `main` it sets."""
    words = shlex.split(STAGES[name].command)
    assert words[:2] == ["python", "-m"]
    result: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            option = word.removeprefix("--").replace("-", "_")
            assert option not in result
            result[option] = []
        else:
            result[option].append(word)
    return result


def module_of(name: str) -> str:
    """Return what a stage runs, whose name its own begins with: `sample_codes` runs `sample`."""
    module = shlex.split(STAGES[name].command)[2]
    own = studies.local(name).partition("@")[0]
    assert f"{own}_".startswith(f"{module.removeprefix('stages.')}_")
    return module


def signature(name: str) -> Mapping[str, Any]:
    return stage.signature(importlib.import_module(module_of(name)).main)


@pytest.mark.parametrize("name", STAGES)
def test_a_command_fits_the_signature_of_its_main(name: str) -> None:
    given, wanted = options(name), signature(name)
    assert given.keys() == wanted.keys()
    for option, values in given.items():
        assert len(values) == 1 or (values and wanted[option] == stage.PATHS), option


@pytest.mark.parametrize("name", [name for name in STAGES if studies.local(name) == "settings"])
def test_what_parameters_stand_for_is_written_where_it_is_looked_for(name: str) -> None:
    assert STAGES[name].outs == (studies.Place(STAGES[name].study).settings,)


FURTHER = [place for place in studies.places(smoke.ROOT) if place.name != studies.MAIN]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "thesis"])
@pytest.mark.parametrize("place", FURTHER, ids=lambda place: place.name)
def test_futures_fit_into_the_episodes_and_analyses_into_the_clips(
    place: studies.Place, scale: str
) -> None:
    folder = smoke.ROOT / place.presets
    if not (folder / f"{scale}.yaml").exists():
        pytest.skip(f"{place.name} has no preset {scale}")
    sections = config_study.resolve(
        preset.values(scale, folder), scale, smoke.parameters(scale)
    ).sections
    for found in STAGES.values():
        words = re.search(r"--frames data/\w+/(\w+)/.*protocols\.(\w+)", found.command)
        if found.study != place.name or words is None:
            continue
        data, futures = words[1], sections["protocols"][words[2]]["futures"]
        source = sections["data"].get(data, {}).get("source", {})
        frames = source.get("frames_per_episode", EPISODES.get(source.get("kind"), math.inf))
        assert futures["context"] + futures["horizon"] <= frames, found.name
        if analysis := re.search(r"analyses\.(\w+)", found.command):
            clips = sections["analyses"][analysis[1]]["clips"]
            assert None in (clips, futures["clips"]) or clips <= futures["clips"], found.name


@pytest.mark.parametrize("name", STAGES)
def test_a_command_names_exactly_what_its_stage_declares(name: str) -> None:
    annotations, entry = signature(name), STAGES[name]
    paths: set[str] = set()
    keys: set[tuple[str, ...]] = set()
    for option, values in options(name).items():
        if annotations[option] in (Path, stage.PATHS):
            paths.update(values)
        else:
            keys.update(tuple(value.rsplit(":", 1)) for value in values)
    # Code versions are no argument, and neither are those of the entries of a study. Of an entry
    # the digest is declared, and the entry itself named.
    declared = {
        (file, key.removeprefix("digests."))
        for file, key in entry.params
        if file != VERSIONS and not key.startswith("code.")
    }
    # A file that is declared as a whole is given as a path, as are versions that are written on.
    whole = {file for file, key in declared if not key}
    if every := {pair for pair in declared if pair[1] == settings.WHOLE}:
        declared -= every
        whole |= {f"studies/{entry.study}/params.yaml", "params.yaml"}
    whole |= {file for file, _ in entry.params if file == VERSIONS and file in paths}
    assert keys == {(file, key) for file, key in declared if key}
    # `collect` learns the folder's name from its parameter, so that no shell gets to see it.
    folder = reading.load(smoke.ROOT / "params.yaml")["data"]["driving"]["videos"]
    videos = {folder} if ("params.yaml", "data.driving.videos") in declared else set()
    known = {*entry.declared_deps, *entry.outs, *whole} - videos
    # A declared folder is declared with all that is in it.
    folders = entry.declared_deps
    inside = {path for path in paths - known for each in folders if path.startswith(f"{each}/")}
    assert paths - inside == known


@pytest.mark.parametrize("name", sorted(STAGES.keys() - {"versions"}))
def test_a_stage_is_versioned_by_its_own_code(name: str) -> None:
    assert (VERSIONS, module_of(name)) in STAGES[name].params


@pytest.mark.parametrize("name", [name for name in STAGES if studies.local(name) == "report"])
def test_a_report_is_versioned_by_the_kinds_of_its_figures(name: str) -> None:
    drawn = desk.read([smoke.ROOT / path for path in options(name)["figures"]]).figures.values()
    declared = {key for file, key in STAGES[name].params if file == VERSIONS}
    wanted = {f"{desk.PACKAGE}.{figure['kind']}" for figure in drawn}
    assert declared == {"stages.report", *wanted}


def test_every_output_is_a_file_in_the_folder_of_its_study() -> None:
    for entry in STAGES.values():
        folders = (f"data/{entry.study}/", f"reports/{entry.study}/")
        for path in set(entry.outs) - {VERSIONS}:
            assert path.startswith(folders), path
            assert Path(path).suffix, path
    for file in (smoke.ROOT / "dvc.yaml", *smoke.ROOT.glob("studies/*/dvc.yaml")):
        assert "persist" not in file.read_text(encoding="utf-8"), file


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
    """Return {file: content} as `dvc metrics show` gives them, for the study that has been run."""
    content = json.loads(study.run("dvc", *command, "--json").stdout)[""]["data"]
    return {file: entry["data"] for file, entry in content.items() if file in MADE}


def test_metrics_are_few_and_all_numbers(study: smoke.Clone) -> None:
    files = shown(study, "metrics", "show")
    values = [value for content in files.values() for value in content.values()]
    assert {type(value) for value in values} <= {int, float}
    assert 10 <= len(values) <= 40
    # What `dvc metrics show` prints must fit a screen: a few columns for each file.
    assert max(len(content) for content in files.values()) <= 16


@pytest.mark.slow
def test_a_changed_parameter_shows_in_params_diff_and_reruns_by_experiment(
    study: smoke.Clone,
) -> None:
    run = study.run("dvc", "exp", "run", "--name", "renamed", "-S", "report.title=Another title")
    ran = [line for line in run.stdout.splitlines() if line.startswith("Running stage")]
    assert ran == ["Running stage 'versions':", "Running stage 'report':"]
    diff = json.loads(study.run("dvc", "params", "diff", "--json").stdout)
    assert diff["params.yaml"]["report.title"]["new"] == "Another title"
    assert "renamed" in study.run("dvc", "exp", "show", "--csv").stdout
    # It stops at the files of the thesis study, which has not run here; the rest is done.
    study.run("dvc", "exp", "apply", "renamed", check=False)
    assert "Another title" in (study.folder / "params.yaml").read_text()
    study.run("dvc", "checkout", "dvc.yaml")
    assert "up to date" in study.run("dvc", "status", "dvc.yaml").stdout
    study.run("git", "checkout", "-q", "params.yaml", "dvc.lock")
    study.run("dvc", "checkout", "dvc.yaml")


def test_plots_hold_learning_curves_and_codebook_usage(study: smoke.Clone, tmp_path: Path) -> None:
    for command in ("show", "diff"):
        out = tmp_path / command
        study.run("dvc", "plots", command, "--out", str(out))
        page = (out / "index.html").read_text()
        for name in ("autoencoder training", "priors training", "codebook usage"):
            assert name in page, (command, name)
        assert "usage_top" in page


def test_a_colleague_pulls_what_was_pushed(study: smoke.Clone, tmp_path: Path) -> None:
    study.run("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    study.run("dvc", "push")
    other = smoke.Clone(tmp_path / "colleague", study.traces)
    shutil.copytree(study.folder, other.folder, ignore=shutil.ignore_patterns("cache", "tmp"))
    for path in MADE:
        (other.folder / path).unlink()
    # The other studies have not been run: there is nothing of them.
    other.run("dvc", "pull", "dvc.yaml")
    for path in MADE:
        assert (other.folder / path).read_bytes() == (study.folder / path).read_bytes(), path
    assert "up to date" in other.run("dvc", "status", "dvc.yaml").stdout
    assert "up to date" in other.run("dvc", "repro").stdout


def test_the_dag_is_drawn_with_every_stage(study: smoke.Clone) -> None:
    drawn = study.run("dvc", "dag", "--md").stdout
    there = {studies.MAIN, *smoke.FURTHER}
    names = [name for name, found in STAGES.items() if found.study in there]
    assert len(names) > 50 and all(f'"{name}"' in drawn for name in names)


@pytest.mark.parametrize(
    "folder", [smoke.ROOT, *(smoke.ROOT / "studies").iterdir()], ids=lambda path: path.name
)
def test_no_variable_has_the_name_of_a_parameter(folder: Path) -> None:
    """DVC would merge the two: it reads params.yaml into the variables, unasked."""
    if not (folder / "dvc.yaml").exists():
        return
    names = set().union(*reading.load(folder / "dvc.yaml")["vars"])
    for params in (smoke.ROOT, folder):
        assert not names & reading.load(params / "params.yaml").keys(), params
