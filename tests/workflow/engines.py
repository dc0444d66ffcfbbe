"""Both engines inside this process, for tests that ask them hundreds of times.

The functions that their command lines call are called here; start-up is all that is saved.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from dvc.repo import Repo
from snakemake import cli
from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

from tests.smoke import PROGRAMS
from workflow import dag, studies


@dataclass(frozen=True)
class Rule:
    """What Snakemake made of a stage; `before` names the stages that it waits for."""

    inputs: frozenset[str]
    outputs: frozenset[str]
    command: str
    threads: int
    resources: frozenset[tuple[str, int | str]]
    before: frozenset[str]


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a project's folder, with the programs of this environment first in PATH."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, {"PATH": path}),
        # The Snakefile puts its folder there.
        mock.patch.object(sys, "path", [*sys.path]),
    ):
        yield


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[Repo]:
    """Open a project in DVC, in its folder."""
    with inside(folder), Repo() as repo:
        yield repo


def dry_run(folder: Path, *targets: str) -> str:
    """Return what `snakemake -n` prints; it must succeed.

    A real run would be taken for one that is still at work, for it lasts until its process ends.
    """
    text = io.StringIO()
    code: object = None
    with inside(folder), contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            cli.main(["-n", *targets])
        except SystemExit as end:
            code = end.code
    assert code == 0, text.getvalue()
    return text.getvalue()


def announced(folder: Path, *targets: str) -> set[str]:
    """Return the names of the stages that `snakemake -n` lists, for the main study by default."""
    jobs = {job.identifier: job.stages for job in dag.jobs(dag.read(folder))}
    rules = re.findall(r"^(?:local)?rule (\w+):", dry_run(folder, *targets), re.M)
    found = [jobs[rule] for rule in rules if rule not in ("all", *targets)]
    # Of the stages of one job DVC runs those that differ.
    return {stage.name for each in found for stage in each if len(each) == 1 or stage.due}


def rules(folder: Path) -> dict[str, Rule]:
    """Return the jobs of the whole of Snakemake's graph, by the stage that each of them runs."""
    quiet = OutputSettings(quiet={Quietness.ALL})
    with inside(folder), contextlib.redirect_stdout(io.StringIO()), SnakemakeApi(quiet) as api:
        flow = api.workflow(ResourceSettings(cores=1000), snakefile=folder / "Snakefile")
        targets = {"all", *(place.name for place in studies.places(folder)[1:])}
        flow.dag(DAGSettings(targets=targets)).printd3dag()
        graph = flow._workflow.dag
        jobs = {job: job.params.stages for job in graph.jobs if job.rule.name not in targets}
        return {
            name: Rule(
                inputs=frozenset(map(str, job.input)),
                outputs=frozenset(map(str, job.output)),
                command=job.params.command[0],
                threads=job.threads,
                resources=frozenset(
                    (key, amount) for key, amount in job.resources.items() if key in RESOURCES
                ),
                before=frozenset(name for other in graph.dependencies[job] for name in jobs[other]),
            )
            for job, names in jobs.items()
            for name in names
        }


# Snakemake has some of its own for every job.
RESOURCES = {"gpu", "memory_gb"}


def repro(folder: Path, *targets: str) -> set[str]:
    """Run `dvc repro` and return the names of the stages it ran or fetched from its run cache."""
    with opening(folder) as repo:
        done = repo.reproduce(list(targets) or None)
        return {stage.addressing for stage in done}


def status(folder: Path) -> set[str]:
    """Return the names of the stages in `dvc status`."""
    with opening(folder) as repo:
        return set(repo.status())


def expected(folder: Path) -> set[str]:
    """Return the names of the stages that DVC finds changed, and all that may change with them.

    A code version is a parameter. Which of them have changed is known once `versions` has run, so
    it is run; that it ran makes no other stage change.
    """
    found = repro(folder, "versions")
    changed = status(folder)
    found |= changed
    waiting = [*(changed - {"versions"})]
    with opening(folder) as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        while waiting:
            # DVC's graph points from a stage to those it waits for.
            readers = repo.index.graph.predecessors(stages[waiting.pop()])
            new = {stage.addressing for stage in readers}
            waiting += new - found
            found |= new
    return found
