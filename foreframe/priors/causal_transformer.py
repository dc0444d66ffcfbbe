"""Kind `causal_transformer`: a decoder over one level's codes (VideoGPT; Yan et al. 2021, 3.2).

Every position looks at all codes before it, in raster order. Of the levels above it is given, at
each position, the code that covers it: their grids are enlarged by repeating codes. VideoGPT has
one level, and is conditioned on frames through a network of their own; its dropout is left out.

Shapes: B batch, F features, T H W code grid; t h w the grid of a level above.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.training import Training
from foreframe.errors import UserError
from foreframe.networks.transformer import Embedding
from foreframe.priors import ACTIONS, Codes, Given, Grid, PriorSettings
from foreframe.priors.actions import ActionInput
from foreframe.priors.transformer import TransformerPrior

Count = Annotated[int, Field(ge=1)]


class Settings(PriorSettings):
    """Width and depth; published with Yan et al. 2021: 8 layers of 4 heads, 576 wide."""

    kind: Literal["causal_transformer"]
    training: Training
    width: Count  # F
    heads: Count
    layers: Count
    mlp_ratio: Count  # how many times wider the layer between two blocks' sums is

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(
                f"width is {self.width}, of which {self.heads} heads cannot have equal parts. "
                "Choose a width that heads divides."
            )
        return self


class CausalTransformer(TransformerPrior):
    """p(z | c) = prod_i p(z_i | z_1 .. z_{i-1}, c_1 .. c_i), with c the codes that cover z's."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        width, heads = settings.width, settings.heads
        super().__init__(settings, given, width, heads, settings.layers, settings.mlp_ratio)
        self.above = nn.ModuleDict(
            {
                level: Embedding(given.conditions[level].codebook_size, width)
                for level in settings.condition_on
            }
        )
        # Last, so that the other weights begin as they do without actions.
        actions = given.actions
        self.action_input = None if actions is None else ActionInput(actions, self.grid, width)
        self._whole = self.grid  # also of a shortened prior

    def condition(self, latents: Mapping[str, Tensor]) -> Tensor | None:
        """Return features (B,T,H,W,F) of the levels above and of the actions; see the base."""
        features = [
            enlarged(table(latents[level]), self._whole) for level, table in self.above.items()
        ]
        if self.action_input is not None:
            if ACTIONS not in latents:
                raise UserError(
                    f"The prior of the level {self.settings.level} takes actions, but none are "
                    "given here. Give them, or use priors that were trained with actions: none."
                )
            features.append(self.action_input(latents[ACTIONS]).movedim(1, -1))
        return sum(features[1:], start=features[0]) if features else None


def enlarged(features_BthwF: Tensor, grid: Grid) -> Tensor:
    """Return features (B,T,H,W,F): at each position those of the one that covers it."""
    for axis, size in enumerate(grid, start=1):
        factor = size // features_BthwF.shape[axis]
        features_BthwF = features_BthwF.repeat_interleave(factor, dim=axis)
    return features_BthwF


def build(settings: Settings, given: Given) -> CausalTransformer:
    """Return an untrained prior.

    Raises:
        UserError: a given level's grid does not divide this level's along each axis.
    """
    for level, codes in given.conditions.items():
        _check(settings, given.codes, level, codes)
    return CausalTransformer(settings, given)


def _check(settings: Settings, codes: Codes, level: str, above: Codes) -> None:
    if any(size % part for size, part in zip(codes.grid, above.grid, strict=True)):
        raise UserError(
            f"A causal_transformer of the level {settings.level} with grid {codes.grid} needs "
            f"grids above it that divide this along each axis; {level} has {above.grid}. "
            "Choose other strides of the autoencoder, or leave the level out of condition_on."
        )
