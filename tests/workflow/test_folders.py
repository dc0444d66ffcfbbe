"""A study with paths in `vars` and a folder that one stage reads and others write into."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow import damage, engines, poems, tiny
from tests.workflow.poems import BOOK, NEEDED, POEM, RESULTS
from workflow import costs, dag, manifest, verify
from workflow.verification import study
from workflow.verification.findings import Finding
from workflow.verification.hashing import Tally

LONG, SHORT = (f"{RESULTS}/{name}.txt" for name in ("long", "short"))
REPRO = "dvc repro studies/poems/dvc.yaml"


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = poems.make(tmp_path_factory.mktemp("by dvc"))
    with (folder / ".gitignore").open("a") as file:
        file.write("/.dvc/cache\n/.dvc/tmp\n")
    assert engines.repro(folder, "dvc.yaml", "studies/poems/dvc.yaml") > poems.STAGES
    return folder


@pytest.fixture(scope="module")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = poems.make(tmp_path_factory.mktemp("by snakemake"))
    assert engines.announced(folder, "poems") == poems.STAGES | NEEDED
    tiny.run(folder, "snakemake", "--cores", "4", "all", "poems")
    return folder


@pytest.fixture
def done(by_dvc: Path, tmp_path: Path) -> Path:
    return damage.copy(by_dvc, tmp_path / "project", remote=False)


def looked(folder: Path, *targets: str) -> list[Finding]:
    return list(verify.check(folder, verify.Options(targets), Tally()))


def test_a_path_stands_once_and_a_dictionary_becomes_options(by_dvc: Path) -> None:
    stages = {stage.name: stage for stage in dag.declared(by_dvc)}
    assert shlex.split(stages[f"{POEM}write@long"].command) == [
        *("python", "write.py", "--first", "texts/one.txt"),
        *("--others", "texts/two.txt", "data/loud.txt"),
        *("--lines", "3", "--words", "sun", "moon", "--out", LONG),
    ]
    short = stages[f"{POEM}write@short"]
    assert shlex.split(short.command)[-4:] == ["--words", "a star", "--out", SHORT]
    others = ("texts/one.txt", "texts/two.txt", "write.py")
    assert short.declared_deps == ("data/loud.txt", *others)
    assert short.outs == (SHORT,)


def test_a_reader_of_a_folder_waits_for_all_who_write_there(tmp_path: Path) -> None:
    folder = poems.make(tmp_path)
    # One file is there already, and one that nobody writes.
    tiny.write(folder, {LONG: "old", f"{RESULTS}/notes.md": "by hand"})
    book = engines.rules(folder)[f"{POEM}book"]
    assert book.before == {f"{POEM}write@long", f"{POEM}write@short"}
    assert book.inputs == {LONG, SHORT, f"{RESULTS}/notes.md", "bind.py"}


def test_both_engines_end_alike_and_have_nothing_to_do(by_dvc: Path, by_snakemake: Path) -> None:
    for name in ("dvc.lock", "studies/poems/dvc.lock"):
        assert tiny.lock(by_dvc, name) == tiny.lock(by_snakemake, name)
    text = (by_snakemake / BOOK).read_text()
    assert text.startswith("long.txt")
    assert "short.txt" in text
    for folder in (by_dvc, by_snakemake):
        assert engines.announced(folder, "all", "poems") == set()
        assert engines.repro(folder, "dvc.yaml", "studies/poems/dvc.yaml") == set()
        assert damage.look(folder, cache=True) == []


EDITS = {
    "a value of one": ("studies/poems/params.yaml", "lines: 1", "lines: 2", {"write@short"}),
    "a source of all": ("texts/one.txt", "one", "1", {"write@long", "write@short"}),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_change_of_one_file_runs_the_reader_of_the_folder(case: str, done: Path) -> None:
    name, old, new, writers = EDITS[case]
    tiny.edit(done, name, old, new)
    expected = {f"{POEM}{stage}" for stage in {*writers, "book"}}
    announced = engines.announced(done, "poems")
    ran = engines.repro(done, "studies/poems/dvc.yaml")
    assert announced == ran
    assert {stage for stage in ran if stage.startswith(POEM)} == expected


def test_a_rebuild_understands_it(by_dvc: Path) -> None:
    for name in ("write@short", "book"):
        options = verify.Options(rebuild=f"{POEM}{name}")
        assert list(verify.check(by_dvc, options, Tally())) == []


def test_costs_and_the_manifest_understand_it(by_dvc: Path) -> None:
    names = [cost.stage for cost in costs.table(by_dvc)]
    writers = (f"{POEM}write@long", f"{POEM}write@short")
    assert names.index(f"{POEM}book") > max(map(names.index, writers))
    paths = [line.split("  ")[1] for line in manifest.lines(by_dvc)]
    assert {LONG, SHORT, BOOK} < {*paths}


def flip(folder: Path) -> None:
    damage.flip(folder / LONG)


def remove(folder: Path) -> None:
    (folder / SHORT).unlink()


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder / RESULTS)


def add(folder: Path) -> None:
    tiny.write(folder, {f"{RESULTS}/a note.md": "by hand"})


def add_and_flip(folder: Path) -> None:
    add(folder)
    flip(folder)


def write_again(folder: Path) -> None:
    tiny.edit(folder, "studies/poems/params.yaml", "lines: 1", "lines: 2")
    tiny.run(folder, "dvc", "repro", "--single-item", f"{POEM}write@short")


NEW = f"{RESULTS}/a note.md is new, and no stage writes it"
DAMAGES: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    "a bit of an output": (flip, {LONG: "its bytes have the digest"}),
    "an output gone": (remove, {SHORT: "missing"}),
    "the folder gone": (remove_all, {LONG: "missing", SHORT: "missing"}),
    "a file that no stage wrote": (add, {RESULTS: NEW}),
    "a file more and a bit of an output": (
        add_and_flip,
        {LONG: "its bytes have the digest", RESULTS: NEW},
    ),
    "written again since": (write_again, {RESULTS: "changed since; its digest was "}),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damage_in_the_folder_is_named_once_and_its_printed_cure_heals_it(
    case: str, done: Path
) -> None:
    act, expected = DAMAGES[case]
    act(done)
    found = damage.look(done)
    assert [finding.subject for finding in found] == [*expected]
    for finding in found:
        assert finding.problem.startswith(expected[finding.subject])
        assert finding.read_by == (f"{POEM}book",)
    assert {finding.subject for finding in looked(done, f"{POEM}book")} == {*expected}
    damage.heal(done, found, lambda: damage.look(done))
    assert damage.look(done, cache=True) == []


def test_a_file_more_can_be_taken_away_as_printed(done: Path) -> None:
    add(done)
    [finding] = damage.look(done)
    command = finding.cure.note.removeprefix("or undo the change: ")
    assert shlex.split(command) == ["rm", f"{RESULTS}/a note.md"]
    tiny.run(done, *shlex.split(command))
    assert damage.look(done) == []


def test_a_file_that_was_there_from_the_start_is_no_finding_until_it_changes(
    done: Path,
) -> None:
    add(done)
    tiny.run(done, "dvc", "repro", "studies/poems/dvc.yaml")
    flip(done)
    assert [finding.subject for finding in damage.look(done)] == [LONG]
    damage.follow(done, damage.look(done))
    (done / RESULTS / "another.md").write_text("by hand")
    [finding] = damage.look(done)
    assert finding.problem.startswith(f"{RESULTS}/another.md is new")
    (done / RESULTS / "a note.md").write_text("changed")
    [finding] = damage.look(done)
    assert finding.problem.endswith(f"; no stage writes {RESULTS}/a note.md, {RESULTS}/another.md")
    damage.heal(done, [finding], lambda: damage.look(done))


def test_an_output_in_the_folder_names_who_reads_it_through_the_folder(by_dvc: Path) -> None:
    known = study.read(by_dvc)
    assert known.readers[LONG] == (f"{POEM}book",)
    assert f"{POEM}book" in known.following([f"{POEM}write@long"])
    assert known.following(["collect"])[-1] == f"{POEM}book"
