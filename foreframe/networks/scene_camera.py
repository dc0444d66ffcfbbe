"""Cameras that look at the middle of a scene, and the rays that they see it by.

The world is (x, y, z): x to the right, y away from the viewer, z upwards. A camera looks at a point
`aim` above the origin, from `distance` away, `elevation` degrees above the horizontal and `azimuth`
degrees around the scene, from -y at 0 towards x.

Shapes: R = rows x columns rays.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict

Positive = Annotated[float, Field(gt=0)]


class Camera(Strict):
    """Where pictures are taken from.

    The document says 33 degrees above the ground; GIRAFFE's settings (Niemeyer and Geiger 2021),
    from which that seems to be read, have an elevation of 19.5, a distance of 2.732, a view of
    49.13 degrees, and rays from 0.5 to 6.
    """

    elevation: Annotated[float, Field(gt=-90, lt=90)]  # degrees
    azimuth: float  # degrees
    distance: Positive
    aim: float  # 0
    view: Annotated[float, Field(gt=0, lt=180)]  # degrees that the rows of a picture see
    near: Positive  # where rays begin, and where they end
    far: Positive

    @model_validator(mode="after")
    def _sees_something(self) -> Self:
        if self.far <= self.near:
            raise ValueError(
                f"near is {self.near} and far is {self.far}, so rays see nothing. Raise far."
            )
        return self

    def turned(self, degrees: float) -> "Camera":
        """Return the camera, moved around the scene by so many degrees of azimuth."""
        return self.model_copy(update={"azimuth": self.azimuth + degrees})

    def zoomed(self, factor: float) -> "Camera":
        """Return the camera with a lens by which things are so many times as large."""
        narrow = 2 * math.atan(math.tan(math.radians(self.view) / 2) / factor)
        return self.model_copy(update={"view": math.degrees(narrow)})

    @property
    def axes(self) -> Tensor:
        """What is right, up and ahead in the picture, as rows (3,3) of unit vectors, float64."""
        azimuth, elevation = math.radians(self.azimuth), math.radians(self.elevation)
        sine, cosine = math.sin(azimuth), math.cos(azimuth)
        ahead = [-sine * math.cos(elevation), cosine * math.cos(elevation), -math.sin(elevation)]
        up = [-sine * math.sin(elevation), cosine * math.sin(elevation), math.cos(elevation)]
        return torch.tensor([[cosine, sine, 0.0], up, ahead], dtype=torch.float64)

    @property
    def place(self) -> Tensor:
        """Where it stands (3,), float64."""
        middle = torch.tensor([0.0, 0.0, self.aim], dtype=torch.float64)
        return middle - self.distance * self.axes[2]

    def rays(self, rows: int, columns: int) -> "Rays":
        """Return the rays through the middles of pixels, row by row from the top."""
        step = 2 * math.tan(math.radians(self.view) / 2) / rows
        up_H = ((rows - 1) / 2 - torch.arange(rows, dtype=torch.float64)) * step
        right_W = (torch.arange(columns, dtype=torch.float64) - (columns - 1) / 2) * step
        right, up, ahead = self.axes
        ways_HW3 = ahead + up_H[:, None, None] * up + right_W[:, None] * right
        ways_R3 = ways_HW3.flatten(0, 1)
        ways_R3 = ways_R3 / ways_R3.norm(dim=1, keepdim=True)
        return Rays(self.place.float(), ways_R3.float(), self.near, self.far)


@dataclass(frozen=True)
class Rays:
    """Rays of one camera.

    Attributes:
        begin: of all of them, (3,).
        ways: unit vectors (R,3).
        near: the distance along a ray from which on it sees.
        far: the distance up to which it does.
    """

    begin: Tensor
    ways: Tensor
    near: float
    far: float

    def to(self, like: Tensor) -> "Rays":
        """Return them as numbers of the kind of a tensor, on its device."""
        return Rays(self.begin.to(like), self.ways.to(like), self.near, self.far)
