"""What a drive in CARLA is asked for; checked before any server is spoken to."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict
from foreframe.sources import SourceSettings

# CARLA divides a step into ten substeps of 0.01 s at most: longer ones would lose physics.
LONGEST_STEP = 0.1

# The value of `weather` that draws a preset for each episode.
RANDOM = "random"


class CameraPose(Strict):
    """Where the camera sits on the car, in metres from its middle, and where it looks (degrees)."""

    forward: Annotated[float, Field(ge=-20, le=20)]
    right: Annotated[float, Field(ge=-20, le=20)]
    up: Annotated[float, Field(ge=-20, le=20)]
    pitch: Annotated[float, Field(ge=-90, le=90)]  # upwards
    yaw: Annotated[float, Field(ge=-180, le=180)]  # to the right
    field_of_view: Annotated[float, Field(ge=1, le=170)]  # horizontal


class Drive(SourceSettings):
    """The server, the town and its traffic, the camera, and how much is recorded.

    `step` and `warm_up` are seconds of simulated time, `timeout` is seconds of waiting for one
    answer of the server.
    """

    episodes: Annotated[int, Field(ge=1)]
    frames_per_episode: Annotated[int, Field(ge=1)]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$")]
    port: Annotated[int, Field(ge=1, le=65532)]
    traffic_port: Annotated[int, Field(ge=1, le=65535)]
    timeout: Annotated[float, Field(ge=1, le=3600)]
    step: Annotated[float, Field(gt=0, le=LONGEST_STEP)]
    warm_up: Annotated[float, Field(gt=0, le=60)]
    town: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
    weather: Annotated[str, Field(pattern=r"^[A-Za-z]+$")]
    vehicle: Annotated[str, Field(pattern=r"^vehicle\.[a-z0-9_.]+$")]
    other_vehicles: Annotated[int, Field(ge=0, le=1000)]
    camera: CameraPose

    @model_validator(mode="after")
    def _check(self) -> Self:
        exact = math.isclose(self.steps_per_frame * self.step, self.frame_interval, rel_tol=1e-9)
        if self.steps_per_frame < 1 or not exact:
            raise ValueError(
                f"frame_interval is {self.frame_interval} s, which is no multiple of step, "
                f"{self.step} s: no image would be of the right moment. Choose a step that divides "
                "it, such as 0.05 for 0.2."
            )
        # The server has two more ports for what it sends.
        if self.port <= self.traffic_port <= self.port + 2:
            raise ValueError(
                f"traffic_port ({self.traffic_port}) is one of the server's own ports "
                f"({self.port} to {self.port + 2}). Choose another, such as {self.port + 6000}."
            )
        return self

    @property
    def steps_per_frame(self) -> int:
        """The number of steps of the simulator from one frame to the next."""
        return round(self.frame_interval / self.step)

    @property
    def warm_up_steps(self) -> int:
        """The number of steps before the first frame: cars settle and the exposure adapts."""
        return math.ceil(self.warm_up / self.step - 1e-9)
