"""`foreframe verify` over two studies: damage in either is named, and the cure names its study."""

import json
import shutil
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests.workflow import damage, edits, tiny
from workflow import costs, manifest, verify
from workflow.verification import study
from workflow.verification.findings import Finding
from workflow.verification.hashing import Tally

OUT = "data/songs/high.txt"
SONGS = "dvc repro studies/songs/dvc.yaml"
SONG = tiny.SONG


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return damage.make_both(tmp_path_factory.mktemp("studies") / "made")


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    return folder


def looked(folder: Path, *targets: str) -> list[Finding]:
    return list(verify.check(folder, verify.Options(targets), Tally()))


def test_nothing_is_wrong_with_either(made: Path) -> None:
    assert study.read(made).locked.keys() == tiny.STAGES | tiny.SONGS_STAGES
    assert damage.look(made, cache=True) == []


def flip(folder: Path) -> None:
    damage.flip(folder / OUT)


def flip_all_copies(folder: Path) -> None:
    flip(folder)
    damage.flip(damage.cached(folder, OUT))


def change_both(folder: Path) -> None:
    tiny.edit(folder, "params.yaml", "times: 2", "times: 5")


def change_song(folder: Path) -> None:
    tiny.edit(folder, tiny.SONGS_PARAMS, "times: 3", "times: 4")


def change_source(folder: Path) -> None:
    damage.flip(folder / "texts/one.txt")


def run_in_between(folder: Path) -> None:
    tiny.edit(folder, "params.yaml", "word: forest", "word: lake")
    tiny.run(folder, "dvc", "repro", "report")


DAMAGES = {
    "flipped": (flip, {("damaged", OUT)}, {f"dvc checkout {OUT}"}),
    "flipped everywhere": (flip_all_copies, {("damaged", OUT)}, {f"dvc repro {SONG}train@high"}),
    "a parameter of both": (
        change_both,
        {("stale", "params.yaml: models.loud.times"), ("stale", "train@loud")},
        {"dvc repro", SONGS},
    ),
    "a parameter of one": (
        change_song,
        {("stale", f"{tiny.SONGS_PARAMS}: voices.high.changes.times")},
        {SONGS},
    ),
    "a source of both": (change_source, {("stale", "texts")}, {"dvc repro", SONGS}),
    "the main study run alone": (
        run_in_between,
        {("stale", "data/loud.txt"), ("stale", "data/quiet.txt"), ("stale", "params.yaml: word")},
        {SONGS},
    ),
}


QUICK = {"flipped everywhere", "a parameter of both", "a parameter of one"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case not in QUICK)) for case in DAMAGES]
)
def test_a_damage_is_named_and_its_printed_cure_heals_it(
    case: str, made: Path, tmp_path: Path
) -> None:
    act, expected, commands = DAMAGES[case]
    folder = damage.copy(made, tmp_path / "project", remote=False)
    act(folder)
    found = damage.look(folder)
    assert {(finding.kind, finding.subject) for finding in found} == expected
    printed = {command for finding in found for command in finding.cure.commands}
    assert commands <= printed
    assert SONGS in commands or SONGS not in printed
    damage.heal(folder, found, lambda: damage.look(folder))
    assert damage.look(folder, cache=True) == []


def test_targets_name_stages_groups_and_studies(project: Path) -> None:
    for name in ("loud.txt", "songs/high.txt", "songs/low.txt"):
        damage.flip(project / "data" / name)

    def subjects(*targets: str) -> set[str]:
        found = looked(project, *targets)
        return {finding.subject.removeprefix("data/") for finding in found}

    assert subjects("train") == subjects("driving") == subjects("dvc.yaml") == {"loud.txt"}
    assert subjects(f"{SONG}train@low") == {"songs/low.txt"}
    songs = {"songs/high.txt", "songs/low.txt"}
    assert subjects(f"{SONG}train") == songs | {"loud.txt"}
    assert subjects("songs") == subjects("studies/songs/dvc.yaml") == songs | {"loud.txt"}
    with pytest.raises(UserError, match="neither a stage nor a file"):
        subjects("song")


