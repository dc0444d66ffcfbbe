"""What both PixelSNAIL priors are: looked-up codes, plus a condition, through a causal trunk.

The sampling engines know this form, and so sample every prior that has it.

Shapes: B batch, K codes, T H W code grid.
"""

from torch import Tensor

from foreframe.networks.causal import CausalEmbedding
from foreframe.networks.snail import Trunk
from foreframe.priors import Prior


class SnailPrior(Prior):
    """A prior with an input layer and a trunk; a kind's constructor makes both."""

    input: CausalEmbedding
    trunk: Trunk

    def logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None = None
    ) -> Tensor:
        """Return logits (B,K,t,H,W); see `Prior.logits`."""
        start = self.input.look_up(codes_BTHW, known)
        if condition is not None:
            start = start + condition[:, :, : codes_BTHW.shape[1]]
        logits: Tensor = self.trunk(start)
        return logits
