"""What a training run minimises: players, whose turns make a step, and each one's losses.

A plain network is one player with one turn. A generator and a critic are two, which move in turn or
together; `foreframe.training.loop` moves them, and holds the one position that all else depends on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

from torch import Tensor, nn

from foreframe.config.training import MODEL, Ramp
from foreframe.randomness import Numbers
from foreframe.training.samples import Batch

Turn = tuple[str, ...]
Losses = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Moment:
    """Where a run stands, from 0; whatever is scheduled is a pure function of it.

    numbers: those of the step and the turn, or of the validation batch; on the CPU.
    """

    step: int
    steps: int  # of the whole run
    phase: int
    phase_step: int
    phase_steps: int
    numbers: Numbers

    def ramp(self, ramp: Ramp) -> float:
        """Return what a scheduled number is now."""
        step = self.step if ramp.of == "run" else self.phase_step
        progress = min(1.0, max(0.0, (step - ramp.begin) / ramp.steps))
        return (1 - progress) * ramp.first + progress * ramp.last


@dataclass(frozen=True)
class Player:
    """Modules whose weights follow the gradient of one loss, by an optimiser of their own."""

    name: str
    modules: tuple[nn.Module, ...]

    def weights(self) -> list[nn.Parameter]:
        """Return the parameters that are to move: those that are not frozen, each once."""
        every = [weight for module in self.modules for weight in module.parameters()]
        return [weight for weight in dict.fromkeys(every) if weight.requires_grad]


class Objective(ABC, Generic[Batch]):
    """What is trained and how well it does.

    model: everything that a checkpoint must hold, on top of which there is no state;
    players: who moves; turns: a step is these, with a fresh batch for each; the names in one turn
    move together, by the gradients of one forward pass; averaged: modules of which the run keeps
    averaged weights, if the plan gives a decay.
    """

    model: nn.Module
    players: tuple[Player, ...]
    turns: tuple[Turn, ...]
    averaged: tuple[nn.Module, ...] = ()

    @abstractmethod
    def losses(self, batch: Batch, moment: Moment, turn: Turn) -> Losses:
        """Return for each player of the turn {"loss": a scalar to minimise, what is logged}.

        What is logged are scalars, means over the batch, and counts of codes (see `tally`), under
        names that no two players share.
        """

    @abstractmethod
    def measure(self, batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        """Return validation values, of the same kinds, scalars or counts (K,); in eval mode."""

    def start(self, batch: Batch, moment: Moment) -> None:
        """Set what depends on data, from the run's first batch; without gradients."""

    def enter(self, phase: int) -> None:
        """Make the model what phase `phase` trains: grow, freeze or drop parts.

        Called as each phase begins; on resumption again for each phase up to the
        present one, after which the weights are loaded.
        """


class Plain(Objective[Batch]):
    """One network and one loss, which is also what is measured."""

    def __init__(
        self, model: nn.Module, loss: Callable[[Batch, Moment], Mapping[str, Tensor]]
    ) -> None:
        self.model = model
        self.players = (Player(MODEL, (model,)),)
        self.turns = ((MODEL,),)
        self._loss = loss

    def losses(self, batch: Batch, moment: Moment, turn: Turn) -> Losses:
        """Return the network's own loss."""
        return {MODEL: self._loss(batch, moment)}

    def measure(self, batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        """Return what the loss is of a validation batch, scalars or counts (K,)."""
        return self._loss(batch, moment)
