"""The section `latents` of params.yaml: which training clips are stored as codes."""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict


class LatentSettings(Strict):
    """`train_stride`: frames from one stored training clip to the next (Xu 2022, 4.3: see docs)."""

    train_stride: Annotated[int, Field(ge=1)]