def test_a_study_that_was_never_run_is_said_and_is_no_fault_of_the_other(project: Path) -> None:
    shutil.rmtree(project / "data/songs")
    (project / tiny.SONGS_LOCK).unlink()
    run = damage.cli(project)
    assert run.returncode == 0
    assert f"The study songs has not been run here: {SONGS}\n" in run.stdout
    assert "everything is as dvc.lock says" in run.stdout
    assert json.loads(damage.cli(project, "--json").stdout)["not_run"] == ["songs"]
    for target in ("songs", "studies/songs/dvc.yaml"):
        with pytest.raises(UserError, match=f"The study {target} has not .* Run: {SONGS}$"):
            looked(project, target)
    with pytest.raises(UserError, match=f"Run: dvc repro {SONG}book$"):
        looked(project, f"{SONG}book")
    damage.flip(project / "data/loud.txt")
    assert damage.cli(project).returncode == 3


def test_a_study_whose_lock_came_with_git_is_said_until_one_of_its_files_is_here(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [project / path for path in study.read(project).makers if "songs" in path]
    contents = {path: path.read_bytes() for path in outs}
    for path in outs:
        path.unlink()
    assert verify.run(project, verify.Options(), as_json=False) == 0
    assert f"The study songs has not been run here: {SONGS}\n" in capsys.readouterr().out
    # With one file at hand the others are missing.
    outs[0].write_bytes(contents[outs[0]])
    missing = {found.subject for found in looked(project) if found.kind == "missing"}
    assert missing == {str(path.relative_to(project)) for path in outs[1:]}


def test_a_study_that_was_run_in_part_is_not_made(project: Path) -> None:
    (project / tiny.SONGS_LOCK).unlink()
    tiny.run(project, "dvc", "repro", f"{SONG}voices")
    run = damage.cli(project)
    assert run.returncode == 4
    assert run.stdout.count("NOT MADE") == 3
    assert f"problem  {tiny.SONGS_LOCK} has no entry" in run.stdout
    found = damage.look(project)
    assert {finding.cure.commands for finding in found} == {(SONGS,)}
    damage.heal(project, found, lambda: damage.look(project))


def test_a_stage_that_is_left_over_is_named_with_its_lock(project: Path) -> None:
    text = (project / "studies/songs/dvc.yaml").read_text()
    (project / "studies/songs/dvc.yaml").write_text(text[: text.index("  book:")])
    [finding] = damage.look(project)
    assert (finding.kind, finding.subject) == ("left over", f"{SONG}book")
    expected = f"delete the entry of book from {tiny.SONGS_LOCK}, and delete data/songs/book.txt"
    assert finding.cure.note == expected


def test_a_rebuild_runs_a_stage_of_either(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = verify.Options(rebuild=f"{SONG}train@high")
    tiny.edit(project, "sing.py", "+ text)", '+ text + os.environ.get("MACHINE", ""))')
    tiny.edit(project, "sing.py", "import json", "import json, os")
    monkeypatch.setenv("MACHINE", "another")
    tiny.run(project, "dvc", "repro", "studies/songs/dvc.yaml")
    assert list(verify.check(project, options, Tally())) == []
    monkeypatch.delenv("MACHINE")
    [finding] = verify.check(project, options, Tally())
    assert (finding.place, finding.subject) == ("rebuild", OUT)
    assert finding.cure.commands == (f"dvc repro --force {SONG}train@high", SONGS)


def test_the_manifest_holds_both(project: Path) -> None:
    paths = {line.split("  ")[1] for line in manifest.lines(project)}
    assert paths == {
        out["path"]
        for name in edits.LOCKS
        for stage in tiny.lock(project, name).values()
        for out in stage["outs"]
    }


def test_costs_are_told_apart_by_study(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs.run(project, as_json=False)
    first, second = capsys.readouterr().out.split("\n\nstudies/songs/dvc.yaml:\n")
    for text, count in ((first, 5), (second, 3)):
        names = [line.split()[0] for line in text.splitlines()[1:-2]]
        assert len(names) == count + (text is second)
        assert "train@loud" in first
        assert "train@high" in second
    costs.run(project, as_json=True)
    rows = json.loads(capsys.readouterr().out)["stages"]
    assert {row["stage"] for row in rows} == tiny.STAGES | tiny.SONGS_STAGES
    shutil.rmtree(project / "data/songs")
    costs.run(project, as_json=False)
    assert f"The study songs has not been run here: {SONGS}\n" in capsys.readouterr().out
