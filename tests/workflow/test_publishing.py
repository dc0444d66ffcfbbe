"""A published study is fetched to the same bytes, or refused before anything is written."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from foreframe.artefacts import facts
from foreframe.errors import UserError
from tests import injecting
from tests.needs import needs_program
from tests.workflow import damage, engines, tiny
from workflow import publishing, studies
from workflow.publishing import FACTS, SUMS, fetch, publish, shelf
from workflow.verification import study

WORDS = publish.Words("MIT")
SONGS = "songs"
OUT = "data/songs/high.txt"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two studies that have run, its locks and parameters in git."""
    folder = damage.make_both(tmp_path_factory.mktemp("published") / "project")
    (folder / ".dvc/tmp").mkdir(exist_ok=True)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    tiny.run(folder, "git", "add", "-A")
    tiny.run(folder, "git", *who, "commit", "-qm", "as it is")


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))


@pytest.fixture
def clone(made: Path, tmp_path: Path) -> Path:
    """What a stranger has: the files of git."""
    tiny.run(made, "git", "clone", "-q", str(made), str(tmp_path / "clone"))
    return tmp_path / "clone"


@pytest.fixture
def published(project: Path, tmp_path: Path) -> Path:
    publish.run(project, SONGS, shelf.here(tmp_path / "public"), WORDS)
    return tmp_path / "public"


def take(folder: Path, published: Path) -> None:
    fetch.run(folder, shelf.here(published))


