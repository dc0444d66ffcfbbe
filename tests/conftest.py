"""What tests share: one smoke pipeline by each engine, run once however many processes test."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from tests import smoke
from tests.needs import has_program

# `make test` tries the same examples each time; `make test-all` looks for others.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

STUDIES = ("by_dvc", "by_snakemake", "replicated")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Tests that share what they made go to one process: those of a file, and those of the study.

    Else every process makes it anew, or waits while another one does. The marks that xdist has for
    this are without effect under pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _scope(nodeid.partition("::")[0])

    return Scheduling(config, log)


@functools.cache
def _scope(file: str) -> str:
    text = (smoke.ROOT / file).read_text(encoding="utf-8")
    uses_study = "smoke.Clone" in text and any(name in text for name in STUDIES)
    uses_study = uses_study or "page: Page" in text
    return "study" if uses_study else file


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


@pytest.fixture(scope="session")
def replicated(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """A copy of the smoke study in which the thesis study has run as well."""
    root = _shared(tmp_path_factory)
    clone = smoke.Clone(root / "driving_thesis", root / "driving_thesis.home")
    with FileLock(root / "driving_thesis.lock"):
        if not (root / "driving_thesis.ready").exists():
            clone = smoke.copy(by_dvc, clone.folder)
            clone.run("snakemake", "--cores", "2", "driving_thesis")
            (root / "driving_thesis.ready").touch()
    return clone


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of one test run share."""
    root = factory.getbasetemp()
    # The parent of a worker's folder is shared by the workers of one run.
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


def _once(
    factory: pytest.TempPathFactory, name: str, run: Callable[[smoke.Clone], object]
) -> smoke.Clone:
    """Make a clone and run it in the first process that asks; the others wait for it."""
    root = _shared(factory)
    folder = root / f"study by {name}"
    ready = root / f"{name}.ready"
    with FileLock(root / f"{name}.lock"):
        if not ready.exists():
            run(smoke.clone(folder))
            ready.touch()
    return smoke.Clone(folder, Path(f"{folder}.home"))


# Each page with the fixture that has made it; that of the thesis study takes minutes. A further
# study's page is one more line.
PAGES = (
    ("by_dvc", "reports/driving/report.html"),
    ("by_dvc", "reports/driving/data.html"),
    pytest.param(("replicated", "reports/driving_thesis/report.html"), marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser for the tests of a file."""
    from tests import browser

    result = browser.start(tmp_path_factory.mktemp("browser"))
    yield result
    result.quit()


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, browser: Any) -> Any:
    """Each page of the finished studies, opened."""
    from tests.browser import opened

    fixture, path = request.param
    clone: smoke.Clone = request.getfixturevalue(fixture)
    return opened(browser, (clone.folder / path).as_uri())
