"""How simulated episodes differ: colours as of another season, weather or hour, track, camera.

Everything is drawn once an episode, so that a model sees it in the context and can keep to it. An
amount of 0 leaves the simulator as Gymnasium made it, to the last byte.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy
from numpy.typing import NDArray
from pydantic import Field

from foreframe.config.base import Strict

Amount = Annotated[float, Field(ge=0, le=1)]

# The furthest that an amount of 1 goes, in either direction unless a range is given.
HUE = math.radians(75)  # of the grass: from dry to bluish
SATURATION = (-0.6, 0.2)  # of the grass: from winter to bright
ROAD = 0.3  # share by which road and kerbs are darker or brighter
LIGHT = (-0.55, 0.0)  # down to night
HAZE = (0.0, 0.4)  # share of the haze in what is seen
WIDTH = (-0.2, 0.4)  # of the road; narrower, and the driver's errors take it off the road
TURN = (-0.3, 0.1)  # of the sharpest turn; sharper ones the car cannot take
RADIUS = 0.3  # of the whole track
ZOOM = 0.25
TILT = math.radians(8)  # of the camera, about the car
SHIFT = 0.06  # of the car's place in the frame, in widths of the window

# What distant things fade to.
HAZE_GREY = 200


class Variety(Strict):
    """How much episodes differ, from 0 (not at all) to 1, in three respects."""

    colours: Amount
    track: Amount
    camera: Amount


@dataclass(frozen=True)
class Look:
    """What one episode looks like; the values here are Gymnasium's own.

    Attributes:
        hue: by how much the grass's hue is turned, in radians.
        saturation, road: factors on the grass's saturation, on the road's brightness.
        light: share of the light that is left.
        haze: share of the haze in what is seen.
        width, turn, radius: factors on the road's width, its sharpest turn, the track's size.
        zoom: factor on what the camera shows large.
        tilt: by how much the camera is turned, in radians.
        shift: of the car's place, to the right and upwards, in widths of the window.
    """

    hue: float = 0.0
    saturation: float = 1.0
    road: float = 1.0
    light: float = 1.0
    haze: float = 0.0
    width: float = 1.0
    turn: float = 1.0
    radius: float = 1.0
    zoom: float = 1.0
    tilt: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def grass(self, color: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return a colour of the ground as it looks here; all values are 0 to 255."""
        # A turn about the grey axis, which keeps the mean.
        mean = sum(color) / 3
        gaps_3 = self.saturation * (numpy.array(color) - mean)
        across_3 = (numpy.roll(gaps_3, 1) - numpy.roll(gaps_3, -1)) / math.sqrt(3)
        return _color(mean + math.cos(self.hue) * gaps_3 + math.sin(self.hue) * across_3)

    def paved(self, color: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return a colour of the road or its kerbs as it looks here; all values are 0 to 255."""
        return _color(self.road * numpy.array(color))

    def seen(self, frame: NDArray[numpy.uint8]) -> NDArray[numpy.uint8]:
        """Return a frame, uint8 (height, width, 3), in this light and haze."""
        levels = (1 - self.haze) * numpy.arange(256) + self.haze * HAZE_GREY
        result: NDArray[numpy.uint8] = numpy.rint(self.light * levels).astype(numpy.uint8)[frame]
        return result


def draw(variety: Variety, generator: numpy.random.Generator) -> Look:
    """Return the look of an episode; how far it goes is in proportion to the amounts."""

    def within(amount: float, low: float, high: float) -> float:
        return amount * float(generator.uniform(low, high))

    def around(amount: float, most: float) -> float:
        return within(amount, -most, most)

    return Look(
        hue=around(variety.colours, HUE),
        saturation=1 + within(variety.colours, *SATURATION),
        road=1 + around(variety.colours, ROAD),
        light=1 + within(variety.colours, *LIGHT),
        haze=within(variety.colours, *HAZE),
        width=1 + within(variety.track, *WIDTH),
        turn=1 + within(variety.track, *TURN),
        radius=1 + around(variety.track, RADIUS),
        zoom=1 + around(variety.camera, ZOOM),
        tilt=around(variety.camera, TILT),
        shift=(around(variety.camera, SHIFT), around(variety.camera, SHIFT)),
    )


def _color(values_3: NDArray[numpy.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in numpy.clip(numpy.rint(values_3), 0, 255))
    return red, green, blue
