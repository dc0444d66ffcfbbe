"""A finished study under damage: whatever happens to an artefact's bytes, `verify` names it.

The tests share one copy of the smoke study, and put back what they change.
"""

import itertools
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import smoke
from tests.workflow import damage
from workflow import verify
from workflow.verification import study
from workflow.verification.checks import Checks
from workflow.verification.cures import Cures
from workflow.verification.findings import Finding
from workflow.verification.hashing import Tally, Workspace
from workflow.verification.study import Study

FLIPS = 1000
PAGE = 4096
SMALL = 16_000
SUFFIXES = {".h5", ".safetensors", ".json", ".pdf", ".html"}

Look = Callable[[str], list[Finding]]


@pytest.fixture(scope="module")
def known(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Study:
    copy = smoke.copy(by_dvc, tmp_path_factory.mktemp("damage") / "study")
    # From now on DVC trusts every file that keeps its size and time.
    assert "up to date" in copy.run("dvc", "status", "dvc.yaml").stdout
    return study.read(copy.folder)


@pytest.fixture(scope="module")
def look(known: Study) -> Look:
    """Verify one path, reading its bytes anew."""
    cures = Cures(known, Workspace(known.root, Tally()))

    def check(path: str) -> list[Finding]:
        return list(Checks(known, Workspace(known.root, Tally()), cures).files([path]))

    return check


def whole(known: Study, **options: object) -> list[Finding]:
    return list(verify.check(known.root, verify.Options(**options), Tally()))  # type: ignore[arg-type]


def assert_names(found: list[Finding], known: Study, path: str, kind: str = "damaged") -> None:
    [finding] = found
    assert (finding.kind, finding.subject) == (kind, path)
    assert finding.stage == known.makers[path]
    assert finding.read_by == known.readers.get(path, ())
    assert finding.cure.commands == (f"rm -rf {path}", f"dvc checkout {path}")


def test_nothing_is_found_where_nothing_is_wrong(known: Study) -> None:
    assert whole(known, cache=True) == []


def test_every_one_of_1000_flipped_bits_is_named(known: Study, look: Look) -> None:
    """Size, time and inode stay as they were, so that DVC itself sees nothing."""
    outputs = sorted(known.makers)
    assert {Path(path).suffix for path in outputs} >= SUFFIXES
    choose = random.Random(0)
    for number in range(FLIPS):
        path = outputs[number % len(outputs)]
        file = known.root / path
        before = file.stat()
        bit = choose.randrange(8 * before.st_size)
        flip_bit(file, bit)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert_names(look(path), known, path)
        if number == 0:
            clone = smoke.Clone(known.root, known.root)
            assert "up to date" in clone.run("dvc", "status", "dvc.yaml").stdout
        flip_bit(file, bit)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert whole(known) == []


def flip_bit(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        [value] = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([value ^ 1 << bit % 8]))


def test_a_file_cut_off_at_any_64th_byte_is_named(known: Study, look: Look) -> None:
    small = [path for path in known.makers if (known.root / path).stat().st_size < SMALL]
    assert len(small) > 5
    for path in small:
        file = known.root / path
        content = file.read_bytes()
        for length in range(0, len(content), 64):
            file.write_bytes(content[:length])
            assert_names(look(path), known, path)
        file.write_bytes(content)
        assert look(path) == []


def test_a_page_of_zeros_is_named(known: Study, look: Look) -> None:
    large = [path for path in known.makers if (known.root / path).stat().st_size > 2 * PAGE]
    assert {Path(path).suffix for path in large} >= {".h5", ".safetensors", ".pdf"}
    for path in large:
        file = known.root / path
        content = file.read_bytes()
        start = next(at for at in range(PAGE, len(content), PAGE) if any(content[at : at + PAGE]))
        rest = content[start + PAGE :]
        file.write_bytes(content[:start] + bytes(len(content) - start - len(rest)) + rest)
        assert_names(look(path), known, path)
        file.write_bytes(content)


def test_swapped_artefacts_are_both_named(known: Study, look: Look) -> None:
    for suffix in sorted(SUFFIXES):
        paths = sorted(path for path in known.makers if path.endswith(suffix))
        for first, second in itertools.pairwise(paths):
            swap(known.root / first, known.root / second)
            assert_names(look(first), known, first)
            assert_names(look(second), known, second)
            swap(known.root / first, known.root / second)


def swap(first: Path, second: Path) -> None:
    third = first.with_name("third")
    first.rename(third)
    second.rename(first)
    third.rename(second)


def test_every_missing_file_is_named(known: Study, look: Look) -> None:
    for path in known.makers:
        (known.root / path).rename(known.root / "away")
        assert_names(look(path), known, path, "missing")
        (known.root / "away").rename(known.root / path)


@pytest.mark.slow
def test_every_flipped_read_only_object_of_the_cache_is_named(known: Study) -> None:
    objects = {path: damage.cached(known.root, path) for path in known.makers}
    for path in objects.values():
        assert path.stat().st_mode & 0o777 == 0o444
        damage.flip(path)
    found = whole(known, cache=True)
    assert {finding.place for finding in found} == {"cache"}
    assert {known.root / finding.subject for finding in found} == set(objects.values())
    for path in objects.values():
        damage.flip(path)
    assert whole(known, cache=True) == []


def edited(path: Path, old: str, new: str) -> Callable[[], object]:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return lambda: path.write_text(text)


def test_a_changed_parameter_is_named_with_the_stages_that_read_it(known: Study) -> None:
    undo = edited(known.root / "params.yaml", "seed: 0", "seed: 7")
    [finding] = whole(known)
    undo()
    assert (finding.kind, finding.subject) == ("stale", "params.yaml: seed")
    assert "was 0 when they ran, is 7 now" in finding.problem
    assert {"versions", "collect", "train_prior@top"} <= set(finding.read_by)
    assert {"split", "extract_latents"} <= set(finding.follows)


def test_changed_code_is_named_with_the_stages_that_run_it(known: Study) -> None:
    path = known.root / "foreframe/priors/pixel_snail.py"
    undo = edited(path, "class ", "CHANGED = 1\n\n\nclass ")
    found = whole(known)
    undo()
    assert found[0].subject == "foreframe"
    readers = {stage for finding in found[1:] for stage in finding.read_by}
    assert {"train_prior@top", "sample@driving"} <= readers
    assert readers.isdisjoint({"collect", "split", "train_autoencoder", "extract_latents"})
    assert whole(known) == []


def test_a_reworded_comment_makes_only_the_versions_stale(known: Study) -> None:
    path = known.root / "foreframe/priors/pixel_snail.py"
    undo = edited(path, "class ", "# One more word.\nclass ")
    [finding] = whole(known)
    undo()
    assert (finding.subject, finding.read_by, finding.follows) == ("foreframe", ("versions",), ())
    assert "no other stage is out of date" in finding.problem


def test_a_rebuild_gives_the_same_bytes_and_touches_nothing(known: Study) -> None:
    before = {path: path.stat() for path in known.root.rglob("*") if ".dvc" not in path.parts}
    assert whole(known, rebuild="split") == []
    after = {path: path.stat() for path in known.root.rglob("*") if ".dvc" not in path.parts}
    times = [{path: stat.st_mtime_ns for path, stat in seen.items()} for seen in (before, after)]
    assert times[0] == times[1]


def test_a_rebuild_is_refused_where_an_input_is_damaged(known: Study) -> None:
    damage.flip(known.root / "data/driving/frames.h5")
    found = whole(known, rebuild="split")
    damage.flip(known.root / "data/driving/frames.h5")
    assert [(finding.place, finding.kind) for finding in found] == [
        ("workspace", "damaged"),
        ("rebuild", "stale"),
    ]


def test_a_rebuild_elsewhere_names_what_differs_in_the_environment(known: Study) -> None:
    """The recorded environment is edited, and its digest in dvc.lock with it.

    So the weights, of which nothing is said, are trained anew to the same bytes.
    """
    name = "data/driving/priors/top.json"
    path, lock = known.root / name, known.root / "dvc.lock"
    text = path.read_text()
    facts = re.sub(r'"torch": "[^"]*"', '"torch": "9.9.9"', text)
    path.write_text(facts)
    digest = Workspace(known.root, Tally()).content(name).digest
    undo = edited(lock, known.digest(name), digest)
    lock.write_text(lock.read_text().replace(known.digest(name), digest))
    found = whole(known, rebuild="train_prior@top")
    path.write_text(text)
    undo()
    [finding] = found
    assert (finding.kind, finding.place, finding.subject) == ("differs", "rebuild", name)
    assert "only the environment that it records differs" in finding.problem
    assert re.search(r"torch was '9\.9\.9', is '2\.\S+' here\. Every x86-64 CPU", finding.problem)
    assert whole(known) == []
