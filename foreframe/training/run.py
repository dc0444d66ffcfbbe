"""What every training stage does around its network: environment, checkpoints, fit and record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from foreframe.config.compute import Compute
from foreframe.config.training import Phase, Plan
from foreframe.running import compute as computing
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
    name = purpose.replace(" ", "-")
    with checkpoints(name, origin.inputs, settings, origin.code) as kept:
        run = Run(seed, purpose, compute, device, kept)
        result = fit(objective, data, validation, plan, run)
        for module, average in zip(objective.averaged, result.averaged, strict=False):
            module.load_state_dict(average.state_dict())
        parameters = count_parameters(objective.model)
        record.write(out, result, parameters, environment, finish(result))
