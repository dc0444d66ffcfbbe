"""A study beside the main one has a lock, parameters and a rule of its own; the engines are one."""

import shutil
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests.workflow import edits, engines, tiny
from tests.workflow.test_dag_errors import STAGE, make
from workflow import dag, studies

SONG = tiny.SONG


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.make_both(tmp_path_factory.mktemp("by dvc"))
    # A bare `dvc repro` leaves the second study alone; its own call runs what it needs.
    assert engines.repro(folder) == tiny.STAGES
    assert engines.repro(folder, "studies/songs/dvc.yaml") == tiny.SONGS_STAGES
    return folder


@pytest.fixture(scope="module")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.make_both(tmp_path_factory.mktemp("by snakemake"))
    assert engines.announced(folder) == tiny.STAGES
    assert engines.announced(folder, "songs") == tiny.SONGS_STAGES | tiny.STAGES - {"report"}
    tiny.run(folder, "snakemake", "--cores", "4", "songs")
    assert engines.announced(folder) == {"report"}
    tiny.run(folder, "snakemake", "--cores", "4")
    return folder


@pytest.fixture
def done(by_snakemake: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(by_snakemake, folder, symlinks=True)
    return folder


def test_a_stage_has_the_name_by_which_dvc_finds_it_and_the_values_beside_it(
    tmp_path: Path,
) -> None:
    folder = tiny.make_both(tmp_path)
    found = {stage.name: stage for stage in dag.read(folder)}
    with engines.opening(folder) as repo:
        assert found.keys() == {stage.addressing for stage in repo.index.stages}
    assert {stage.name for stage in found.values() if stage.study == "driving"} == tiny.STAGES
    high = found[f"{SONG}train@high"]
    assert (high.study, high.identifier) == ("songs", "songs_train_high")
    assert high.command.endswith("high data/loud.txt data/songs/high.txt")
    # Versions are known before they are written; of what another stage writes only the bytes tell.
    assert (high.deps, high.after) == (
        ("data/loud.txt", "data/songs/voices.json", "sing.py"),
        ("data/versions.json",),
    )
    assert tiny.values(high)["params.yaml", "word"] == "forest"
    assert {studies.of(name).name for name in tiny.SONGS_STAGES} == {"songs"}
    assert {studies.of(name).name for name in tiny.STAGES} == {studies.MAIN}


def test_equal_locks(by_dvc: Path, by_snakemake: Path) -> None:
    for name in edits.LOCKS:
        assert tiny.lock(by_dvc, name) == tiny.lock(by_snakemake, name)
    assert {f"{SONG}{name}" for name in tiny.lock(by_dvc, tiny.SONGS_LOCK)} == tiny.SONGS_STAGES


def test_after_one_engine_the_other_has_nothing_to_do(by_dvc: Path, by_snakemake: Path) -> None:
    for folder in (by_dvc, by_snakemake):
        assert engines.announced(folder, *edits.BY_SNAKEMAKE) == set()
        assert engines.repro(folder, *edits.BY_DVC) == set()


# A text to replace in a file, and the stages of both studies that are to run then.
EDITS: dict[str, tuple[tuple[str, str, str], set[str]]] = {
    "a parameter of the study": (
        (tiny.SONGS_PARAMS, "times: 3", "times: 4"),
        {f"{SONG}{name}" for name in ("voices", "train@high", "book")},
    ),
    "a parameter of the main study that it reads, too": (
        ("params.yaml", "kind: whisper, times: 1", "kind: whisper, times: 2"),
        {"versions", "train@quiet", "report"}
        | {f"{SONG}{name}" for name in ("voices", "train@low", "book")},
    ),
    "code": (
        ("library/shout.py", "VOLUME = 11", "VOLUME = 12"),
        {"versions", "train@loud", "report"} | {f"{SONG}{name}" for name in ("train@high", "book")},
    ),
    "a comment": (("library/shout.py", "VOLUME = 11", "VOLUME = 11  # loud"), {"versions"}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reaches_as_far_as_it_must(name: str, done: Path) -> None:
    edit, expected = EDITS[name]
    tiny.edit(done, *edit)
    announced = engines.announced(done, *edits.BY_SNAKEMAKE)
    assert engines.repro(done, *edits.BY_DVC) == expected
    # Which of the parameters that a stage writes will change is known once it has run.
    unknown = tiny.SONGS_STAGES if f"{SONG}voices" in expected else set()
    assert announced == expected | unknown


def test_rules_keep_apart_where_names_of_two_studies_meet(tmp_path: Path) -> None:
    folder = tiny.make_both(tmp_path)
    tiny.edit(folder, "dvc.yaml", "  collect:\n", "  songs:\n")
    tiny.edit(folder, "dvc.yaml", "  report:\n", "  songs_book:\n")
    identifiers = [stage.identifier for stage in dag.read(folder)]
    assert len(set(identifiers)) == len(identifiers)
    assert not {"songs", "songs_book"} & set(identifiers)
    assert len(engines.announced(folder, *edits.BY_SNAKEMAKE)) == len(identifiers)


@pytest.mark.parametrize("name", [studies.MAIN, "all", "more-of-it", "1st"])
def test_a_folder_that_cannot_be_a_rule_is_refused(name: str, tmp_path: Path) -> None:
    folder = make(tmp_path, STAGE + "    outs: [x]")
    tiny.write(folder, {f"studies/{name}/dvc.yaml": STAGE + "    outs: [y]\n"})
    with pytest.raises(UserError, match=rf"studies/{name}: .* Rename the folder"):
        dag.read(folder)


@pytest.mark.parametrize("wdir", ["", "    wdir: ..\n", "    wdir: ../../texts\n"])
def test_a_stage_that_works_elsewhere_is_refused_with_the_line_to_write(
    wdir: str, tmp_path: Path
) -> None:
    folder = make(tmp_path, STAGE + "    outs: [x]")
    (folder / "texts").mkdir()
    tiny.write(folder, {"studies/more/dvc.yaml": f"{STAGE}{wdir}    outs: [y]\n"})
    with pytest.raises(UserError, match=r"^studies/more/dvc\.yaml: the stage a .*wdir: \.\./\.\."):
        dag.read(folder)
    tiny.write(folder, {"studies/more/dvc.yaml": f"{STAGE}    wdir: ../..\n    outs: [y]\n"})
    assert [stage.name for stage in dag.read(folder)] == ["a", "studies/more/dvc.yaml:a"]
