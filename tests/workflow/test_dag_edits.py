"""After any edits of a finished project both engines want the same, and end with the same bytes."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from tests.workflow import edits, engines, tiny


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edits.finish(tmp_path_factory.mktemp("finished"))


@pytest.mark.parametrize(
    ("start", "count"),
    [(1, 2), *(pytest.param(start, 25, marks=pytest.mark.slow) for start in (2, 3, 4, 5))],
)
def test_engines_agree_after_random_edits(start: int, count: int, finished: Path) -> None:
    """One to three edits each, so about twice as many edits as `count`."""

    @seed(start)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate])
    @given(st.lists(st.sampled_from(sorted(edits.EDITS)), min_size=1, max_size=3))
    def law(names: list[str]) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            check(names, finished, Path(scratch))

    law()


def check(names: Sequence[str], finished: Path, scratch: Path) -> None:
    first, second = scratch / "first", scratch / "second"
    for folder in (first, second):
        shutil.copytree(finished, folder, symlinks=True)
        for name in names:
            edits.EDITS[name](folder)
    announced = engines.announced(first, *edits.BY_SNAKEMAKE)
    assert engines.announced(second, *edits.BY_SNAKEMAKE) == announced
    tiny.run(second, "snakemake", "--cores", "2", *edits.BY_SNAKEMAKE)
    assert announced == engines.expected(first)
    # DVC runs what was announced, but for stages whose input turned out to be the same again.
    assert engines.repro(first, *edits.BY_DVC) <= announced
    same_end(first, second)


def same_end(first: Path, second: Path) -> None:
    """Both projects have equal locks and bytes, and neither engine has anything to do."""
    for name in edits.LOCKS:
        assert tiny.lock(first, name) == tiny.lock(second, name)
    for path in sorted((first / "data").rglob("*.*")):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name
    for folder in (first, second):
        assert engines.announced(folder, *edits.BY_SNAKEMAKE) == set()
        assert engines.status(folder) == set()
