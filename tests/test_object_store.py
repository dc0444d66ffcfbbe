"""Artefacts in an object store: what comes back is what was sent, or one sentence says why not."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests import forking, object_store
from tests.object_store import BUCKET, Relay
from tests.workflow import damage, tiny
from tests.workflow.test_publishing import commit
from workflow import publishing
from workflow.publishing import fetch, publish
from workflow.verification import study

OUT = "data/all.txt"
WORDS = publish.Words("MIT")


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with object_store.serving() as port:
        yield port


@pytest.fixture
def relay(server: int) -> Iterator[Relay]:
    result = Relay(server)
    yield result
    result.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = damage.make_both(tmp_path_factory.mktemp("stored") / "project")
    commit(folder)
    return folder


@pytest.fixture
def project(made: Path, relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that has run, whose remote is a folder of its own in the store."""
    object_store.known(monkeypatch, tmp_path)
    folder = Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
    object_store.add(folder, relay.port, tmp_path.name)
    commit(folder)
    return folder


@pytest.fixture
def pushed(project: Path) -> Path:
    tiny.run(project, "dvc", "push")
    return project


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    tiny.run(project, "git", "clone", "-q", str(project), str(tmp_path / "clone"))
    return tmp_path / "clone"


def tried(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return forking.run(folder, command)


def key(folder: Path, path: str = OUT) -> str:
    digest = study.read(folder).digest(path)
    return f"{folder.parent.name}/files/md5/{digest[:2]}/{digest[2:]}"


def test_what_was_pushed_comes_back_and_no_secret_is_in_a_file(pushed: Path, clone: Path) -> None:
    tiny.run(clone, "dvc", "pull")
    known = study.read(pushed)
    for path in known.makers:
        assert (clone / path).read_bytes() == (pushed / path).read_bytes()
    assert damage.look(clone, cache=True, remote="far") == []
    secret = object_store.ACCESS["AWS_SECRET_ACCESS_KEY"].encode()
    files = [path for path in pushed.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not any(secret in path.read_bytes() for path in files)


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_what_is_wrong_in_the_store_is_named_and_not_taken(
    how: str, pushed: Path, clone: Path, server: int
) -> None:
    client, name = object_store.client(server), key(pushed)
    whole = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    if how == "gone":
        client.delete_object(Bucket=BUCKET, Key=name)
    else:
        body = bytes([whole[0] ^ 1]) + whole[1:] if how == "flipped" else whole[: len(whole) // 2]
        client.put_object(Bucket=BUCKET, Key=name, Body=body)
    (found,) = damage.look(pushed, remote="far")
    assert found.kind == ("missing" if how == "gone" else "damaged")
    assert (found.place, found.problem.startswith(f"the object of {OUT}")) == ("remote", True)
    pulled = tried(clone, "dvc", "pull")
    assert pulled.returncode == 1 and not (clone / OUT).exists()
    # The rest has come, and once the object is whole again, so has it.
    client.put_object(Bucket=BUCKET, Key=name, Body=whole)
    tiny.run(clone, "dvc", "pull")
    assert (clone / OUT).read_bytes() == (pushed / OUT).read_bytes()


def test_a_study_is_published_into_the_store_and_fetched_from_it(
    project: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = publishing.place(project, None, "far", "songs")
    publish.run(project, "songs", there, WORDS)
    publish.run(project, "songs", there, WORDS)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("; 8 were not there yet.") and second.endswith("; 0 were not there yet.")
    fetch.run(clone, publishing.place(clone, None, "far", "songs"))
    assert (clone / "data/songs/book.txt").read_bytes() == (
        project / "data/songs/book.txt"
    ).read_bytes()
    with pytest.raises(UserError, match="far holds no finished publication"):
        fetch.run(clone, publishing.place(clone, None, "far", "hymns"))


@pytest.mark.parametrize("trouble", ["cut", "throttled"])
def test_what_a_network_loses_is_asked_for_again(
    trouble: str, pushed: Path, clone: Path, relay: Relay
) -> None:
    if trouble == "cut":
        relay.cut_after, relay.cuts = 200, 2
    else:
        relay.throttled = 2
    tiny.run(clone, "dvc", "pull")
    assert damage.look(clone) == []
    assert (relay.cuts, relay.throttled) == (0, 0)


@pytest.mark.parametrize("how", object_store.FULL)
def test_a_full_store_is_one_sentence_and_takes_the_rest_when_it_has_room(
    how: str, project: Path, clone: Path, relay: Relay, capsys: pytest.CaptureFixture[str]
) -> None:
    there = publishing.place(project, None, "far", "songs")
    relay.full, relay.room = how, 3
    with pytest.raises(UserError) as error:
        publish.run(project, "songs", there, WORDS)
    text = str(error.value)
    assert "\n" not in text and text.startswith("The remote far is full: ")
    assert tried(project, "dvc", "push").returncode == 1
    with pytest.raises(UserError, match="far holds no finished publication"):
        fetch.run(clone, publishing.place(clone, None, "far", "songs"))
    relay.full = None
    publish.run(project, "songs", there, WORDS)
    assert capsys.readouterr().out.rstrip().endswith("; 5 were not there yet.")
    tiny.run(project, "dvc", "push")
    tiny.run(clone, "dvc", "pull")
    assert damage.look(clone, cache=True, remote="far") == []


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["cut", "throttled", "down", "nobody", "no bucket"])
def test_a_store_that_cannot_be_reached_is_one_sentence(
    trouble: str, project: Path, clone: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = publishing.place(project, None, "far", "songs")
    publish.run(project, "songs", there, WORDS)
    if trouble == "cut":
        relay.cut_after, relay.cuts = 20, 1000
    elif trouble == "throttled":
        relay.throttled = 1000
    elif trouble == "down":
        relay.close()
    elif trouble == "nobody":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
    else:
        tiny.edit(clone, ".dvc/config", f"s3://{BUCKET}/", "s3://no-such-bucket/")
    with pytest.raises(UserError) as error:
        fetch.run(clone, publishing.place(clone, None, "far", "songs"))
    text = str(error.value)
    assert "\n" not in text and text.startswith(
        "far " if trouble == "no bucket" else "The remote far"
    )
    if trouble == "no bucket":  # nothing is in it, then
        assert {found.kind for found in damage.look(clone, remote="far")} >= {"missing"}
        return
    with pytest.raises(UserError) as error:
        damage.look(project, remote="far")
    assert "\n" not in str(error.value)
