"""The driver of the simulated car: pure pursuit of the road's middle at a wandering speed.

Pure pursuit (Coulter 1992) steers on the circle through a point ahead on the road. Lengths are the
simulator's units (the road is 13.3 wide, the car 5.2 long), times seconds, angles radians.
"""

import math

import numpy
from numpy.typing import NDArray

PERIOD = 0.02  # between two actions
WHEEL_BASE = 3.24
LOOK_AHEAD = 6.0  # of a standing car
LOOK_AHEAD_TIME = 0.2
SIGHT = 80.0  # how far ahead curves are seen
SIDE_ACCELERATION = 45.0  # the tyres hold about 200
BRAKING = 25.0  # deceleration that the driver counts on
CRUISE_PERIOD = 2.0  # between two wishes for a speed
NOISE = 0.03  # standard deviation of the steering error
NOISE_TIME = 0.5  # after which the steering error is forgotten
GAS_GAIN = 0.05
BRAKE_GAIN = 0.03
BRAKE_TOLERANCE = 0.7
BRAKE_LIMIT = 0.5  # wheels lock at 0.9


class Driver:
    """Drives along a closed track from point `place` of it, with errors drawn from `generator`."""

    def __init__(
        self,
        track_N2: NDArray[numpy.float64],
        place: int,
        speed_low: float,
        speed_high: float,
        generator: numpy.random.Generator,
    ) -> None:
        step_N2 = numpy.roll(track_N2, -1, axis=0) - track_N2
        self.track_N2 = track_N2
        self.spacing = float(numpy.hypot(*step_N2.T).mean())
        heading_N = numpy.arctan2(step_N2[:, 1], step_N2[:, 0])
        turn_N = (numpy.roll(heading_N, -1) - heading_N + numpy.pi) % (2 * numpy.pi) - numpy.pi
        self.curvature_N = numpy.abs(turn_N) / numpy.hypot(*step_N2.T)
        self.speed_low, self.speed_high = speed_low, speed_high
        self.generator = generator
        self.wish, self.next_wish = self._draw_speed(), self._draw_speed()
        self.error = 0.0
        self.place = place
        self.steps = 0

    def act(
        self, position_2: NDArray[numpy.float64], angle: float, speed: float
    ) -> NDArray[numpy.float64]:
        """Return (steer -1..1, gas 0..1, brake 0..1) for the next `PERIOD`.

        `angle` turns left from the direction (0, 1) that an unturned car looks in.
        """
        self._advance(position_2)
        target_2 = self._ahead(LOOK_AHEAD + LOOK_AHEAD_TIME * speed) - position_2
        forward = -math.sin(angle) * target_2[0] + math.cos(angle) * target_2[1]
        left = -math.cos(angle) * target_2[0] - math.sin(angle) * target_2[1]
        distance = math.hypot(forward, left)
        # The circle through the target has the curvature 2 sin(bearing) / distance.
        wheel = math.atan2(2 * WHEEL_BASE * left / distance, distance)
        lacking = self._wanted_speed() - speed
        return numpy.array(
            [
                numpy.clip(self._steering_error() - wheel, -1, 1),
                numpy.clip(GAS_GAIN * lacking, 0, 1),
                numpy.clip(BRAKE_GAIN * (-lacking - BRAKE_TOLERANCE), 0, BRAKE_LIMIT),
            ]
        )

    def _advance(self, position_2: NDArray[numpy.float64]) -> None:
        # Only nearby points: where the road comes close to itself the car must not change lanes.
        near = (self.place + numpy.arange(-5, 15)) % len(self.track_N2)
        distances = numpy.square(self.track_N2[near] - position_2).sum(axis=1)
        self.place = int(near[distances.argmin()])
        self.steps += 1

    def _ahead(self, distance: float) -> NDArray[numpy.float64]:
        place = (self.place + round(distance / self.spacing)) % len(self.track_N2)
        return self.track_N2[place]

    def _wanted_speed(self) -> float:
        # v^2 = a / curvature in a curve, and 2 * braking * distance more when it is still ahead.
        distance_S = self.spacing * numpy.arange(int(SIGHT / self.spacing))
        places_S = (self.place + numpy.arange(len(distance_S))) % len(self.track_N2)
        curvature_S = numpy.maximum(self.curvature_N[places_S], 1e-6)
        squares_S = SIDE_ACCELERATION / curvature_S + 2 * BRAKING * distance_S
        return min(self._cruise(), math.sqrt(squares_S.min()))

    def _cruise(self) -> float:
        # Half a cosine from one wish to the next.
        phase = (self.steps * PERIOD) % CRUISE_PERIOD / CRUISE_PERIOD
        if phase < PERIOD / CRUISE_PERIOD / 2:
            self.wish, self.next_wish = self.next_wish, self._draw_speed()
        weight = (1 - math.cos(math.pi * phase)) / 2
        return (1 - weight) * self.wish + weight * self.next_wish

    def _draw_speed(self) -> float:
        return float(self.generator.uniform(self.speed_low, self.speed_high))

    def _steering_error(self) -> float:
        # An Ornstein-Uhlenbeck process: smooth, and it forgets.
        kept = 1 - PERIOD / NOISE_TIME
        fresh = NOISE * math.sqrt(1 - kept**2) * float(self.generator.standard_normal())
        self.error = kept * self.error + fresh
        return self.error
