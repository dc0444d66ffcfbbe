"""One definition, two engines: rules are stages, and both engines want the same work."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from tests import smoke
from tests.workflow import engines, tiny
from workflow import dag, studies

EVERY = tuple(place.name for place in studies.places(smoke.ROOT)[1:])
ALL = {"versions", "collect", "train_loud", "train_quiet", "report"}


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.make(tmp_path_factory.mktemp("by dvc"))
    assert tiny.run_by_dvc(folder) == tiny.STAGES
    return folder


@pytest.fixture(scope="module")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.make(tmp_path_factory.mktemp("by snakemake"))
    # A bare dry run on a clean clone lists every stage: the trap of a default target that is lost.
    assert tiny.wanted_by_snakemake(folder) == ALL
    tiny.run(folder, "snakemake", "--cores", "2")
    return folder


@pytest.fixture
def done(by_snakemake: Path, tmp_path: Path) -> Path:
    """A finished project of the test's own, with both engines' records."""
    folder = tmp_path / "copy"
    shutil.copytree(by_snakemake, folder, symlinks=True)
    return folder


def test_stages_are_plain_data_with_templates_resolved(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    (folder / "texts" / "__pycache__").mkdir()
    (folder / "texts" / "__pycache__" / "x.pyc").write_text("")
    stages = dag.read(folder)
    assert [stage.name for stage in stages] == sorted(tiny.STAGES)
    found = {stage.name: stage for stage in stages}
    collect, loud = found["collect"], found["train@loud"]
    assert collect.command == "python join.py data/all.txt forest texts/"
    assert collect.description == "every text, and one word more"
    assert collect.declared_deps == ("texts",)
    assert collect.deps == ("texts/one.txt", "texts/two.txt")
    assert tiny.values(collect) == {("params.yaml", "word"): "forest"}
    assert (collect.threads, collect.resources, collect.after) == (1, (), ())
    assert loud.identifier == "train_loud"
    assert (loud.threads, loud.resources) == (2, (("gpu", 1),))
    assert (loud.deps, loud.outs) == (("data/all.txt",), ("data/loud.txt",))


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_declared_is_what_is_read_but_for_what_is_there(
    whole: bool, tmp_path: Path
) -> None:
    folder = smoke.ROOT if whole else tiny.make_both(tmp_path)
    found = dag.declared(folder)
    names = [field.name for field in dataclasses.fields(dag.Declared)]
    assert [vars(stage) for stage in found] == [
        {name: vars(stage)[name] for name in names} for stage in dag.read(folder)
    ]


def test_code_versions_are_known_before_they_are_written(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    key = ("data/versions.json", "library.shout")

    def version() -> object:
        stage = next(stage for stage in dag.read(folder) if stage.name == "train@loud")
        assert stage.after == ("data/versions.json",)
        return tiny.values(stage)[key]

    before = version()
    assert isinstance(before, str)
    tiny.edit(folder, "library/shout.py", "VOLUME = 11", "VOLUME = 11  # loud")
    tiny.edit(folder, "library/whisper.py", "VOLUME = 1", "VOLUME = 2")
    assert version() == before
    tiny.edit(folder, "library/shout.py", "VOLUME = 11", "VOLUME = 12")
    assert version() != before


def test_parameters_in_a_file_that_a_stage_writes_are_an_input(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    tiny.edit(folder, "dvc.yaml", "  versions:\n", "  numbers:\n")
    found = {stage.name: stage for stage in dag.read(folder)}
    assert found["train@loud"].after == ()
    assert found["train@loud"].deps == ("data/all.txt", "data/versions.json")


def test_equal_locks(by_dvc: Path, by_snakemake: Path) -> None:
    assert tiny.lock(by_dvc) == tiny.lock(by_snakemake)


def test_after_one_engine_the_other_has_nothing_to_do(by_dvc: Path, by_snakemake: Path) -> None:
    assert tiny.wanted_by_snakemake(by_dvc) == set()
    assert tiny.wanted_by_snakemake(by_snakemake) == set()
    assert tiny.run_by_dvc(by_snakemake) == set()


def test_new_times_alone_make_no_work(done: Path) -> None:
    for path in [*done.glob("data/*"), *done.glob("texts/*"), *done.glob("library/*.py")]:
        os.utime(path)
    shutil.rmtree(done / "data")
    tiny.run(done, "dvc", "checkout")
    assert tiny.wanted_by_snakemake(done) == set()


@pytest.mark.parametrize(("read", "written"), [(4e9, 1e8), (1e8, 4e9)], ids=["back", "ahead"])
def test_a_clock_that_jumps_makes_no_work_and_hides_none(
    read: float, written: float, done: Path
) -> None:
    for folder, time in (("texts", read), ("library", read), ("data", written)):
        for path in (done / folder).iterdir():
            os.utime(path, (time, time))
    assert tiny.wanted_by_snakemake(done) == set()
    tiny.edit(done, "params.yaml", "times: 2", "times: 3")
    os.utime(done / "params.yaml", (1e8, 1e8))
    assert tiny.wanted_by_snakemake(done) == {"versions", "train_loud", "report"}


# Texts to replace in files, and the stages that are to run then.
EDITS: dict[str, tuple[list[tuple[str, str, str]], set[str]]] = {
    "a parameter": (
        [("params.yaml", "times: 2", "times: 3")],
        {"versions", "train@loud", "report"},
    ),
    "a parameter nobody uses": (
        [("params.yaml", "word:", "other: 1\nword:")],
        {"versions"},
    ),
    "code": (
        [("library/whisper.py", "VOLUME = 1", "VOLUME = 2")],
        {"versions", "train@quiet", "report"},
    ),
    "a comment": (
        [("library/whisper.py", "VOLUME = 1", "VOLUME = 1  # low")],
        {"versions"},
    ),
    "a file in a folder": (
        [("texts/one.txt", "one", "eins")],
        {"collect", "train@loud", "train@quiet", "report"},
    ),
    "a file in a folder and a comment": (
        [("texts/two.txt", "two", "zwei"), ("library/shout.py", "= 11", "= 11  # loud")],
        {"versions", "collect", "train@loud", "train@quiet", "report"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_both_engines_want_the_same_after_an_edit_of(name: str, done: Path) -> None:
    edits, expected = EDITS[name]
    for file, old, new in edits:
        tiny.edit(done, file, old, new)
    assert engines.announced(done) == expected
    assert engines.repro(done) == expected


def made(folder: Path) -> set[str]:
    """Return the identifiers of the stages whose commands ran in the last snakemake."""
    return {path.stem for path in (folder / "logs").glob("*.log") if "made" in path.read_text()}


def test_force_runs_every_command_and_a_wrong_decision_of_snakemake_none(done: Path) -> None:
    tiny.run(done, "snakemake", "--cores", "2", "--config", "force=true")
    assert made(done) == ALL
    assert tiny.run_by_dvc(done) == set()
    tiny.run(done, "snakemake", "--cores", "2", "--forceall")
    assert made(done) == set()
    assert tiny.wanted_by_snakemake(done) == set()


@pytest.mark.parametrize(
    "named", [smoke.FURTHER, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["two", "every"]
)
def test_snakemake_has_a_rule_for_every_stage(named: tuple[str, ...], tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "study", *named)
    stages = dag.read(clone.folder)
    assert len({stage.identifier for stage in stages}) == len(stages)
    main = {stage.name for stage in stages if stage.study == "driving"}
    assert engines.announced(clone.folder) == main
    others = {stage.study for stage in stages} - {"driving"}
    assert engines.announced(clone.folder, "all", *others) == {stage.name for stage in stages}


def test_snakemake_looks_for_work_when_a_job_ends_and_not_each_second(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    tiny.edit(folder, "dvc.yaml", "cmd: python join.py", "cmd: sleep 2 && python join.py")
    text = tiny.run(folder, "snakemake", "--cores", "2", "--verbose")
    assert text.count("Resources before job selection") == len(ALL)


def test_the_linter_asks_for_nothing_but_environments_by_rule(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path)
    text = tiny.run(folder, "sh", "-c", "snakemake --lint || true")
    asked = {line.strip() for line in text.splitlines() if line.startswith("    * ")}
    assert asked == {"* Specify a conda environment or container for each rule.:"}


def test_stages_that_are_together_share_a_job_and_nothing_else_changes(
    by_dvc: Path, tmp_path: Path
) -> None:
    folder = tiny.make(tmp_path)
    tiny.edit(folder, "dvc.yaml", "      meta:\n", "      meta:\n        together: true\n")
    jobs = {
        job.identifier: [each.name for each in job.stages] for job in dag.jobs(dag.read(folder))
    }
    assert jobs["train_loud"] == ["train@loud", "train@quiet"]
    assert len(jobs) == len(tiny.STAGES) - 1
    assert engines.announced(folder) == tiny.STAGES
    tiny.run(folder, "snakemake", "--cores", "2")
    assert tiny.lock(folder) == tiny.lock(by_dvc)
    assert (folder / "data/report.txt").read_bytes() == (by_dvc / "data/report.txt").read_bytes()
    assert tiny.wanted_by_snakemake(folder) == set()
    # One of them changes: the job is asked, the command of that one runs.
    tiny.edit(folder, "params.yaml", "whisper, times: 1", "whisper, times: 4")
    assert engines.announced(folder) == {"versions", "train@quiet", "report"}
    tiny.run(folder, "snakemake", "--cores", "2")
    ran = (folder / "logs/train_loud.log").read_text()
    assert "made data/quiet.txt" in ran and "made data/loud.txt" not in ran
    assert tiny.run_by_dvc(folder) == set()


def test_stages_that_read_other_files_are_never_together(tmp_path: Path) -> None:
    folder = tiny.make_both(tmp_path)
    path = folder / "studies/songs/dvc.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("        threads: 2\n", "        threads: 2\n        together: true\n")
    )
    jobs = dag.jobs(dag.read(folder))
    assert all(len(job.stages) == 1 for job in jobs)
