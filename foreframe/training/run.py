"""What every training stage does around its network: environment, checkpoints, fit and record."""

import contextlib
import hashlib
import importlib.metadata
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from foreframe.config.compute import Compute
from foreframe.config.training import Phase, Plan
from foreframe.errors import UserError
from foreframe.networks.recomputed import recomputing
from foreframe.running import compute as computing
from foreframe.running import memory
from foreframe.running.crew import joined, own_gpu
from foreframe.running.processes import wanted
from foreframe.training import record
from foreframe.training.checkpoints import checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Objective
from foreframe.training.optimization import count_parameters
from foreframe.training.result import Result
from foreframe.training.samples import Batch, Samples
from foreframe.training.step import Run


@dataclass(frozen=True)
class Origin:
    """All that a training depends on besides its seed and environment, for its checkpoints.

    inputs: files; settings: JSON values; code: modules, besides those that they import.
    """

    inputs: Sequence[Path]
    settings: Mapping[str, object]
    code: Sequence[str]


def train(
    objective: Objective[Batch],
    data: Callable[[Phase], Samples[Batch]],
    validation: Callable[[Phase], Samples[Batch]] | None,
    plan: Plan,
    *,
    purpose: str,
    origin: Origin,
    seed: int,
    compute: Compute,
    device: torch.device,
    out: Path,
    finish: Callable[[Result], dict[str, Any]],
) -> None:
    """Fit an objective on `device`, which `compute` is prepared for, and write its record to `out`.

    For `data` and `validation` see `fit`. The model ends with its averaged weights where the plan
    has some averaged. `finish` saves the weights, and returns what the record holds besides the
    training.
    """
    environment = computing.environment(device, compute)
    settings = {**origin.settings, "seed": seed, **environment}
    kept = checkpoints(purpose.replace(" ", "-"), origin.inputs, settings, origin.code)
    check_crew(plan, purpose)
    device = own_gpu(device)
    with joined(device) as crew:
        crew.require_equal({"code, input or settings": kept.folder.name, "packages": packages()})
        # The first process writes for all.
        with kept if crew.rank == 0 else contextlib.nullcontext():
            run = Run(seed, purpose, compute, device, kept, crew)
            with recomputing(asked=memory.recomputes()):
                result = fit(objective, data, validation, plan, run)
            for module, average in zip(objective.averaged, result.averaged, strict=False):
                module.load_state_dict(average.state_dict())
            if crew.rank == 0:
                parameters = count_parameters(objective.model)
                record.write(out, result, parameters, environment, finish(result))


def check_crew(plan: Plan, purpose: str) -> None:
    """Refuse more processes than there are shards of a batch.

    Raises:
        UserError: there are more.
    """
    if wanted() > plan.shards:
        raise UserError(
            f"{purpose}: there are {wanted()} processes, but a batch has {plan.shards} shards. "
            f"Start {plan.shards} at most, or give `shards` a larger number, which is another run."
        )


def packages() -> str:
    """Return a digest of the names and versions of all installed packages, and of Python's."""
    found = {(each.name, each.version) for each in importlib.metadata.distributions()}
    text = repr((sys.version_info[:3], sorted(found)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
