"""`foreframe verify`: what it reads is what DVC means, and it sees what DVC does not."""

import functools
import http.server
import json
import shutil
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests.workflow import damage, engines, tiny
from workflow import dag, verify
from workflow.verification import findings, study
from workflow.verification.hashing import Tally, Workspace

OUT = "data/all.txt"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return damage.make(tmp_path_factory.mktemp("verify") / "made")


MORE = """\
  each:
    matrix:
      size: [1, 2.5, true]
      from: [loud, quiet]
    wdir: work
    cmd:
      - python ../join.py ../data/${key} ${item.size}
      - python ../join.py ../data/${key} ${item.size} ../data/loud.txt
    deps:
      - ../join.py
      - ../data/loud.txt
    params:
      - ../words.json:
          - a.b
    metrics:
      - ../data/${key}:
          cache: false
"""


def test_a_matrix_several_commands_and_another_folder_are_understood(
    made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    with (folder / "dvc.yaml").open("a") as file:
        file.write(MORE)
    (folder / "work").mkdir()
    (folder / "words.json").write_text('{"a": {"b": 1}}')
    tiny.run_by_dvc(folder)
    known = study.read(folder)
    names = [name for name in known.locked if name.startswith("each")]
    assert len(names) == 6
    assert known.declared[names[0]].uncached == set(known.declared[names[0]].outs)
    assert "data/loud.txt" in known.locked[names[0]].deps
    rebuild = verify.Options(rebuild=names[0])
    assert damage.look(folder, cache=True) == list(verify.check(folder, rebuild, Tally())) == []
    damage.flip(folder / "data/1-loud")
    (folder / "words.json").write_text('{"a": {"b": 2}}')
    first, second = damage.look(folder)
    assert (first.subject, second.subject) == ("data/1-loud", "words.json: a.b")
    assert second.read_by == tuple(names)
    damage.heal(folder, [first, second], lambda: damage.look(folder))


IGNORED = "__pycache__\n*.py[cod]\n!kept.pyc\n/top.txt\nfolder/\n# remark\n\ndeep/*/x.txt\n"
NAMES = [
    "a.py", "__pycache__/a.pyc", "kept.pyc", "b.pyc", "top.txt", "sub/top.txt", "folder/in.txt",
    "sub/folder", "deep/one/x.txt", "deep/one/two/x.txt", "ä ö.txt", ".hidden", "sub/.git/config",
]  # fmt: skip


def test_a_folder_has_the_digest_that_dvc_gives_it(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    (folder / ".dvcignore").write_text(IGNORED.replace("/top.txt", "/texts/top.txt"))
    for name in NAMES:
        path = folder / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "texts/link.txt").symlink_to("one.txt")
    (folder / "texts/linked").symlink_to("sub")
    tiny.edit(folder, "dvc.yaml", "${word} texts/", "${word}")
    tiny.run(folder, "dvc", "repro", "collect")
    known, workspace = study.read(folder), Workspace(folder, Tally())
    assert workspace.content("texts").digest == known.locked["collect"].deps["texts"]
    files = {path.relative_to(folder / "texts") for path in workspace.files(folder / "texts")}
    assert Path("kept.pyc") in files
    assert Path("b.pyc") not in files


def test_what_dvc_alone_does_not_notice(made: Path, tmp_path: Path) -> None:
    """The table in docs/verify.md."""
    folder = damage.copy(made, tmp_path / "project", remote=True)
    clean = (folder / OUT).read_bytes()

    damage.flip(folder / OUT)
    assert "up to date" in tiny.run(folder, "dvc", "status")
    assert [finding.subject for finding in damage.look(folder)] == [OUT]

    (folder / OUT).unlink()
    damage.flip(damage.cached(folder, OUT))
    tiny.run(folder, "dvc", "checkout", OUT)
    assert (folder / OUT).read_bytes() != clean
    assert "up to date" in tiny.run(folder, "dvc", "status")
    assert {finding.place for finding in damage.look(folder, cache=True)} == {"workspace", "cache"}

    (folder / OUT).unlink()
    damage.cached(folder, OUT).unlink()
    damage.flip(damage.stored(folder.with_name("far"), folder, OUT))
    tiny.run(folder, "dvc", "pull", "-r", "far", OUT)
    assert (folder / OUT).read_bytes() != clean
    assert "up to date" in tiny.run(folder, "dvc", "status")
    places = {finding.place for finding in damage.look(folder, cache=True, remote="far")}
    assert places == {"workspace", "cache", "remote"}


def test_a_source_that_kept_its_size_and_time_is_run_again_only_after_the_printed_touch(
    made: Path, tmp_path: Path
) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    damage.flip(folder / "texts/one.txt")
    assert tiny.run_by_dvc(folder) == set()
    [finding] = damage.look(folder)
    assert (finding.kind, finding.subject) == ("stale", "texts")
    damage.follow(folder, [finding])
    assert damage.look(folder) == []


def test_the_cache_is_where_dvc_is_told_to_keep_it(made: Path, tmp_path: Path) -> None:
    folder, store = tmp_path / "project", tmp_path / "store"
    shutil.copytree(made, folder, symlinks=True)
    tiny.run(folder, "dvc", "cache", "dir", "--local", str(store))
    (folder / ".dvc/cache").rename(store)
    assert damage.look(folder, cache=True) == []
    damage.flip(damage.stored(store, folder, OUT))
    [finding] = damage.look(folder, cache=True)
    assert finding.subject == str(damage.stored(store, folder, OUT))
    damage.follow(folder, [finding])
    assert damage.look(folder, cache=True) == []


@pytest.fixture
def web(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A project whose remote `web` is behind HTTP."""
    folder = damage.copy(made, tmp_path / "project", remote=True)
    serve = functools.partial(Silent, directory=str(tmp_path / "far"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        tiny.run(folder, "dvc", "remote", "add", "web", address)
        yield folder
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_remote_behind_a_network_is_read_through_dvc(web: Path) -> None:
    assert damage.look(web, remote="web") == []
    damage.flip(damage.stored(web.with_name("far"), web, OUT))
    damage.stored(web.with_name("far"), web, "data/loud.txt").unlink()
    first, second = damage.look(web, remote="web")
    assert (first.kind, first.place, first.stage) == ("damaged", "remote", "collect")
    assert first.cure.note.startswith("first delete http://127.0.0.1")
    assert (second.kind, second.stage) == ("missing", "train@loud")


def test_a_broken_dvc_is_named_with_its_cure(made: Path, tmp_path: Path) -> None:
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc/__init__.py").write_text("raise ImportError('dvc is broken')")
    run = damage.started(made, str(tmp_path))
    message = "error: the environment is not whole (dvc is broken). Run: make setup\n"
    assert (run.returncode, run.stderr) == (1, message)


def test_dvcs_database_is_not_even_opened(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    with engines.opening(folder) as repo:
        database = Path(repo.site_cache_dir) / "hashes/local/cache.db"
    database.write_bytes(b"no database")
    with pytest.raises(sqlite3.DatabaseError):
        dag.read(folder)
    assert damage.look(folder, cache=True) == []


DEFINITIONS = {
    "missing": (None, r"/dvc\.yaml' does not exist\. .* restore it"),
    "a folder as output": (
        "stages: {a: {cmd: 'mkdir b', outs: [b/]}}",
        r"dvc\.yaml: the stage a writes the folder b/; let it write single files",
    ),
    "empty": ("", r"dvc\.yaml defines no stages\. Restore it"),
    "torn": ("stages:\n  a: [", r"/dvc\.yaml'.* line \d.* Correct the file, or restore it"),
    "a key that is not there": (
        "stages: {a: {cmd: 'echo ${word.x}', outs: [b]}}",
        r"'stages\.a\.cmd' in '.*/dvc\.yaml': .* 'word\.x'\. Correct",
    ),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_a_damaged_definition_is_refused_with_a_cure(case: str, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    text, message = DEFINITIONS[case]
    (folder / "dvc.yaml").unlink()
    if text is not None:
        (folder / "dvc.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        damage.look(folder)


def test_exit_codes_and_json(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    assert damage.cli(folder).returncode == 0
    assert damage.cli(folder, "--wrong").returncode == 2
    tiny.edit(folder, "params.yaml", "word: forest", "word: lake")
    run = damage.cli(folder, "--json")
    assert run.returncode == 4
    damage.flip(folder / OUT)
    run = damage.cli(folder, "--json")
    assert run.returncode == 3
    result = json.loads(run.stdout)
    assert (result["schema"], result["version"], result["exit_code"]) == ("foreframe/verify", 1, 3)
    assert result["bytes"] > 0
    assert result["findings"][0] == {
        "kind": "damaged",
        "place": "workspace",
        "subject": OUT,
        "problem": result["findings"][0]["problem"],
        "stage": "collect",
        "read_by": ["train@loud", "train@quiet"],
        "follows": ["report"],
        "commands": [f"rm -rf {OUT}", f"dvc checkout {OUT}"],
        "note": "",
    }
    assert study.read(made).digest(OUT) in result["findings"][0]["problem"]
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: [")
    run = damage.cli(folder)
    assert (run.returncode, run.stderr.startswith("error: dvc.lock is damaged")) == (1, True)


def test_targets_are_stages_groups_and_paths(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    for name in ("all", "loud", "quiet"):
        damage.flip(folder / f"data/{name}.txt")

    def subjects(*targets: str) -> set[str]:
        options = verify.Options([str(target) for target in targets])
        return {finding.subject for finding in verify.check(folder, options, Tally())}

    assert subjects("collect") == {"data/all.txt"}
    assert subjects("train@loud") == {"data/all.txt", "data/loud.txt"}
    assert subjects("train") == {"data/all.txt", "data/loud.txt", "data/quiet.txt"}
    assert subjects(str(folder / "data/loud.txt")) == {"data/loud.txt"}
    assert subjects("versions") == set()
    tiny.edit(folder, "texts/two.txt", "two", "three")
    assert subjects(str(folder / "texts/two.txt")) == {"texts"}
    tiny.edit(folder, "params.yaml", "word: forest", "word: lake")
    assert subjects(str(folder / "params.yaml")) == {"params.yaml: word"}
    assert subjects(str(folder / "data/versions.json")) == set()
    with pytest.raises(UserError, match=r"Did you mean train@loud\?"):
        subjects("train@lou")


LOCKS = {
    "no stages": "schema: '2.0'\n",
    "another schema": "schema: '3.0'\nstages: {}\n",
    "a list": "- 1\n",
    "no digest": "schema: '2.0'\nstages:\n  collect:\n    cmd: x\n    outs: [{path: a}]\n",
    "no hexadecimal digest": "schema: '2.0'\nstages: {collect: {cmd: x, outs: "
    "[{path: a, hash: md5, md5: 'zz'}]}}\n",
    "no mapping": "schema: '2.0'\nstages: {collect: 3}\n",
    "a folder as output": "schema: '2.0'\nstages: {collect: {cmd: x, outs: "
    "[{path: a, hash: md5, md5: 'd41d8cd98f00b204e9800998ecf8427e.dir'}]}}\n",
    "merge conflict": "schema: '2.0'\n<<<<<<< ours\nstages: {}\n=======\n",
}


@pytest.mark.parametrize("case", LOCKS)
def test_a_damaged_lock_is_refused_with_a_cure(case: str, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    (folder / "dvc.lock").write_text(LOCKS[case])
    with pytest.raises(UserError, match=r"dvc\.lock"):
        damage.look(folder)


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        content = Workspace(tmp_path, Tally()).content("large")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert content.digest == "7f614da9329cd3aebf59b91aadc30bf0"
    assert peak < 8 << 20


def test_a_file_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    content = Workspace(tmp_path, Tally()).content("loop")
    assert content.digest == ""
    assert content.problem.startswith("cannot be read")


def test_every_kind_has_an_exit_code_and_a_place_in_the_order_of_gravity() -> None:
    assert set(findings.CODES.values()) | {0} == set(findings.GRAVITY)
