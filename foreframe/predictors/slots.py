"""What predictors with slots offer to analyses: where slots are in clips, and what moves them.

Shapes: N clips, C channels, T frames, t given ones, h predicted ones, H rows, W columns, K slots, I
inner iterations of a step.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from foreframe.errors import UserError
from foreframe.networks.broadcast_decoder import Rendered, joined
from foreframe.networks.noise import Noise
from foreframe.predictors import Predictor
from foreframe.predictors.recurrent import FrameByFrame


@dataclass(frozen=True)
class Followed:
    """Clips as slots saw them frame by frame.

    Attributes:
        rendered: of every frame, `colours` (N,T,K,C,H,W) and `masks` (N,T,K,H,W).
        refined: after each iteration of each step, (N,T-1,I,K,...); the last is the step's frame.
        modules: that each slot took in each iteration, int64 (N,T-1,I,K); None: there are none.
    """

    rendered: Rendered
    refined: Rendered
    modules: Tensor | None


class Slotted(ABC):
    """A predictor that has slots.

    Attributes:
        slot_count: K.
        module_count: how many modules there are, of which each step of a slot takes one; 0: none.
        iterations: I, as in training.
    """

    slot_count: int
    module_count: int = 0
    iterations: int = 1

    @abstractmethod
    def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Followed:
        """Return where slots are in every one of two frames or more; nothing is drawn.

        `iterations` of a step, where the predictor can have other ones than in training (None).

        Raises:
            UserError: it cannot.
        """

    def roll(self, x_NCtHW: Tensor, modules_NhIK: Tensor, options: Any, noise: Noise) -> Rendered:
        """Return the last given frame and futures as named modules make them, (N,1+h,K,...).

        -1 is as the predictor chooses.

        Raises:
            UserError: the predictor has no modules, or not the ones that are named.
        """
        raise UserError(
            f"{type(self).__name__} has no modules to choose. Give a predictor of them."
        )

    def check_modules(self, modules_NhIK: Tensor) -> None:
        """Refuse modules that there are not.

        Raises:
            UserError: a number is below -1 or too large.
        """
        wrong_n = modules_NhIK[(modules_NhIK < -1) | (modules_NhIK >= self.module_count)]
        if len(wrong_n):
            raise UserError(
                f"module {int(wrong_n[0])} is asked for, but {type(self).__name__} has "
                f"{self.module_count}, from 0. Name one of these, or -1."
            )


class Modular(Slotted):
    """A predictor whose slots are moved by modules, frame by frame."""

    @abstractmethod
    def push(
        self, state: Any, modules_NIK: Tensor, time: int, options: Any, noise: Noise
    ) -> tuple[Rendered, Any]:
        """Return frame `time` as slots (N,K,...) show it, and the state after it.

        Named modules make it in I iterations; -1 is as the predictor chooses.
        """

    @abstractmethod
    def shown(self, state: Any) -> Rendered:
        """Return what the slots (N,K,...) of a state show."""

    def roll(self, x_NCtHW: Tensor, modules_NhIK: Tensor, options: Any, noise: Noise) -> Rendered:
        """Return the last given frame and futures (N,1+h,K,...); see `Slotted`."""
        self.check_modules(modules_NhIK)
        assert isinstance(self, FrameByFrame)
        state = self.start(self.encode(x_NCtHW), options, noise)
        found = [self.shown(state)]
        for time, modules_NIK in enumerate(modules_NhIK.unbind(dim=1), start=x_NCtHW.shape[2]):
            rendered, state = self.push(state, modules_NIK, time, options, noise)
            found.append(rendered)
        return joined(found, 1)


def slotted(predictor: Predictor) -> Any:
    """Return a predictor, which has slots.

    Raises:
        UserError: it has none.
    """
    if not isinstance(predictor, Slotted):
        raise UserError(f"{predictor.name} has no slots. Give a predictor that has.")
    return predictor
