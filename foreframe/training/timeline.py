"""A run's phases laid out in steps: which phase, epoch and batch a step belongs to.

All follows from the plan and the sizes of the sets, so that the step alone is a run's position.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from foreframe.config.training import Phase, Plan
from foreframe.training.objective import Turn
from foreframe.training.samples import shuffled


@dataclass(frozen=True)
class Stretch:
    """The steps of one phase.

    first: its first step in the run; turns: those of a step, each of which takes a batch;
    batches: of an epoch; first_epoch: epochs that earlier phases have begun; rated: first step and
    number of steps over which the schedules of the step size go, from restart to restart.
    """

    phase: Phase
    index: int
    first: int
    steps: int
    turns: tuple[Turn, ...]
    batches: int
    first_epoch: int
    rated: tuple[int, int]

    @property
    def end(self) -> int:
        """The step after the last."""
        return self.first + self.steps

    def epochs_begun(self, step: int) -> int:
        """Return how many epochs of the run have been begun before step `step` of this phase."""
        return self.first_epoch - (self.first - step) * len(self.turns) // self.batches

    def row_end(self, step: int, every: int | None) -> int:
        """Return the first step after `step` at which a row of the table of epochs ends.

        That is each `every` steps of the phase, or after each epoch, and at the phase's end.
        """
        taken, turns = step - self.first, len(self.turns)
        if every is not None:
            following = (taken // every + 1) * every
        else:
            following = _divided((taken * turns // self.batches + 1) * self.batches, turns)
        return min(self.first + following, self.end)

    def groups(
        self, count: int, seed: int, purpose: str, start: int, stop: int
    ) -> Iterator[Tensor]:
        """Yield the indices (B,) of each batch of the steps from `start` to before `stop`."""
        batch, last = ((step - self.first) * len(self.turns) for step in (start, stop))
        while batch < last:
            epoch, place = divmod(batch, self.batches)
            order = shuffled(count, self.phase.batch_size, seed, purpose, self.first_epoch + epoch)[
                place : place + last - batch
            ]
            yield from order
            batch += len(order)


def lay_out(plan: Plan, turns: tuple[Turn, ...], counts: Sequence[int]) -> tuple[Stretch, ...]:
    """Return the phases of a plan one after the other; `counts` are the samples of each."""
    result: list[Stretch] = []
    first = epochs = 0
    for index, (phase, count) in enumerate(zip(plan.phases, counts, strict=True)):
        moving = tuple(_moving(turn, phase) for turn in turns)
        moving = tuple(turn for turn in moving if turn)
        batches = _divided(count, phase.batch_size)
        steps = phase.steps or _divided((phase.epochs or 0) * batches, len(moving))
        result.append(Stretch(phase, index, first, steps, moving, batches, epochs, (0, 0)))
        first += steps
        epochs += _divided(steps * len(moving), batches)
    return _rated(result)


def _moving(turn: Turn, phase: Phase) -> Turn:
    return tuple(name for name in turn if phase.players is None or name in phase.players)


def _rated(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    starts = [each.first for each in stretches if each.phase.restart_optimizers or each.index == 0]
    ends = [*starts[1:], stretches[-1].end]
    spans = list(zip(starts, ends, strict=True))
    return tuple(
        dataclasses.replace(each, rated=(start, end - start))
        for each in stretches
        for start, end in spans
        if start <= each.first < end
    )


def _divided(total: int, size: int) -> int:
    """Return total / size, rounded up."""
    return -(-total // size)
