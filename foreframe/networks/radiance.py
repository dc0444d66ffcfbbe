"""Radiance fields: how dense space is at a point and what it sends a way, told by two codes.

A perceptron sees waves of the point, sin and cos of 2^i pi l for i = 0 ... L - 1 (Mildenhall et
al. 2020). Density depends on the code of shape alone; what is sent on the code of appearance and
the way too, so that a thing keeps its form when its colour changes (Schwarz et al. 2020). Codes are
added after linear maps of their own: shape after the first layer and at the skip, appearance and
way before what is sent.

Shapes: N fields of one kind, Q points of each, C features that are sent, S numbers of a shape, A of
an appearance.
"""

import math
from typing import Annotated, Self

import torch
from pydantic import Field as Value
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks import initialization
from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

COLOURS = 3  # the first of the features, between 0 and 1

Count = Annotated[int, Value(ge=1)]


class FieldSettings(Strict):
    """Sizes of a field's perceptron.

    Objects have 8 layers of 64 with a skip at the fourth; the background is 16 wide, and how many
    layers it has is lost in the printed table: 4 is GIRAFFE's number.
    """

    layers: Count
    width: Count
    skip: Count | None  # the layer that sees the point again, from 1; null: none
    point_waves: Count  # L of the point, 10
    way_waves: Annotated[int, Value(ge=0)]  # L of the way, 4; 0: the same is sent every way
    density: float  # of the first density's bias: things are to be seen from the start
    divided: Annotated[float, Value(gt=0)]  # what points are divided by; background 12, objects 1
    # Whether density fades to 0 towards the faces of [-1, 1]^3. It makes a box's edge soft, so that
    # its place has a gradient before anything is learned of what is in it; not in the document.
    fades: bool

    @model_validator(mode="after")
    def _skips_to_a_layer(self) -> Self:
        if self.skip is not None and not 2 <= self.skip <= self.layers:
            raise ValueError(
                f"skip is {self.skip}, but the layers that can see the point again are 2 to "
                f"{self.layers}. Choose one, or null."
            )
        return self


def waves(points: Tensor, count: int) -> Tensor:
    """Return sine and cosine of 2^i pi p, i = 0 ... count - 1, of shape (..., 6 count) for 3."""
    octaves = math.pi * 2.0 ** torch.arange(count, device=points.device, dtype=points.dtype)
    angles = (points[..., None] * octaves).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Field(Recomputed):
    """One perceptron for all fields of a kind; `features` are C, at least the three colours."""

    def __init__(self, settings: FieldSettings, shape: int, appearance: int, features: int) -> None:
        super().__init__()
        assert features >= COLOURS
        width, inputs = settings.width, 6 * settings.point_waves
        self.settings = settings
        self.point, self.shape = nn.Linear(inputs, width), nn.Linear(shape, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(settings.layers - 1))
        if settings.skip is not None:
            self.point_again, self.shape_again = nn.Linear(inputs, width), nn.Linear(shape, width)
        self.density = Density(width, settings.density)
        self.sent = nn.Linear(width, width)
        self.appearance = nn.Linear(appearance, width)
        if settings.way_waves:
            self.way = nn.Linear(6 * settings.way_waves, width)
        self.features = nn.Linear(width, features)

    def forward(
        self,
        points_NQ3: Tensor,
        ways_NQ3: Tensor | None,
        shape_NS: Tensor,
        appearance_NA: Tensor,
        noise_NQ: Tensor | None,
        features: int,
    ) -> tuple[Tensor, Tensor]:
        """Return densities (N,Q), at least 0, and the first `features` features (N,Q,C).

        `noise_NQ` is added to densities before they are cut off at 0, as in training; `ways_NQ3`
        are unit vectors, None where fields send the same every way.
        """
        seen_NQ = waves(points_NQ3 / self.settings.divided, self.settings.point_waves)
        h_NQ = functional.relu(self.point(seen_NQ) + self.shape(shape_NS)[:, None])
        for number, layer in enumerate(self.layers, start=2):
            h_NQ = layer(h_NQ)
            if number == self.settings.skip:
                h_NQ = h_NQ + self.point_again(seen_NQ) + self.shape_again(shape_NS)[:, None]
            h_NQ = functional.relu(h_NQ)
        density_NQ = self.density(h_NQ)[..., 0]
        if noise_NQ is not None:
            density_NQ = density_NQ + noise_NQ
        sent_NQ = self.sent(h_NQ) + self.appearance(appearance_NA)[:, None]
        if self.settings.way_waves:
            assert ways_NQ3 is not None
            sent_NQ = sent_NQ + self.way(waves(ways_NQ3, self.settings.way_waves))
        # Fewer features than there are cost less, once colours alone are asked for.
        weight, bias = self.features.weight[:features], self.features.bias[:features]
        found_NQC = functional.linear(functional.relu(sent_NQ), weight, bias)
        colours, rest = found_NQC[..., :COLOURS].sigmoid(), found_NQC[..., COLOURS:]
        density_NQ = functional.relu(density_NQ)
        if self.settings.fades:
            density_NQ = density_NQ * (1 - points_NQ3.square()).clamp_min(0).prod(dim=2)
        return density_NQ, torch.cat([colours, rest], dim=2)


class Density(nn.Linear):
    """The layer of densities, whose bias begins as what it is told."""

    def __init__(self, width: int, begin: float) -> None:
        super().__init__(width, 1)
        self.begin = begin

    def draw(self, numbers: Numbers) -> None:
        """Fill weights as of any linear layer, and the bias."""
        initialization.draw(self.weight, None, numbers)
        self.bias.fill_(self.begin)
