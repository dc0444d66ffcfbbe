"""What both PixelSNAIL priors are: looked-up codes, plus a condition, through a causal trunk.

The sampling engines know this form, and so sample every prior that has it.

Shapes: B batch, K codes, F features, T H W code grid.
"""

from collections.abc import Mapping

from torch import Tensor

from foreframe.errors import UserError
from foreframe.networks.causal import CausalEmbedding, SummedEmbeddings
from foreframe.networks.image_snail import PixelTrunk
from foreframe.networks.snail import Trunk
from foreframe.priors import ACTIONS, AutoregressivePrior
from foreframe.priors.actions import ActionInput

Box = tuple[slice, slice, slice]  # of the grid: code-frames, rows, columns
WHOLE: Box = (slice(None), slice(None), slice(None))


class SnailPrior(AutoregressivePrior):
    """A prior with an input layer, a trunk and perhaps actions; a kind's constructor makes them."""

    input: CausalEmbedding | SummedEmbeddings
    trunk: Trunk | PixelTrunk
    action_input: ActionInput | None
    # The condition is added to the trunk's first features; otherwise each of its layers is told.
    adds_condition = True

    def above(self, latents: Mapping[str, Tensor], box: Box) -> Tensor | None:
        """Return features (B,F,t,h,w) of the levels above, in a box; None: they have no effect."""
        return None

    def condition(self, latents: Mapping[str, Tensor]) -> Tensor | None:
        """Return features (B,F,T,H,W) of the levels above and of the actions; see the base."""
        return self.condition_in(latents, WHOLE)

    def condition_in(self, latents: Mapping[str, Tensor], box: Box) -> Tensor | None:
        """Return the condition (B,F,t,h,w) in a box, from what that depends on where it is less."""
        above = self.above(latents, box)
        if self.action_input is None:
            return above
        if ACTIONS not in latents:
            raise UserError(
                f"The prior of the level {self.settings.level} takes actions, but none are given "
                "here. Give them, or use priors that were trained with actions: none."
            )
        features: Tensor = self.action_input(latents[ACTIONS])[:, :, *box]
        return features if above is None else above + features

    def logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None = None
    ) -> Tensor:
        """Return logits (B,K,t,H,W); see the base."""
        start = self.input.look_up(codes_BTHW, known)
        if condition is not None:
            start = start + condition[:, :, : codes_BTHW.shape[1]]
        logits: Tensor = self.trunk(start)
        return logits

    def _actions(self, channels: int) -> ActionInput | None:
        return None if self.actions is None else ActionInput(self.actions, self.grid, channels)
