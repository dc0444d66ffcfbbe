"""Kind `image_pixel_snail`: one map of codes, alone or given the level above (Coppock 2020, 3.3.1).

With attention and no level above it is the thesis's top prior, without attention and given the top
its bottom one; the shapes that its Table 6.1 leaves open are those of public code that has the same
options. Of the condition it models p(z | c) = prod_i p(z_i | z_1 .. z_{i-1}, c).

Shapes: B batch, F features, C condition channels, T H W code grid with T = 1, K codes.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.config.training import Training
from foreframe.errors import UserError
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.image_snail import ConditionNetwork, Heads, PixelTrunk, code_input
from foreframe.priors import Given, PriorSettings, log_likelihood
from foreframe.priors.snail import WHOLE, Box, SnailPrior
from foreframe.training.objective import Moment

Count = Annotated[int, Field(ge=1)]


class Attention(Strict):
    """Heads of every block's attention, and the channels of all of them together."""

    heads: Count
    channels: Count

    @model_validator(mode="after")
    def _heads_share_the_channels(self) -> Self:
        if self.channels % self.heads:
            raise ValueError(
                f"channels is {self.channels}, of which {self.heads} heads cannot have equal parts."
            )
        return self


class Settings(PriorSettings):
    """Widths and depths as in Coppock 2020, Table 6.1."""

    kind: Literal["image_pixel_snail"]
    training: Training
    condition_on: Annotated[tuple[str, ...], Field(max_length=1)]
    actions: Literal["none"]
    channels: Count  # F; the condition has as many
    blocks: Count
    layers: Count  # in each block
    kernel: Annotated[int, Field(ge=3)]
    attention: Attention | None
    condition_layers: Annotated[int, Field(ge=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; it must be odd, so that it has a centre.")
        if self.condition_layers and not self.condition_on:
            raise ValueError("condition_layers is set, but condition_on names no level. Set it 0.")
        return self


class ImagePixelSnail(SnailPrior):
    """A prior over single maps; its condition enters every layer, not the first features."""

    settings: Settings
    trunk: PixelTrunk
    adds_condition = False

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        codes, width, attention = given.codes, settings.channels, settings.attention
        self.input = code_input(codes.codebook_size, width, settings.kernel)
        self.network = None
        for level in settings.condition_on:
            size = given.conditions[level].codebook_size
            self.network = ConditionNetwork(size, width, settings.condition_layers)
        self.trunk = PixelTrunk(
            width,
            settings.blocks,
            settings.layers,
            settings.kernel,
            None if attention is None else Heads(attention.heads, attention.channels),
            None if self.network is None else width,
            codes.grid,
            codes.codebook_size,
        )
        self.action_input = None

    def above(
        self, latents: Mapping[str, Tensor], box: Box, dropout: Dropout = NONE
    ) -> Tensor | None:
        """Return features (B,C,t,h,w) of the level above in a box; None: there is none."""
        if self.network is None:
            return None
        (level,) = self.settings.condition_on
        features: Tensor = self.network(latents[level], self.grid, dropout)
        return features[:, :, *box]

    def logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None = None
    ) -> Tensor:
        """Return logits (B,K,t,H,W); see the base."""
        return self._logits(codes_BTHW, condition, known, NONE)

    def loss(self, batch: Mapping[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Return the mean negative log-likelihood of a code, in nats, a scalar; see the base.

        In training layers drop a share of their features, of the condition's network too.
        """
        numbers = moment.numbers if self.training else None
        dropout = Dropout(self.settings.dropout, numbers)
        codes_BTHW = batch[self.settings.level]
        condition = self.above(batch, WHOLE, dropout)
        logits = self._logits(codes_BTHW, condition, None, dropout)
        return {"loss": -log_likelihood(logits, codes_BTHW).mean()}

    def _logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None, dropout: Dropout
    ) -> Tensor:
        logits: Tensor = self.trunk(self.input.look_up(codes_BTHW, known), condition, dropout)
        return logits


def build(settings: Settings, given: Given) -> ImagePixelSnail:
    """Return an untrained prior.

    Raises:
        UserError: a clip has several maps of codes, or the sides of the level above do not divide
            this level's.
    """
    grid = given.codes.grid
    if grid[0] != 1:
        raise UserError(
            f"An image_pixel_snail models single maps of codes, but a clip of the level "
            f"{settings.level} has {grid[0]} of them. Use an autoencoder of pictures, or a kind of "
            "prior for clips, such as pixel_snail."
        )
    for level in settings.condition_on:
        above = given.conditions[level].grid
        if any(size % part for size, part in zip(grid, above, strict=True)):
            raise UserError(
                f"An image_pixel_snail of the level {settings.level} with grid {grid} needs sides "
                f"above it that divide its own; {level} has {above}. Choose other strides of the "
                "autoencoder, or leave the level out of condition_on."
            )
    return ImagePixelSnail(settings, given)