def tree(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    paths = (path for path in paths if not {".git", ".dvc"} & {*path.relative_to(folder).parts})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_stranger_has_the_same_bytes_and_nothing_to_run(
    made: Path, published: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in publishing.settings((studies.MAIN, SONGS)):
        if path.endswith("dvc.lock"):
            (clone / path).unlink(missing_ok=True)
    commit(clone)
    take(clone, published)
    known = study.read(made)
    needed = known.before([name for name in known.locked if known.declared[name].study == SONGS])
    for name in needed:
        for path in known.locked[name].outs:
            assert (clone / path).read_bytes() == (made / path).read_bytes()
    # What it does not read is not passed on: the first study's own report.
    assert not (clone / "data/report.txt").exists()
    assert engines.status(clone) == {"report"}
    assert f"git checkout {publishing.commit(made)[:12]}" in capsys.readouterr().out


def test_it_is_read_without_any_program(published: Path) -> None:
    needs_program("sha256sum")
    command = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    assert subprocess.run(command, cwd=published).returncode == 0
    text = (published / "README.md").read_text()
    assert text.startswith("# songs\n") and "foreframe fetch" in text and "MIT" in text


def test_what_is_there_is_neither_sent_nor_fetched_again(
    project: Path, published: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(published)
    publish.run(project, SONGS, shelf.here(published), WORDS)
    assert "; 0 were not there yet" in capsys.readouterr().out
    assert tree(published) == before
    take(clone, published)
    (clone / OUT).unlink()
    capsys.readouterr()
    take(clone, published)
    assert "; 1 of them were fetched" in capsys.readouterr().out


@pytest.mark.parametrize("size", [-1, 0, 3])
def test_damaged_bytes_are_not_kept(size: int, published: Path, clone: Path) -> None:
    if size < 0:
        damage.flip(published / OUT)
    else:
        (published / OUT).write_bytes((published / OUT).read_bytes()[:size])
    with pytest.raises(UserError, match=f"{OUT} is not what was published"):
        take(clone, published)
    assert not (clone / OUT).exists()
    assert not list(clone.rglob(".*.tmp"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (OUT, f"is not whole: {OUT} is missing"),
        (SUMS, "holds no finished publication"),
        (FACTS, f"is not whole: {FACTS} is missing"),
    ],
)
def test_a_publication_that_lacks_a_file_is_refused(
    name: str, words: str, published: Path, clone: Path
) -> None:
    (published / name).unlink()
    with pytest.raises(UserError, match=words):
        take(clone, published)


def test_what_is_in_the_way_is_named_before_anything_is_written(
    published: Path, clone: Path
) -> None:
    path = clone / OUT
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    before = tree(clone)
    with pytest.raises(UserError, match=f"Other bytes are here as {OUT}"):
        take(clone, published)
    assert tree(clone) == before


def test_parameters_of_git_are_replaced_and_those_of_the_user_are_not(
    published: Path, clone: Path
) -> None:
    tiny.edit(clone, tiny.SONGS_PARAMS, "times: 3", "times: 9")
    with pytest.raises(UserError, match=f"Other bytes are here as {tiny.SONGS_PARAMS}"):
        take(clone, published)
    commit(clone)
    take(clone, published)
    assert "times: 3" in (clone / tiny.SONGS_PARAMS).read_text()


@pytest.mark.parametrize("path", ["dvc.yaml", "../outside.txt", "/tmp/outside.txt", "data/new.txt"])
def test_nothing_is_written_but_what_stages_write(path: str, published: Path, clone: Path) -> None:
    content = b"code of a stranger"
    if path.startswith("data") or path == "dvc.yaml":
        (published / path).write_bytes(content)
    with (published / SUMS).open("a") as file:
        file.write(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
    before = tree(clone)
    with pytest.raises(UserError, match=f"{path} is written by no stage of this project"):
        take(clone, published)
    assert tree(clone) == before


def test_facts_that_were_edited_are_refused(published: Path, clone: Path) -> None:
    content = json.loads((published / FACTS).read_text())
    (published / FACTS).write_text(json.dumps({**content, "licence": "anything"}))
    old = (published / SUMS).read_text().splitlines()
    found = hashlib.sha256((published / FACTS).read_bytes()).hexdigest()
    lines = [f"{found}  {FACTS}" if line.endswith(FACTS) else line for line in old]
    (published / SUMS).write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match="edited by hand"):
        take(clone, published)


def test_a_study_that_has_not_run_or_is_out_of_date_is_not_published(
    project: Path, clone: Path, tmp_path: Path
) -> None:
    to = shelf.here(tmp_path / "public")
    with pytest.raises(UserError, match="4 of 4 stages of songs have not been run here"):
        publish.run(clone, SONGS, to, WORDS)
    tiny.edit(project, tiny.SONGS_PARAMS, "times: 3", "times: 9")
    with pytest.raises(UserError, match="songs is not as its lock says"):
        publish.run(project, SONGS, to, WORDS)
    tiny.run(project, "git", "checkout", "--", tiny.SONGS_PARAMS)
    damage.flip(project / OUT)
    with pytest.raises(UserError, match=f"songs is not as its lock says: {OUT}"):
        publish.run(project, SONGS, to, WORDS)
    assert not (tmp_path / "public").exists()


def test_code_that_nobody_else_has_is_not_published(project: Path, tmp_path: Path) -> None:
    with (project / "join.py").open("a") as file:
        file.write("# of no stage's dependencies\n")
    with pytest.raises(UserError, match=r"join\.py differs from the last commit"):
        publish.run(project, SONGS, shelf.here(tmp_path / "public"), WORDS)


def test_new_code_that_a_stage_reads_is_none_of_the_commit_s(project: Path, tmp_path: Path) -> None:
    (project / "notes.txt").write_text("what I had for lunch")
    publish.run(project, SONGS, shelf.here(tmp_path / "public"), WORDS)
    (project / "texts/three.txt").write_text("three\n")
    tiny.run_by_dvc(project, "dvc.yaml", "studies/songs/dvc.yaml")
    with pytest.raises(UserError, match=r"texts/three\.txt differs from the last commit"):
        publish.run(project, SONGS, shelf.here(tmp_path / "public"), WORDS)


def test_a_full_disk_is_called_so(published: Path, clone: Path) -> None:
    needs_program("strace")
    end = injecting.fail_at(lambda: take(clone, published), "fsync", 3, "ENOSPC")
    assert end.code == injecting.REFUSED and "The disk is full" in end.message


def test_a_full_place_is_called_so_and_counts_as_nothing_published(
    project: Path, tmp_path: Path
) -> None:
    needs_program("strace")
    to = shelf.here(tmp_path / "public")
    how = (lambda: publish.run(project, SONGS, to, WORDS), "fsync", 3, "ENOSPC")
    end = injecting.fail_at(*how)
    assert end.code == injecting.REFUSED and "The disk is full" in end.message
    assert not (tmp_path / "public" / SUMS).exists()
    publish.run(project, SONGS, to, WORDS)
    assert (tmp_path / "public" / SUMS).exists()


def test_places_are_named(project: Path) -> None:
    with pytest.raises(UserError, match="Name a folder"):
        publishing.place(project, None, "", SONGS)
    with pytest.raises(UserError, match="nowhere"):
        publishing.place(project, None, "nowhere", SONGS)
    with pytest.raises(UserError, match="There is no study hymns"):
        publish.run(project, "hymns", shelf.here(project / "public"), WORDS)


def test_facts_come_back(tmp_path: Path) -> None:
    told = publishing.Publication("one", ("main", "one"), "abc", {"a.h5": {"source": "kth"}}, "MIT")
    told.write(tmp_path / FACTS)
    assert publishing.read(tmp_path / FACTS) == told
    assert facts.parse(tmp_path / FACTS)["schema"] == "foreframe/publication"
