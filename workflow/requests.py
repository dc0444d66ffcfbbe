"""`foreframe costs --profile FOLDER`: the memory and the time that jobs ask a cluster for.

They come from what the stages took in this folder, and are written as a profile that Snakemake
reads beside the cluster's. A stage that has not run here, or ran with other parameters or data, is
left out: `meta` in dvc.yaml or the cluster's own profile says what its job asks for.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foreframe.artefacts import atomic, log
from foreframe.errors import UserError
from foreframe.running import spending
from workflow import costs, dag, studies
from workflow.parameters import VERSIONS

FILE = "profile.yaml"
HEAD = """\
# Written by `foreframe costs --profile`: {margin} times what each job's stages took here, and with
# each further attempt as much again. Beside it: --workflow-profile profiles/slurm
set-resources:
"""

# Of what was measured: other nodes are slower, and pages of files count as memory on some.
MARGIN = 2
LEAST_MEGABYTES, LEAST_MINUTES = 1000, 10


def run(root: Path, study: str | None, folder: Path) -> int:
    """Write the profile into a folder and say how many jobs it is about.

    Raises:
        UserError: there is no such study, or none of its stages was measured.
    """
    place = None if study is None else studies.named(root, study)
    stages = dag.read(root)
    wanted = [stage for stage in stages if place is None or stage.study == place.name]
    jobs = dag.jobs(wanted)
    found = dict(asked(jobs, as_measured(stages), log.read(root / spending.LOG)))
    if not found:
        raise UserError(
            f"{spending.LOG} tells of no stage that is as it was measured. Run the study once, or "
            "do without: the cluster's profile holds for all jobs then."
        )
    lines = [
        f"  {name}:\n    mem_mb: {megabytes} * attempt\n    runtime: {minutes} * attempt\n"
        for name, (megabytes, minutes) in found.items()
    ]
    atomic.write_text(folder / FILE, HEAD.format(margin=MARGIN) + "".join(lines))
    print(f"{folder / FILE}: memory and time of {len(found)} of {len(jobs)} jobs.")
    return 0


def asked(
    jobs: Sequence[dag.Job], measured: frozenset[str], events: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the name, megabytes and minutes of each job all of whose stages were measured."""
    for job in jobs:
        memory, seconds = 0, 0.0
        for stage in job.stages:
            last, took = costs.spent(events, stage.command)
            if took is None or stage.name not in measured:
                break
            memory, seconds = max(memory, int(last["memory"])), seconds + took
        else:
            megabytes = max(LEAST_MEGABYTES, math.ceil(MARGIN * memory / 1e6))
            minutes = max(LEAST_MINUTES, math.ceil(MARGIN * seconds / 60))
            yield job.identifier, (megabytes, minutes)


def as_measured(stages: Sequence[dag.Stage]) -> frozenset[str]:
    """Return the stages that differ from their last run in their code alone, and all they read."""
    makers = {path: stage for stage in stages for path in stage.outs}
    known: dict[str, bool] = {}
    for stage in costs.ordered(stages):
        before = {makers[path].name for path in stage.deps if path in makers}
        own = not any(_counts(change, makers) for change in stage.changes)
        known[stage.name] = own and all(known[name] for name in before)
    return frozenset(name for name, same in known.items() if same)


def _counts(change: str, makers: Mapping[str, dag.Stage]) -> bool:
    """Tell whether a change may make a stage take more or less than it did."""
    file, _, key = change.partition(":")
    maker = makers.get(file)
    if maker is not None:
        # Of what another stage writes, that stage is asked; of its parameters, code does not count.
        return bool(key) and maker.name != VERSIONS and not key.startswith("code.")
    return not any(path.startswith(f"{file}/") for path in makers)
