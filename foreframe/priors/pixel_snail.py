"""Kind `pixel_snail`: a 3-D PixelSNAIL with attention over one level's codes (Xu 2022, 5.3.1).

Small causal kernels (2x2x2) look up, left and back; attention reaches everything before.

Shapes: B batch, F channels, T H W code grid, K codes.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from foreframe.config.training import Training
from foreframe.networks import causal
from foreframe.networks.snail import Attention, Trunk
from foreframe.priors import Given, PriorSettings
from foreframe.priors.snail import SnailPrior

KERNEL = (2, 2, 2)

Count = Annotated[int, Field(ge=1)]


class Settings(PriorSettings):
    """Widths and depths as in Xu 2022, Table 5.4; this kind is given no other level."""

    kind: Literal["pixel_snail"]
    training: Training
    condition_on: tuple[()]
    channels: Count  # F
    residual_layers: Count  # R, in each block
    blocks: Count  # S
    key_channels: Count
    value_channels: Count
    attention_scale: Literal["key", "input"]  # 1/sqrt(key channels), or of the 2F features


class PixelSnail(SnailPrior):
    """p(z) = prod_i p(z_i | z_1 .. z_{i-1})."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        width, codes = settings.channels, given.codes
        scaled = settings.key_channels if settings.attention_scale == "key" else 2 * width
        self.input = causal.code_input(codes.codebook_size, width, KERNEL)
        self.trunk = Trunk(
            width,
            settings.blocks,
            settings.residual_layers,
            lambda inputs, outputs: causal.corner(inputs, outputs, KERNEL),
            Attention(settings.key_channels, settings.value_channels, scale=1 / math.sqrt(scaled)),
            codes.grid,
            codes.codebook_size,
        )
        # Last, so that the other weights begin as they do without actions.
        self.action_input = self._actions(width)


def build(settings: Settings, given: Given) -> PixelSnail:
    """Return an untrained prior; it is given no other level."""
    assert not given.conditions
    return PixelSnail(settings, given)
