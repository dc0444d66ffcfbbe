"""K steps of flow at one size of picture, and what is kept of them for the way back.

`stored` keeps every map that a gradient needs, `checkpointed` the input of each step (Chen et al.
2016), `inverted` the output of the last step alone. All three compute the same numbers forward, to
the last bit.

Shapes: B rows, C channels, H rows and W columns of a picture.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from foreframe.networks.flows.inverted import inverted
from foreframe.networks.flows.precision import full_precision
from foreframe.networks.flows.step import Affine, Step, affine, log_determinant

Memory = Literal["stored", "checkpointed", "inverted"]


class Level(nn.Module):
    """The steps of a level; `condition` is how many channels its map has, 0 for none."""

    def __init__(
        self, channels: int, steps: int, hidden: int, condition: int, memory: Memory
    ) -> None:
        super().__init__()
        self.memory = memory
        self.steps = nn.ModuleList(Step(channels, hidden, condition) for _ in range(steps))

    def forward(self, x_BCHW: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the output (B,C,H,W) and log|det| (B,)."""
        steps = self._steps()
        self._start(x_BCHW, condition)
        maps = Affine.of(steps)
        places = x_BCHW[0, 0].numel()
        if self.memory == "inverted":
            x_BCHW, log_B = inverted(steps, maps, x_BCHW, condition)
        else:
            x_BCHW, log_B = self._one_by_one(maps, x_BCHW, condition)
        return x_BCHW, log_B + places * log_determinant(steps)

    def inverse(self, y_BCHW: Tensor, condition: Tensor | None) -> Tensor:
        """Return the input (B,C,H,W)."""
        steps = self._steps()
        back = Affine.inverse_of(steps)
        for k in reversed(range(len(steps))):
            y_BCHW = steps[k].coupling.inverse(y_BCHW, condition)
            y_BCHW = affine(y_BCHW, back.weight[k], back.bias[k])
        return y_BCHW

    def _steps(self) -> list[Step]:
        return [step for step in self.steps if isinstance(step, Step)]

    def _one_by_one(
        self, maps: Affine, x_BCHW: Tensor, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        total_B = x_BCHW.new_zeros(len(x_BCHW))
        for step, weight_CC, bias_C in zip(self._steps(), maps.weight, maps.bias, strict=True):
            inputs = (step, x_BCHW, condition, weight_CC, bias_C)
            if self.memory == "checkpointed":
                # Nothing in a step is random.
                x_BCHW, log_B = checkpoint(
                    _through, *inputs, use_reentrant=False, preserve_rng_state=False
                )
            else:
                x_BCHW, log_B = _through(*inputs)
            total_B = total_B + log_B
        return x_BCHW, total_B

    @torch.no_grad()
    def _start(self, x_BCHW: Tensor, condition: Tensor | None) -> None:
        """Let what normalises start, step by step: a step's data are the output of those before."""
        for step in self._steps():
            if not step.norm.starting:
                return
            step.norm.start(x_BCHW)
            own = Affine.of([step])
            x_BCHW, _ = _through(step, x_BCHW, condition, own.weight[0], own.bias[0])


def _through(
    step: Step, x_BCHW: Tensor, condition: Tensor | None, weight_CC: Tensor, bias_C: Tensor
) -> tuple[Tensor, Tensor]:
    # Said again for the checkpoint, which computes this a second time from elsewhere.
    with full_precision(x_BCHW.device):
        result: tuple[Tensor, Tensor] = step.coupling(affine(x_BCHW, weight_CC, bias_C), condition)
        return result
