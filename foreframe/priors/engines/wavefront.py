"""The wavefront engine: all positions that do not depend on one another in one incremental step.

For priors without attention. One step then reads the weights once for a whole wave of codes, so the
arithmetic is a product of matrices instead of one of a matrix and a vector.
"""

from torch import Tensor

from foreframe.priors import AutoregressivePrior
from foreframe.priors.engines import Step, schedule
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.snail import SnailPrior


class Wavefront(Incremental):
    """An incremental engine with the shortest order that the layers' kernels allow."""

    def __init__(
        self, prior: SnailPrior, codes_BM: Tensor, start: int, condition: Tensor | None
    ) -> None:
        assert not schedule.has_attention(prior), "with attention all positions are one chain"
        super().__init__(prior, codes_BM, start, condition)

    @classmethod
    def serves(cls, prior: AutoregressivePrior) -> bool:
        """Return whether the prior is a trunk without attention."""
        return isinstance(prior, SnailPrior) and not schedule.has_attention(prior)

    @property
    def replayable(self) -> bool:
        """Return False: waves differ in size."""
        return False

    def schedule(self) -> list[Step]:
        """Return one step for each wave; on an 8x64x64 grid with 3x7x7 kernels 428 of them."""
        offsets = schedule.dependencies(self.prior)
        return schedule.waves(self.prior.grid, offsets, self.start, self.codes_BM.device)
