"""From keys to actions: arrows steer, give gas and brake, or push; other channels stay as usual.

Shapes: A action channels.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.simulator.trained import PUSHES, Trained

# By key, the channels that it moves, and to which end of their range.
KEYS = {
    "left": {"steer": "low", "right": "low"},
    "right": {"steer": "high", "right": "high"},
    "up": {"gas": "high", "down": "low"},
    "down": {"brake": "high", "down": "high"},
}
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
# A key moves its channel this far from its usual value towards the end of its recorded range.
# Less than 1: the ends were hardly ever seen in training.
FORCE = 0.6
# What is said where there are no channels to move.
FREE = "the predictor takes no actions, so the world goes on by itself"
DRIVEN, PUSHED = "steer, gas, brake", "push the brightest object"


@dataclass(frozen=True)
class Controls:
    """The channels of a study, float32 (A,): usual (mean) values and recorded ranges."""

    names: tuple[str, ...]
    usual: NDArray[numpy.float32]
    low: NDArray[numpy.float32]
    high: NDArray[numpy.float32]

    def action(self, keys: Collection[str]) -> NDArray[numpy.float32]:
        """Return the action (A,) of the keys that are held down; opposite ones cancel out.

        Raises:
            UserError: a key is unknown.
        """
        if unknown := sorted(set(keys) - set(KEYS)):
            raise UserError(f"The key {unknown[0]!r} is unknown. Keys: {', '.join(KEYS)}.")
        result = self.usual.copy()
        if "steer" in self.names:
            result[self.names.index("steer")] = 0.0
        for key in sorted(set(keys)):
            if OPPOSITE[key] not in keys:
                for name, end in KEYS[key].items():
                    self._push(result, name, end)
        return result

    @property
    def said(self) -> str:
        """What arrows do; empty where they do nothing."""
        if not self.names:
            return ""
        return PUSHED if self.names == PUSHES else DRIVEN

    def _push(self, action_A: NDArray[numpy.float32], name: str, end: str) -> None:
        if name in self.names:
            place = self.names.index(name)
            goal = (self.high if end == "high" else self.low)[place]
            action_A[place] += FORCE * (goal - action_A[place])


def of(trained: Trained) -> Controls:
    """Return the controls of a trained study."""
    usual_A = numpy.array(trained.actions.mean, numpy.float32)
    return Controls(trained.actions.names, usual_A, trained.low, trained.high)
