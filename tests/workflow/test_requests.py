"""What jobs ask a cluster for: what was measured of the same work, and nothing of other work."""

import shlex
import shutil
from pathlib import Path

import pytest

from foreframe.artefacts import log
from foreframe.errors import UserError
from foreframe.running import spending
from tests.workflow import engines, tiny
from tests.workflow.test_dag_errors import make
from workflow import dag, requests

DEFINITION = """
stages:
  collect:
    cmd: cp given.txt frames.txt
    deps: [given.txt]
    params: [frames]
    outs: [frames.txt]
  settings:
    cmd: cp values.json settings.json
    deps: [values.json]
    outs: [settings.json]
  train:
    cmd: cp frames.txt 'model of it.txt'
    deps: [frames.txt]
    params: [settings.json: [steps, code.model]]
    outs: ['model of it.txt']
    meta: {resources: {mem_mb: 64000}}
  ask:
    foreach: [a, b]
    do:
      cmd: cp "model of it.txt" ${item}.txt
      deps: ['model of it.txt']
      outs: ["${item}.txt"]
      meta: {together: true}
"""
TOOK = {  # seconds, megabytes
    "collect": (1200.0, 700),
    "train": (90.5, 3000.2),
    "ask@a": (400.0, 900),
    "ask@b": (500.0, 1100),
}


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run, with what its stages took."""
    folder = tmp_path_factory.mktemp("requests")
    files = {
        "given.txt": "1",
        "params.yaml": "frames: 1\n",
        "values.json": '{"steps": 1, "code": {"model": 1}}',
    }
    tiny.write(folder, files)
    make(folder, DEFINITION)
    engines.repro(folder)
    for stage in dag.declared(folder):
        if stage.name in TOOK:
            note(folder, stage, *TOOK[stage.name])
    return folder


@pytest.fixture
def project(run_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(run_once, tmp_path / "project", symlinks=True))


def note(project: Path, stage: dag.Declared, seconds: float, megabytes: float) -> None:
    event = {
        "command": shlex.split(stage.command)[1:],
        "finished": True,
        "seconds": seconds,
        "memory": int(megabytes * 1e6),
    }
    log.append(project / spending.LOG, event)


def asked(project: Path) -> dict[str, tuple[int, int]]:
    """Return the megabytes and minutes of each job."""
    stages = dag.read(project)
    events = log.read(project / spending.LOG)
    return dict(requests.asked(dag.jobs(stages), requests.as_measured(stages), events))


def test_jobs_ask_for_twice_what_their_stages_took(project: Path) -> None:
    # Of stages in one job the time adds up, and the most memory counts. `settings` took nothing.
    wanted = {"collect": (1400, 40), "train": (6001, 10), "ask_a": (2200, 30)}
    assert asked(project) == wanted


def test_snakemake_takes_it_and_asks_for_more_where_it_was_too_little(project: Path) -> None:
    (project / "profiles").mkdir()
    with engines.inside(project):
        assert requests.run(Path(), None, Path("profiles/measured")) == 0
    said = engines.dry_run(project, "--forceall", "--profile", "profiles/measured")
    jobs = {text.partition(":")[0]: text for text in said.split("\nrule ")[1:]}
    assert "mem_mb=6001" in jobs["train"] and "runtime=10" in jobs["train"]
    assert "runtime" not in jobs["settings"]
    text = (project / "profiles/measured/profile.yaml").read_text()
    assert "mem_mb: 6001 * attempt" in text


# An edit, and the jobs that are still as they were measured.
EDITS = {
    "more data": (("given.txt", "1", "2"), set()),
    "a parameter": (("params.yaml", "frames: 1", "frames: 2"), set()),
    "steps": (("values.json", '"steps": 1', '"steps": 2'), {"collect"}),
    "code": (("values.json", '"model": 1', '"model": 2'), {"collect", "train", "ask_a"}),
}


@pytest.mark.parametrize("name", EDITS)
def test_other_work_is_asked_for_as_if_it_had_not_been_measured(name: str, project: Path) -> None:
    edit, left = EDITS[name]
    tiny.edit(project, *edit)
    engines.repro(project, "settings")
    assert asked(project).keys() == left


def test_where_nothing_was_measured_it_is_said(project: Path, tmp_path: Path) -> None:
    (project / spending.LOG).unlink()
    with engines.inside(project), pytest.raises(UserError, match="tells of no stage"):
        requests.run(Path(), None, tmp_path / "measured")
    assert not (tmp_path / "measured").exists()
