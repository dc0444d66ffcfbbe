"""The section `compute` of params.yaml: where the numbers are computed, and how exactly."""

from typing import Annotated, Literal

from pydantic import Field

from foreframe.config.base import Strict
from foreframe.running.instructions import Level


class Compute(Strict):
    """Device, CPU instructions and threads, arithmetic; each of them can change the last bits."""

    device: Literal["auto", "cpu", "cuda"]
    instructions: Level
    threads: Annotated[int, Field(ge=1, le=1024)]
    precision: Literal["float32", "tf32", "bfloat16"]
