"""One step of a run, its turns one after the other, and one batch of its validation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic

import torch
from torch import Tensor

from foreframe.config.compute import Compute
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.randomness import Position, generator
from foreframe.running.compute import autocast
from foreframe.running.crew import ALONE, Crew
from foreframe.training import passes, schedules
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.objective import Losses, Moment, Objective, Turn
from foreframe.training.samples import Batch, to_device
from foreframe.training.sharding import Shards
from foreframe.training.state import State
from foreframe.training.timeline import Stretch

DIVERGED = (
    "the training has diverged. Lower its learning_rate, set its gradient_clip (a player's clip), "
    "for example to 1.0, or let diverging be record."
)


@dataclass(frozen=True)
class Run:
    """Where and under which name a run computes; `seed` and `purpose` name its random numbers."""

    seed: int
    purpose: str
    compute: Compute
    device: torch.device
    checkpoints: Checkpoints
    crew: Crew = ALONE


# What is logged of a turn: by shard its values and its samples.
Logged = Mapping[int, tuple[Mapping[str, Tensor], int]]


@dataclass
class Stepper(Generic[Batch]):
    """What moves and measures the model of a run of `steps` steps."""

    objective: Objective[Batch]
    plan: Plan
    run: Run
    state: State
    shards: Shards
    steps: int
    _unchecked: list[tuple[int, Tensor]] = field(default_factory=list)  # not known to be finite

    @torch.no_grad()
    def start(self, stretch: Stretch, batch: Batch) -> None:
        """Set what depends on data, from the run's first batch."""
        with autocast(self.run.device, self.run.compute):
            moment = self._moment(stretch, "start")
            self.objective.start(to_device(batch, self.run.device), moment)
        self.state.averages.begin()

    def take(self, stretch: Stretch, batches: Iterator[tuple[int, Batch | None]]) -> bool:
        """Take a step and return True; or note that it diverges, and change nothing else.

        The batches have this process's rows.
        """
        state = self.state
        taken: list[tuple[Logged, int]] = []
        before: dict[str, Tensor] = {}
        for index, turn in enumerate(stretch.turns):
            samples, batch = next(batches)
            if index == 0 and self.plan.diverging == "record":
                before = {name: value.clone() for name, value in self._movable(stretch).items()}
            logged = self._turn(stretch, samples, batch, turn, index)
            if logged is None:
                for name, value in self._movable(stretch).items():
                    value.copy_(before[name])
                state.diverged_at = state.step + 1
                self._unchecked = [each for each in self._unchecked if each[0] <= state.step]
                return False
            taken.append((logged, samples))
        state.averages.update()
        for logged, samples in taken:
            for number, (values, count) in logged.items():
                state.window.of[number].add(values, count)
                state.epoch.of[number].add(values, count)
            state.samples += samples
        state.step += 1
        return True

    @torch.no_grad()
    def measure(self, stretch: Stretch, batch: Batch, position: int) -> Mapping[str, Tensor]:
        """Return the scalars and counts (K,) of a validation batch, by averaged weights if any."""
        moment = self._moment(stretch, "validation", position)
        with self.state.averages.in_place(), autocast(self.run.device, self.run.compute):
            return self.objective.measure(to_device(batch, self.run.device), moment)

    def rates(self, stretch: Stretch, step: int) -> dict[str, float]:
        """Return the step size of each player that moves, at a step of the present epoch."""
        start, steps = stretch.rated
        judged = self.state.judged(stretch)
        return {
            name: schedules.learning_rate(self.plan.players[name], step - start, steps, judged)
            for name in dict.fromkeys(name for turn in stretch.turns for name in turn)
        }

    def label(self, player: str, name: str) -> str:
        """Return what a value that every player has is called in the tables."""
        return name if len(self.plan.players) == 1 else f"{player}_{name}"

    def check_finite(self) -> None:
        """Look at the losses so far; one by one it would make the host wait for the device.

        Raises:
            UserError: one of them, or a gradient, was not a finite number.
        """
        if not self._unchecked:
            return
        finite = torch.stack([total for _, total in self._unchecked]).isfinite().tolist()
        if not all(finite):
            raise UserError(
                f"{self.run.purpose}: the loss of step {self._unchecked[finite.index(False)][0]} "
                f"or its gradient is not a finite number: {DIVERGED}"
            )
        self._unchecked = []

    def _turn(
        self, stretch: Stretch, samples: int, batch: Batch | None, turn: Turn, index: int
    ) -> Logged | None:
        """Move the players of one turn and return what is logged; None if that diverges."""
        state = self.state
        movers = {name: state.movers[name] for name in turn}

        def ask(part: Batch, shard: int | None) -> Losses:
            position = ("step", state.step, *((index,) if index else ()))
            position = (*position, *(() if shard is None else ("shard", shard)))
            moment = self._moment(stretch, *position)
            with autocast(self.run.device, self.run.compute):
                losses = self.objective.losses(to_device(part, self.run.device), moment, turn)
            assert set(losses) == set(turn), "each player of the turn has a loss"
            return losses

        if self.shards.count == 1:
            assert batch is not None, "one process has all rows"
            seen = passes.whole(ask, movers, samples, batch)
        else:
            model, device = self.objective.model, self.run.device
            seen = passes.by_shards(model, ask, movers, self.shards, samples, batch, device)
        norms = {name: mover.adopt(seen.gradients[name]) for name, mover in movers.items()}
        totals = [seen.losses[name] + norm for name, norm in norms.items()]
        self._unchecked.append((state.step + 1, torch.stack(totals).sum()))
        if self._diverges():
            return None
        for module, sums in seen.notes:
            module.follow(sums)
        rates = self.rates(stretch, state.step)
        start, steps = stretch.rated
        for name, mover in movers.items():
            decay = schedules.weight_decay(mover.settings, state.step - start, steps)
            mover.follow(norms[name], rates[name], decay)
        return {
            number: (self._logged(losses, norms), count)
            for number, (losses, count) in seen.parts.items()
        }

    def _logged(self, losses: Losses, norms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        for name, of_player in losses.items():
            values |= {key: value for key, value in of_player.items() if key != "loss"}
            values[self.label(name, "loss")] = of_player["loss"]
            values[self.label(name, "gradient_norm")] = norms[name]
        return values

    def _movable(self, stretch: Stretch) -> dict[str, Tensor]:
        """Return what has moved of the model by the time a turn is found to diverge.

        Buffers, such as codebooks, move in the forward pass; weights where turns come before.
        """
        model = self.objective.model
        weights = dict(model.named_parameters(remove_duplicate=False))
        still = weights.keys() if len(stretch.turns) == 1 else set()
        return {name: value for name, value in model.state_dict().items() if name not in still}

    def _diverges(self) -> bool:
        """Tell whether the turn to be taken diverges, if that is to be recorded.

        At once, although it makes the host wait for the device: what is written must not depend on
        when a checkpoint happened to look. Before the first step there is nothing to record.
        """
        recorded = self.plan.diverging == "record" and self.state.step > 0
        return recorded and not self._unchecked[-1][1].isfinite()

    def _moment(self, stretch: Stretch, *position: Position) -> Moment:
        step = self.state.step
        return Moment(
            step=step,
            steps=self.steps,
            phase=stretch.index,
            phase_step=step - stretch.first,
            phase_steps=stretch.steps,
            numbers=generator(self.run.seed, self.run.purpose, *position),
        )
