"""Every cure that `foreframe verify` prints works: followed to the letter, it ends in a clean one.

The projects are small; DVC, its cache and its remotes are the real ones.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow import damage, tiny
from workflow.verification.findings import Finding

OUT = "data/all.txt"
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return damage.make(tmp_path_factory.mktemp("verify") / "made")


def flip(path: str) -> Damage:
    return lambda folder: damage.flip(folder / path)


def remove(path: str) -> Damage:
    def act(folder: Path) -> None:
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return act


def flip_cached(folder: Path) -> None:
    damage.flip(damage.cached(folder, OUT))


def remove_cached(folder: Path) -> None:
    damage.cached(folder, OUT).unlink()


def flip_far(folder: Path) -> None:
    damage.flip(damage.stored(folder.with_name("far"), folder, OUT))


def remove_far(folder: Path) -> None:
    damage.stored(folder.with_name("far"), folder, OUT).unlink()


def swap(folder: Path) -> None:
    first, second = folder / "data/loud.txt", folder / "data/quiet.txt"
    first.rename(folder / "data/third")
    second.rename(first)
    (folder / "data/third").rename(second)


def edit(name: str, old: str, new: str) -> Damage:
    return lambda folder: tiny.edit(folder, name, old, new)


def edit_silently(folder: Path) -> None:
    damage.flip(folder / "texts/one.txt")


def cut(*names: str) -> Damage:
    """Cut stages out of dvc.lock."""

    def act(folder: Path) -> None:
        text = (folder / "dvc.lock").read_text()
        head, *parts = text.split("\n  ")
        kept, name = [head], ""
        for part in parts:
            if not part.startswith(" ") and not part.startswith("-"):
                name = part.partition(":")[0]
            if name not in names:
                kept.append(part)
        (folder / "dvc.lock").write_text("\n  ".join(kept).rstrip() + "\n")

    return act


def run_in_between(folder: Path) -> None:
    tiny.edit(folder, "params.yaml", "word: forest", "word: lake")
    tiny.run(folder, "dvc", "repro", "--single-item", "collect")


CASES: dict[str, tuple[list[Damage], set[tuple[str, str, str]]]] = {
    "flipped": ([flip(OUT)], {("damaged", "workspace", OUT)}),
    "missing": ([remove(OUT)], {("missing", "workspace", OUT)}),
    "swapped": (
        [swap],
        {
            ("damaged", "workspace", "data/loud.txt"),
            ("damaged", "workspace", "data/quiet.txt"),
        },
    ),
    "flipped here and in the cache": ([flip(OUT), flip_cached], {("damaged", "workspace", OUT)}),
    "missing here and in the cache": (
        [remove(OUT), remove_cached],
        {("missing", "workspace", OUT)},
    ),
    "code versions flipped": (
        [flip("data/versions.json")],
        {("damaged", "workspace", "data/versions.json")},
    ),
    "a source's bytes changed behind DVC": ([edit_silently], {("stale", "workspace", "texts")}),
    "a source gone": ([remove("texts")], {("missing", "workspace", "texts")}),
    "a parameter": (
        [edit("params.yaml", "word: forest", "word: lake")],
        {
            ("stale", "workspace", "params.yaml: word"),
            ("stale", "workspace", "collect"),  # its command has the value in it
        },
    ),
    "a parameter inside a section": (
        [edit("params.yaml", "times: 2", "times: 3")],
        {
            ("stale", "workspace", "params.yaml: models.loud.times"),
            ("stale", "workspace", "train@loud"),
        },
    ),
    "code": (
        [edit("library/shout.py", "11", "12")],
        {
            ("stale", "workspace", "library"),
            ("stale", "workspace", "data/versions.json: library.shout"),
        },
    ),
    "a comment": (
        [edit("library/shout.py", "11", "11  # as loud as can be")],
        {("stale", "workspace", "library")},
    ),
    "never run": ([cut("report")], {("not made", "workspace", "report")}),
    "no lock": (
        [remove("dvc.lock")],
        {("not made", "workspace", name) for name in tiny.STAGES},
    ),
    "a stage run without those after it": (
        [run_in_between],
        {
            ("stale", "workspace", OUT),
            ("stale", "workspace", "params.yaml: word"),  # the stage `versions` reads them all
        },
    ),
}


# The cures differ between these; the other cases take longer than they tell.
QUICK = {
    "flipped",
    "flipped here and in the cache",
    "a source's bytes changed behind DVC",
    "a source gone",
    "a parameter",
    "a comment",
    "a stage run without those after it",
}


def quick_first(case: str) -> object:
    return case if case in QUICK else pytest.param(case, marks=pytest.mark.slow)


def kinds(found: list[Finding]) -> set[tuple[str, str, str]]:
    return {(finding.kind, finding.place, finding.subject) for finding in found}


@pytest.mark.parametrize("case", [quick_first(case) for case in CASES])
def test_a_damage_is_named_and_its_printed_cure_heals_it(
    case: str, made: Path, tmp_path: Path
) -> None:
    acts, expected = CASES[case]
    folder = damage.copy(made, tmp_path / "project", remote=False)
    assert damage.look(folder, cache=True) == []
    for act in acts:
        act(folder)
    found = damage.look(folder)
    assert kinds(found) == expected
    damage.heal(folder, found, lambda: damage.look(folder))
    assert damage.look(folder, cache=True) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([flip(OUT), flip_cached], {"workspace", "cache"}),
        ([remove(OUT), remove_cached], {"workspace", "cache"}),
        ([flip_cached], {"cache"}),
        ([remove_cached], {"cache"}),
        ([flip_far], {"remote"}),
        ([remove_far], {"remote"}),
        ([flip_far, flip_cached], {"cache", "remote"}),
        ([flip(OUT), flip_cached, flip_far], {"workspace", "cache", "remote"}),
        ([flip(OUT), flip_far], {"workspace", "remote"}),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else None,
)
def test_damaged_copies_are_named_and_their_printed_cures_heal_them(
    acts: list[Damage], expected: set[str], made: Path, tmp_path: Path
) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=True)

    def look() -> list[Finding]:
        return damage.look(folder, cache=True, remote="far")

    assert look() == []
    for act in acts:
        act(folder)
    found = look()
    assert {finding.place for finding in found} == expected
    for finding in found:
        assert OUT in finding.subject or f"the object of {OUT}: " in finding.problem
        assert finding.stage == "collect"
        assert finding.read_by == ("train@loud", "train@quiet")
    damage.heal(folder, found, look)


def test_a_remote_with_an_intact_copy_is_the_cure_where_the_cache_has_none(
    made: Path, tmp_path: Path
) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=True)
    damage.flip(folder / OUT)
    flip_cached(folder)
    [finding] = damage.look(folder)
    assert finding.cure.commands[-1] == f"dvc pull -r far {OUT}"
    assert "dvc repro collect" in finding.cure.note
    damage.follow(folder, [finding])
    assert damage.look(folder, cache=True, remote="far") == []


def test_an_output_that_dvc_keeps_no_copy_of_is_made_again(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    tiny.edit(folder, "dvc.yaml", "- data/report.txt", "- data/report.txt:\n          cache: false")
    tiny.run_by_dvc(folder)
    damage.cached(folder, "data/report.txt").unlink()
    assert damage.look(folder, cache=True) == []
    damage.flip(folder / "data/report.txt")
    [finding] = damage.look(folder, cache=True)
    assert finding.cure.commands == ("rm -rf data/report.txt", "dvc repro report")
    damage.follow(folder, [finding])
    assert damage.look(folder, cache=True) == []


def test_a_frozen_stage_is_said_to_be_frozen(made: Path, tmp_path: Path) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    tiny.edit(folder, "texts/two.txt", "two", "three")
    tiny.edit(folder, "dvc.yaml", "  collect:\n", "  collect:\n    frozen: true\n")
    [finding] = damage.look(folder)
    assert "so DVC does not run: collect" in finding.cure.note
    assert "collect" not in tiny.run_by_dvc(folder)
    tiny.edit(folder, "dvc.yaml", "    frozen: true\n", "")
    damage.heal(folder, [finding], lambda: damage.look(folder))


def test_a_change_that_is_not_wanted_can_be_undone_as_printed(made: Path, tmp_path: Path) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    tiny.edit(folder, "library/shout.py", "11", "12")
    first = damage.look(folder)[0]
    command = first.cure.note.removeprefix("or undo the change: ")
    assert command == "git checkout -- library"
    tiny.run(folder, *command.split())
    assert damage.look(folder) == []


def test_a_reworded_comment_makes_no_stage_stale_but_the_versions(
    made: Path, tmp_path: Path
) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    tiny.edit(folder, "library/shout.py", "11", "11  # as loud as can be")
    [finding] = damage.look(folder)
    assert (finding.read_by, finding.follows) == (("versions",), ())
    assert "no other stage is out of date" in finding.problem


def test_changed_code_names_the_stages_that_run_it(made: Path, tmp_path: Path) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    tiny.edit(folder, "library/shout.py", "11", "12")
    whole, one = damage.look(folder)
    assert "code changed that train@loud run" in whole.problem
    assert (one.read_by, one.follows) == (("train@loud",), ("report",))


def test_code_that_is_no_python_says_so(made: Path, tmp_path: Path) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    tiny.edit(folder, "library/shout.py", "= 11", "= = 11")
    [finding] = damage.look(folder)
    assert "no valid Python (invalid syntax (shout.py, line 1))" in finding.problem.replace(
        "<unknown>", "shout.py"
    )
    assert finding.cure.commands == ()
    assert "mend the code; or undo the change: git checkout -- library" in finding.cure.note


def test_a_stage_that_is_left_over_is_named_with_its_files(made: Path, tmp_path: Path) -> None:
    folder = damage.copy(made, tmp_path / "project", remote=False)
    text = (folder / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(text[: text.index("  report:")])
    [finding] = damage.look(folder)
    assert (finding.kind, finding.subject) == ("left over", "report")
    assert finding.cure.note == (
        "delete the entry of report from dvc.lock, and delete data/report.txt"
    )
    cut("report")(folder)
    (folder / "data/report.txt").unlink()
    assert damage.look(folder) == []
    assert "up to date" in tiny.run(folder, "dvc", "status")
