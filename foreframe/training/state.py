"""All that a run carries along, which is what a checkpoint holds."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.training.averages import Averages
from foreframe.training.checkpoints import Checkpoints, Snapshot
from foreframe.training.objective import Objective
from foreframe.training.optimization import Mover
from foreframe.training.sharding import Shards
from foreframe.training.tally import Tallies
from foreframe.training.timeline import Stretch

Row = dict[str, float | None]


class State:
    """The position of a run, its weights, moments and averages, and its tables so far.

    step, samples: taken and seen; phase: which was entered, -1 for none; curve, epochs: rows of the
    tables; window, epoch: what their next rows average, by shard; diverged_at: see `Result`;
    best_step: the step after which the phase's best weights were kept, or None.
    """

    def __init__(
        self, objective: Objective[Any], plan: Plan, device: torch.device, shards: Shards
    ) -> None:
        self._objective = objective
        self._judge = plan.judge
        self._device = device
        self._crew = shards.crew
        self.movers = {name: Mover(settings) for name, settings in plan.players.items()}
        self.averages = Averages(plan.average)
        self.step, self.samples, self.phase = 0, 0, -1
        self.curve: list[Row] = []
        self.epochs: list[Row] = []
        self.window, self.epoch = Tallies(shards), Tallies(shards)
        self.diverged_at: int | None = None
        self.best_step: int | None = None
        self._best: dict[str, Tensor] = {}

    @property
    def closed(self) -> int:
        """The step at which the last row of the table of epochs ended."""
        return int(self.epochs[-1]["step"] or 0) if self.epochs else 0

    @property
    def row_begun(self) -> bool:
        """Whether steps were taken since the last row of the curve."""
        return self.step > (self.curve[-1]["step"] or 0 if self.curve else 0)

    def judged(self, stretch: Stretch) -> list[float]:
        """Return the values that are judged, of a phase's rows so far; infinite where no number."""
        rows = [row for row in self.epochs if (row["step"] or 0) > stretch.first]
        values = [row.get(f"validation_{self._judge}") for row in rows]
        return [math.inf if value is None else value for value in values]

    def enter(self, stretch: Stretch) -> None:
        """Begin a phase: its parts of the model, and optimisers of what is to move in it."""
        self._objective.enter(stretch.index)
        self._objective.model.to(self._device)
        for player in self._objective.players:
            restart = stretch.phase.restart_optimizers
            self.movers[player.name].take(player.weights(), restart=restart)
        self.averages.follow(self._objective.averaged)
        self.phase = stretch.index
        self._best, self.best_step = {}, None

    def keep_best(self) -> None:
        """Note that the weights as they are were the best so far."""
        self._best = {name: value.clone() for name, value in self._weights().items()}
        self.best_step = self.step

    def return_to_best(self) -> None:
        """Let the weights be the best ones, if any were kept."""
        if self._best:
            self._load_weights(self._best)

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint, which the first of several processes does for all."""
        tallies = {name: tally.all() for name, tally in self._tallies().items()}
        if self._crew.rank > 0:
            return
        tensors = self._weights()
        for name, mover in self.movers.items():
            tensors |= {f"optimizer/{name}/{key}": value for key, value in mover.state().items()}
        tensors |= {f"best/{name}": value for name, value in self._best.items()}
        facts: dict[str, Any] = {"samples": self.samples, "phase": self.phase}
        facts |= {"diverged_at": self.diverged_at, "best_step": self.best_step}
        facts |= {"curve": self.curve, "epochs": self.epochs}
        for name, by_shard in tallies.items():
            for number, tally in by_shard.items():
                tensors |= {f"{name}/{number}/{key}": value for key, value in tally.sums.items()}
            facts[name] = {str(number): tally.samples for number, tally in by_shard.items()}
        checkpoints.save(Snapshot(self.step, tensors, facts))

    def resume(self, checkpoints: Checkpoints, timeline: tuple[Stretch, ...]) -> None:
        """Go to where the newest checkpoint is, if there is one; the first process reads it."""
        snapshot = self._crew.first(checkpoints.load() if self._crew.rank == 0 else None)
        if snapshot is None:
            return
        facts = snapshot.facts
        for stretch in timeline[: facts["phase"] + 1]:
            self.enter(stretch)
        self._load_weights(snapshot.tensors)
        for name, mover in self.movers.items():
            mover.load(_under(f"optimizer/{name}", snapshot.tensors))
        self.step, self.samples = snapshot.step, facts["samples"]
        self.diverged_at, self.best_step = facts["diverged_at"], facts["best_step"]
        self.curve, self.epochs = facts["curve"], facts["epochs"]
        self._best = self._moved(_under("best", snapshot.tensors))
        for name, tallies in self._tallies().items():
            for number, tally in tallies.of.items():
                tally.samples = facts[name][str(number)]
                tally.sums = self._moved(_under(f"{name}/{number}", snapshot.tensors))

    def _tallies(self) -> dict[str, Tallies]:
        return {"window": self.window, "epoch": self.epoch}

    def _weights(self) -> dict[str, Tensor]:
        model = self._objective.model.state_dict()
        return {
            **{f"model/{name}": value for name, value in model.items()},
            **{f"average/{name}": value for name, value in self.averages.state().items()},
        }

    def _load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        self._objective.model.load_state_dict(_under("model", tensors))
        self.averages.load(_under("average", tensors))

    def _moved(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self._device) for name, value in tensors.items()}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
