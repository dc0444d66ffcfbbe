"""What a transformer prior is: the code before each position, where it is, and a causal decoder.

The engine of kept keys and values knows this form, and so samples every prior that has it.

Shapes: B batch, N = T*H*W positions in raster order, P some of them, F features, t T H W code grid,
K codes.
"""

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.transformer import AxialPositions, Decoder, Embedding
from foreframe.priors import AutoregressivePrior, Given, PriorSettings


class TransformerPrior(AutoregressivePrior):
    """A prior that gives a decoder, at each position, the code of the one before.

    The first position is given the code K, which is learned like the others and stands for nothing.
    A condition is features (B,T,H,W,F).
    """

    def __init__(
        self,
        settings: PriorSettings,
        given: Given,
        width: int,
        heads: int,
        layers: int,
        mlp_ratio: int,
    ) -> None:
        super().__init__(settings, given)
        self.code = Embedding(given.codes.codebook_size + 1, width)
        self.positions = AxialPositions(given.codes.grid, width)
        self.decoder = Decoder(width, heads, layers, mlp_ratio, given.codes.codebook_size)

    def logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None = None
    ) -> Tensor:
        """Return logits (B,K,t,H,W); see the base."""
        frames = codes_BTHW.shape[1]
        before_BN = functional.pad(codes_BTHW.flatten(1), (1, -1), value=self.codebook_size)
        x_BNF = self.code(before_BN)
        if known is not None:
            known_BN = known.bool().expand_as(codes_BTHW).flatten(1)
            seen_BN = functional.pad(known_BN, (1, -1), value=True)
            x_BNF = torch.where(seen_BN[..., None], x_BNF, 0)
        x_BNF = x_BNF + self.positions(frames).flatten(0, 2)
        if condition is not None:
            x_BNF = x_BNF + condition[:, :frames].flatten(1, 3)
        logits_BNK: Tensor = self.decoder(x_BNF)
        return logits_BNK.transpose(1, 2).unflatten(2, codes_BTHW.shape[1:])
