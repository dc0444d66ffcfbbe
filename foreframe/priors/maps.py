"""What generators of single maps of codes have in common: maps as grey pictures, and drawing them.

The codes of a level are one map of a picture, whose indices are read as grey values
(`networks.index_map`); a sample is the nearest index of what a generator draws.

Shapes: B maps, T H W code grid with T = 1, Z numbers of noise, s the side of the level above.
"""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.networks.growing import FIRST
from foreframe.networks.index_map import IndexMap
from foreframe.priors import Codes, Given, ImplicitPrior, PriorSettings
from foreframe.randomness import Draws, Numbers

CRITIC, GENERATOR = "critic", "generator"  # the players
# Maps drawn at once: attention at a side of 64 keeps 134 MB for each.
ROWS = 16


class MapSettings(PriorSettings):
    """What both kinds have; true maps can be moved by up to half an index (`dequantise`)."""

    training: Plan
    condition_on: Annotated[tuple[str, ...], Field(max_length=1)]
    actions: Literal["none"]
    dequantise: bool


class MapPrior(ImplicitPrior):
    """A generator of maps of codes and, for training, its critic."""

    settings: MapSettings
    generator: nn.Module

    def __init__(self, settings: MapSettings, given: Given) -> None:
        super().__init__(settings, given)
        self.side = side_of(settings.kind, settings.level, given.codes)
        self.index_map = IndexMap(given.codes.codebook_size)

    @property
    @abstractmethod
    def noise(self) -> int:
        """How many numbers Z a map is drawn from."""

    @abstractmethod
    def make(self, generator: nn.Module, noise_BZ: Tensor, above_B1ss: Tensor | None) -> Tensor:
        """Return maps (B,1,H,W) that a generator like `self.generator` makes of noise."""

    def true(self, batch: Mapping[str, Tensor], numbers: Numbers) -> Tensor:
        """Return the true maps of a batch as grey values (B,1,H,W)."""
        values = self.index_map.values(batch[self.settings.level])
        return self.index_map.spread(values, numbers) if self.settings.dequantise else values

    def above(self, latents: Mapping[str, Tensor]) -> Tensor | None:
        """Return the codes of the level above as grey values (B,1,s,s), where one is given."""
        for level in self.settings.condition_on:
            return IndexMap(self.conditions[level].codebook_size).values(latents[level])
        return None

    def draw_noise(self, rows: Tensor, numbers: Numbers) -> Tensor:
        """Return noise (B,Z) for as many maps as there are rows."""
        return numbers.normal((len(rows), self.noise)).to(rows.device)

    def sample(
        self, given_BTHW: Tensor, latents: Mapping[str, Tensor], draws: Draws, window: int
    ) -> Tensor:
        """Return codes (B,1,H,W) int64; see the base.

        They are worked out in float64, so that how a batch is cut turns no rounding over.
        """
        if given_BTHW.shape[1] > 0:
            raise UserError(
                f"The prior of the level {self.settings.level} is a {self.settings.kind}, which "
                "draws whole maps and cannot go on from given codes. Use a context of 0 frames, "
                "and a horizon of one clip of the autoencoder."
            )
        generator = copy.deepcopy(self.generator).double().eval()
        noise_BZ = draws.normal(self.settings.level, (window,), (self.noise,)).double()
        above = self.above(latents)
        made = []
        with torch.no_grad():
            for rows in torch.arange(len(draws)).split(ROWS):
                seen = None if above is None else above[rows].double()
                here = noise_BZ[rows].to(given_BTHW.device)
                made.append(self.index_map.ids(self.make(generator, here, seen)))
        return torch.cat(made)


def side_of(kind: str, level: str, codes: Codes) -> int:
    """Return the side of the square map of codes that a level has.

    Raises:
        UserError: it has several code-frames, or another shape.
    """
    frames, height, width = codes.grid
    if frames != 1:
        raise UserError(
            f"A {kind} models single maps of codes, but a clip of the level {level} has {frames} "
            "of them. Use an autoencoder of pictures, or a kind of prior for clips, such as "
            "pixel_snail."
        )
    if height != width or height < FIRST or height & (height - 1):
        raise UserError(
            f"A {kind} needs square maps whose side is 4, 8, 16 or another doubling of it, but the "
            f"level {level} has {height} x {width} codes. Change the size of the frames or the "
            "strides of the autoencoder, or choose another kind of prior."
        )
    return height
