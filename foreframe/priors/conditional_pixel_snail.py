"""Kind `conditional_pixel_snail`: one level's codes given another's, no attention (Xu 2022, 5.3.2).

Large masked kernels in a deep gated residual network; the codes of the level above, of half the
size along each axis, pass a deep stack that is not causal, because they are all known.

Xu 2022 describes the stack's output as added to the input; the code published with it adds it
where nothing reads it. `conditioning: input` is the text, `none` the code.

Shapes: B batch, C condition channels, F channels, T H W code grid, K codes; t h w the condition's
grid, L its codes.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.training import Training
from foreframe.errors import UserError
from foreframe.networks import causal
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.snail import GatedResidualLayer, Trunk
from foreframe.priors import Given, PriorSettings
from foreframe.priors.snail import Box, SnailPrior

INPUT_KERNEL = (2, 2, 2)
FACTOR = 2  # how much larger the grid is than the condition's, along each axis

Count = Annotated[int, Field(ge=1)]
Kernel = tuple[Count, Count, Count]
Span = tuple[int, int]  # the first position and the one after the last, along an axis


class Settings(PriorSettings):
    """Widths, depths and kernels; Xu 2022 states their total of 102 million parameters alone."""

    kind: Literal["conditional_pixel_snail"]
    training: Training
    condition_on: tuple[str]
    channels: Count  # F
    residual_layers: Count  # r, in each block
    blocks: Count  # s
    kernel: Kernel
    condition_layers: Annotated[int, Field(ge=0)]  # q
    condition_channels: Count  # Cc
    condition_kernel: Kernel
    conditioning: Literal["input", "none"]

    @model_validator(mode="after")
    def _kernels_have_a_centre(self) -> Self:
        for name in ("kernel", "condition_kernel"):
            if any(side % 2 == 0 for side in getattr(self, name)):
                raise ValueError(
                    f"{name} is {list(getattr(self, name))}; its sides must be odd, "
                    "so that it has a centre, for example [3, 7, 7]."
                )
        return self


class ConditionStack(Recomputed):
    """The given codes, enlarged by two along each axis, then gated residual layers."""

    def __init__(self, codes: int, width: int, layers: int, kernel: causal.Kernel, outputs: int):
        super().__init__()
        self.codes = codes
        self.enlarge = nn.Sequential(
            nn.ConvTranspose3d(codes, width, (4, 3, 3), stride=(2, 1, 1), padding=1),
            nn.ELU(),
            nn.ConvTranspose3d(width, width, (3, 4, 4), stride=(1, 2, 2), padding=1),
            nn.ELU(),
            nn.ConvTranspose3d(width, width, 3, padding=1),
        )
        self.reach = padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.layers = nn.Sequential(
            *(
                GatedResidualLayer(
                    width,
                    lambda inputs, outputs: nn.Conv3d(inputs, outputs, kernel, padding=padding),
                )
                for _ in range(layers)
            )
        )
        self.out = nn.Conv3d(width, outputs, 1)

    def forward(self, codes_Bthw: Tensor, box: Box) -> Tensor:
        """Return features for codes 0..L-1 (B,t,h,w) int64, in a box of (B,F,2t,2h,2w)."""
        one_hot = functional.one_hot(codes_Bthw, self.codes).movedim(-1, 1)
        x: Tensor = self.enlarge[:-1](one_hot.to(self.out.weight.dtype))
        # Around the box each layer is computed as far as the layers after it look.
        spans = [part.indices(size)[:2] for part, size in zip(box, x.shape[2:], strict=True)]
        edges = [(0, size) for size in x.shape[2:]]
        margins = [1 + 2 * len(self.layers) * side for side in self.reach]
        x, edges = _cut(x, edges, spans, margins)
        x = self.enlarge[-1](x)
        for after, layer in zip(range(len(self.layers), 0, -1), self.layers, strict=True):
            x, edges = _cut(x, edges, spans, [2 * after * side for side in self.reach])
            x = layer(x)
        x, _ = _cut(x, edges, spans, [0, 0, 0])
        features: Tensor = self.out(x)
        return features


def _cut(
    x: Tensor, edges: list[Span], spans: list[Span], margins: list[int]
) -> tuple[Tensor, list[Span]]:
    """Cut features that lie within edges to some spans and their margins; return the new edges."""
    every = zip(edges, spans, margins, strict=True)
    kept = [
        (max(low, first - margin), min(high, last + margin))
        for (low, high), (first, last), margin in every
    ]
    parts = [slice(a - low, b - low) for (low, _), (a, b) in zip(edges, kept, strict=True)]
    return x[:, :, *parts], kept


class ConditionalPixelSnail(SnailPrior):
    """p(z | c) = prod_i p(z_i | z_1 .. z_{i-1}, c), with c the codes of the level above."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        (self.level_above,) = settings.condition_on
        codes = given.codes
        self.input = causal.code_input(codes.codebook_size, settings.channels, INPUT_KERNEL)
        self.trunk = Trunk(
            settings.channels,
            settings.blocks,
            settings.residual_layers,
            lambda inputs, outputs: causal.centred(inputs, outputs, settings.kernel),
            None,
            codes.grid,
            codes.codebook_size,
        )
        self.stack = ConditionStack(
            given.conditions[self.level_above].codebook_size,
            settings.condition_channels,
            settings.condition_layers,
            settings.condition_kernel,
            settings.channels,
        )
        # Last, so that the other weights begin as they do without actions.
        self.action_input = self._actions(settings.channels)

    def above(self, latents: Mapping[str, Tensor], box: Box) -> Tensor | None:
        """Return features (B,F,t,h,w) of the given codes in a box; None: they have no effect."""
        if self.settings.conditioning == "none":
            return None
        features: Tensor = self.stack(latents[self.level_above], box)
        return features


def build(settings: Settings, given: Given) -> ConditionalPixelSnail:
    """Return an untrained prior.

    Raises:
        UserError: the given level's grid is not half of this level's along each axis.
    """
    (above,) = settings.condition_on
    grid, grid_above = given.codes.grid, given.conditions[above].grid
    if tuple(FACTOR * size for size in grid_above) != grid:
        raise UserError(
            f"A conditional_pixel_snail of the level {settings.level} with grid {grid} needs "
            f"a grid of half its size above it; {above} has {grid_above}. "
            "Choose another kind of prior, or other strides of the autoencoder."
        )
    return ConditionalPixelSnail(settings, given)
