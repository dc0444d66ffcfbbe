"""The section `compute` of params.yaml: where the numbers are computed, and how exactly."""

from typing import Annotated, Literal

from pydantic import Field

from foreframe.config.base import Strict


class Compute(Strict):
    """Device, number of CPU threads and arithmetic; each of them can change the last bits."""

    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1, le=1024)]
    precision: Literal["float32", "tf32", "bfloat16"]
