"""What tests share: one smoke pipeline by each engine, run once however many processes test."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests import smoke
from tests.needs import has_program


@pytest.fixture(scope="session")
def by_dvc(tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """The smoke study, run by `dvc repro` with a record of the files its stages open."""

    def run(clone: smoke.Clone) -> None:
        if has_program("strace"):
            smoke.trace(clone)
        clone.run("dvc", "repro", "--quiet")

    return _once(tmp_path_factory, "dvc", run)


@pytest.fixture(scope="session")
def by_snakemake(tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """The smoke study in another folder, run by `snakemake --cores 2`."""
    return _once(
        tmp_path_factory, "snakemake", lambda clone: clone.run("snakemake", "--cores", "2")
    )


def _once(
    factory: pytest.TempPathFactory, name: str, run: Callable[[smoke.Clone], object]
) -> smoke.Clone:
    """Make a clone and run it in the first process that asks; the others wait for it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The parent of a worker's folder is shared by the workers of one run.
        root = root.parent
    folder = root / f"study by {name}"
    ready = root / f"{name}.ready"
    with FileLock(root / f"{name}.lock"):
        if not ready.exists():
            run(smoke.clone(folder))
            ready.touch()
    return smoke.Clone(folder, Path(f"{folder}.home"))
