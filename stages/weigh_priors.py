"""Stage weigh_priors: what a pair of priors takes in operations, to be trained and to draw.

Coppock (2020, 4.6 and 4.7) gives days: eight of each level for the pair that goes code by code, two
for the growing GAN. Days are a machine's; operations are the same everywhere, so they are counted,
without computing anything: those of a training by its phases, and those of one drawing, with how
many of its steps depend on one another. A multiply-add is two operations; the few that are no
product of matrices or convolution are not counted.

Shapes: B samples of a batch.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe import analyses, priors
from foreframe.artefacts import facts
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.priors import AutoregressivePrior, ImplicitPrior, Prior
from foreframe.priors.engines.operations import sampling_operations
from foreframe.priors.progressive_gan import ProgressiveGan
from foreframe.randomness import Draws, generator
from foreframe.running import stage
from foreframe.training import record
from foreframe.training.objective import Moment
from foreframe.training.record import Training


@dataclass(frozen=True)
class Stretch:
    """What a training took in one phase; `samples` are those of all turns of its steps."""

    phase: int  # from 0
    steps: int
    samples: int


class _Everywhere:
    """Stands in for what tells modules apart: its hooks refuse gradients by a single tensor."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *error: object) -> None:
        """Do nothing."""


def counting() -> FlopCounterMode:
    """Return a counter of the operations of all that is done in its block, gradients too."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _Everywhere()  # type: ignore[assignment]
    return counter


def stretches(plan: Plan, found: Training) -> Iterator[Stretch]:
    """Yield what was taken of each phase that a training came to, which may have ended early.

    Raises:
        UserError: a phase that is counted in epochs is followed by another.
    """
    last = (int(found.facts["steps"]), int(found.facts["samples"]))
    ends = dict(zip(found.epochs["step"], found.epochs["samples"], strict=True))
    step = samples = 0
    for phase, each in enumerate(plan.phases):
        if each.steps is None and phase < len(plan.phases) - 1:
            raise UserError(
                f"phase {phase + 1} of a prior's training is {each.epochs} epochs long and not its "
                "last: where it ended is not known. Give its length in steps."
            )
        end = last[0] if each.steps is None else min(step + each.steps, last[0])
        seen = last[1] if end == last[0] else int(ends[end])
        if end > step:
            yield Stretch(phase, end - step, seen - samples)
        step, samples = end, seen


def step_operations(prior: Prior, phase: int, begun: bool) -> int:
    """Return what the turns of one step take, with full batches, at the begin or end of a phase.

    Of each turn those are the forward pass of the loss and the gradients of who moves.
    """
    plan = prior.settings.training.plan()
    size = plan.phases[phase].batch_size
    steps = plan.phases[phase].steps or 1
    with torch.device("meta"):
        objective = priors.ROLE.build(prior.settings, prior.given).objective()
        shapes = {prior.settings.level: prior.codes, **prior.conditions}
        batch = {
            level: torch.zeros((size, *codes.grid), dtype=torch.int64)
            for level, codes in shapes.items()
        }
    objective.model.train()
    objective.enter(phase)
    place = 0 if begun else steps
    moment = Moment(
        step=place,
        steps=steps,
        phase=phase,
        phase_step=place,
        phase_steps=steps,
        numbers=generator(0, "weigh_priors"),
    )
    with counting() as counter:
        for turn in objective.turns:
            losses = objective.losses(batch, moment, turn)
            for player in (each for each in objective.players if each.name in turn):
                loss = losses[player.name]["loss"]
                torch.autograd.grad(loss, player.weights(), retain_graph=True, allow_unused=True)
    return int(counter.get_total_flops())


def fading(prior: Prior, taken: Stretch) -> int:
    """Return in how many steps of a stretch a new scale of a growing pair still fades in."""
    planned = prior.settings.training.plan().phases[taken.phase].steps
    if not isinstance(prior, ProgressiveGan) or taken.phase == 0 or planned is None:
        return 0
    return min(taken.steps, math.ceil(prior.settings.fade * planned))


def phase_facts(prior: Prior, taken: Stretch) -> dict[str, int | float]:
    """Return steps, batches and operations of a stretch; a batch that is not full counts as it is.

    `per_step` is of a step with full batches, the mean over those in which a scale fades in and
    those in which none does.
    """
    size = prior.settings.training.plan().phases[taken.phase].batch_size
    turns = len(prior.objective().turns)
    soft = fading(prior, taken)
    late = step_operations(prior, taken.phase, begun=False)
    early = step_operations(prior, taken.phase, begun=True) if soft else late
    per_step = (soft * early + (taken.steps - soft) * late) / taken.steps
    return {
        **asdict(taken),
        "batch": size,
        "per_step": per_step,
        "operations": per_step / (turns * size) * taken.samples,
    }


def drawing_facts(prior: Prior) -> dict[str, int]:
    """Return what one map of codes takes: `operations`, and `steps` that depend on one another.

    `naive` is what the plain way takes, a whole pass for each code; of a generator it is the same.
    """
    if isinstance(prior, AutoregressivePrior):
        found = sampling_operations(prior, 0)
        whole, plain = (found.condition + part for part in (found.sampled, found.naive))
        return {"operations": whole, "naive": plain, "steps": found.steps}
    assert isinstance(prior, ImplicitPrior)
    given = torch.zeros((1, 0, *prior.grid[1:]), dtype=torch.int64)
    above = {
        level: torch.zeros((1, *codes.grid), dtype=torch.int64)
        for level, codes in prior.conditions.items()
    }
    with counting() as counter:
        prior.sample(given, above, Draws.first(0, [0]), 0)
    count = int(counter.get_total_flops())
    return {"operations": count, "naive": count, "steps": 1}


def facts_of(prior: Prior, found: Training) -> dict[str, Any]:
    """Return what a prior took to be trained, by phase and whole, and what it takes to draw."""
    plan = prior.settings.training.plan()
    phases = [phase_facts(prior, taken) for taken in stretches(plan, found)]
    return {
        "kind": prior.settings.kind,
        "training": {
            "operations": sum(each["operations"] for each in phases),
            "steps": sum(each["steps"] for each in phases),
            "phases": phases,
        },
        "drawing": drawing_facts(prior),
    }


def main(*, models: tuple[Path, ...], records: tuple[Path, ...], found: Path) -> None:
    """Write what each prior takes, by its level; `records` are of their trainings, in their order.

    Raises:
        UserError: there is not one record for each prior, or two priors are of one level.
    """
    if len(models) != len(records):
        raise UserError(
            f"there are {len(models)} priors and {len(records)} records: give one of each training."
        )
    values: dict[str, Any] = {}
    for model, path in zip(models, records, strict=True):
        prior = priors.ROLE.load(model)
        level = prior.settings.level
        if level in values:
            raise UserError(f"{model} is a second prior of the level {level}. Give one of each.")
        values[level] = facts_of(prior, record.read(path))
    facts.write(found, analyses.SCHEMA, values)


if __name__ == "__main__":
    stage.run(main)
