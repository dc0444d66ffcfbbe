"""Where things are in a scene: seven numbers that place, scale and turn a box of their own.

A point l of the world is R (l - t) / s of the thing's own space, in which its box is [-1, 1]^3,
with place t, scale s along each of its axes and R a turn about the vertical (Castrejon 2022, 10.3).

Shapes: B scenes, K things, Q points of a thing.
"""

from typing import Annotated, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict

NUMBERS = 7  # of a pose: three of place, three of scale, one turn

Positive = Annotated[float, Field(gt=0)]


class Reach(Strict):
    """Which poses there are; the document does not say. Turns are not used in its experiments."""

    places: tuple[Positive, Positive, Positive]  # +- along x, y, z; 0.8
    lift: float  # by which the middle of places is above the ground's height 0
    smallest: Positive  # half of a box's side; 0.05
    largest: Positive  # 0.3
    turns: bool

    @model_validator(mode="after")
    def _has_sizes(self) -> Self:
        if self.largest <= self.smallest:
            raise ValueError(
                f"smallest is {self.smallest} and largest is {self.largest}. Raise largest."
            )
        return self


class Poses(NamedTuple):
    """Poses of things: `place` (B,K,3), `scale` (B,K,3), and `turn` (B,K) in radians."""

    place: Tensor
    scale: Tensor
    turn: Tensor

    @classmethod
    def of(cls, numbers_BK7: Tensor, reach: Reach) -> "Poses":
        """Return the poses of any seven numbers each, within reach."""
        place_BK3, scale_BK3, turn_BK1 = numbers_BK7.split([3, 3, 1], dim=2)
        reached_3 = numbers_BK7.new_tensor(reach.places)
        middle_3 = numbers_BK7.new_tensor([0.0, 0.0, reach.lift])
        return cls(
            middle_3 + reached_3 * place_BK3.tanh(),
            reach.smallest + (reach.largest - reach.smallest) * scale_BK3.sigmoid(),
            turn_BK1[..., 0] * float(reach.turns),
        )

    @property
    def numbers(self) -> Tensor:
        """All seven of each, (B,K,7)."""
        return torch.cat([self.place, self.scale, self.turn[..., None]], dim=2)

    @property
    def matrices(self) -> Tensor:
        """What takes points of a thing's own space to the world, affine, (B,K,4,4)."""
        linear_BK33 = self._turning().transpose(2, 3) * self.scale[..., None, :]
        top_BK34 = torch.cat([linear_BK33, self.place[..., None]], dim=3)
        last_BK14 = top_BK34.new_tensor([0.0, 0, 0, 1]).expand(*top_BK34.shape[:2], 1, 4)
        return torch.cat([top_BK34, last_BK14], dim=2)

    def inward(self, points_BKQ3: Tensor) -> Tensor:
        """Return points of the world in each thing's own space, (B,K,Q,3)."""
        return self.along(points_BKQ3 - self.place[:, :, None]) / self.scale[:, :, None]

    def outward(self, points_BKQ3: Tensor) -> Tensor:
        """Return points of each thing's own space in the world, (B,K,Q,3)."""
        scaled_BKQ3 = points_BKQ3 * self.scale[:, :, None]
        return scaled_BKQ3 @ self._turning() + self.place[:, :, None]

    def along(self, ways_BKQ3: Tensor) -> Tensor:
        """Return ways in the world as a thing sees them that is turned, (B,K,Q,3)."""
        return ways_BKQ3 @ self._turning().transpose(2, 3)

    def _turning(self) -> Tensor:
        """Return R (B,K,3,3)."""
        cosine, sine = self.turn.cos(), self.turn.sin()
        none, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        rows = [(cosine, sine, none), (-sine, cosine, none), (none, none, one)]
        return torch.stack([torch.stack(row, dim=2) for row in rows], dim=2)
