"""The naive engine: the whole network anew for every code. Slow, and plainly right.

It leaves out only the code-frames after the current one; the condition is given to it ready.

Shapes: B clips, T H W code grid, N = T*H*W positions, K codes.
"""

import torch
from torch import Tensor

from foreframe.priors import AutoregressivePrior
from foreframe.priors.engines import Engine, Step, schedule


class Naive(Engine):
    """Every step is a forward pass over all code-frames up to the current one."""

    @classmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return True: it needs nothing but the logits."""
        return True

    @classmethod
    def bytes_per_clip(cls, prior: AutoregressivePrior) -> int:
        """Return the bytes of the few widest layers, which are all that a forward pass keeps."""
        count = prior.grid[0] * prior.grid[1] * prior.grid[2]
        widest = max(parameter.shape[0] for parameter in prior.parameters())
        return 4 * count * widest * torch.float32.itemsize

    def schedule(self) -> list[Step]:
        """Return one step for each position, in raster order."""
        return schedule.one_by_one(self.prior.grid, self.start, self.codes_BM.device)

    def logits(self, step: Step) -> Tensor:
        """Return logits (B,1,K) for the step's position; codes from there on are unknown."""
        frames = step.last // (self.prior.grid[1] * self.prior.grid[2]) + 1
        codes_BTHW = self.codes_BM[:, :-1].unflatten(1, self.prior.grid)[:, :frames]
        places_N = torch.arange(codes_BTHW[0].numel(), device=codes_BTHW.device)
        known_THW = (places_N < step.positions).view_as(codes_BTHW[0])
        logits_BKTHW = self.prior.logits(codes_BTHW, self.condition, known_THW)
        return logits_BKTHW.flatten(2)[:, :, step.last].unsqueeze(1)
