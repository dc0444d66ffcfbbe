"""What a probe reads off predicted frames against what the simulator knew of the true ones.

The probe's reading of the true frames is measured like a predictor: below that nothing can be told.

Shapes: n clips, B clips of a batch, h predicted frames, H rows, W columns, C = 3 colours, S states.
"""

import math
from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation.state_probe import StateProbe
from foreframe.evaluation.statistics import interval

SEED = 0  # of the resampled clips
TRUE = "true_frames"  # the name under which the true frames are measured


class StateScores:
    """The errors of several predictors' futures in each state, fed in batches of clips."""

    def __init__(self, probe: StateProbe) -> None:
        """Start with no clip seen; a probe without states has no scores."""
        self._probe = probe
        self._squares: dict[str, list[Tensor]] = {}

    def update(
        self, name: str, frames_BhHWC: Tensor, last_B1HWC: Tensor, states_BhS: Tensor
    ) -> None:
        """Add futures of `name` after the last given frames, uint8, and the true states in them."""
        if not self._probe.names:
            return
        read_BhS = self._probe.read(torch.cat([last_B1HWC, frames_BhHWC], dim=1))
        squares_BS = (read_BhS - states_BhS.double()).square().mean(dim=1)
        self._squares.setdefault(name, []).append(squares_BS)

    def result(self) -> dict[str, Any]:
        """Return, by predictor and state, the root mean squared error with its interval's ends."""
        return {name: self._errors(torch.cat(parts)) for name, parts in self._squares.items()}

    def _errors(self, squares_nS: Tensor) -> dict[str, Any]:
        found = {}
        for name, squares_n in zip(self._probe.names, squares_nS.unbind(dim=1), strict=True):
            each = interval(squares_n, SEED)
            found[name] = {
                "mean": _root(each.mean),
                "low": _root(each.low),
                "high": _root(each.high),
            }
        return found


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(max(0.0, value))
