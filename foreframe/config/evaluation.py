"""The section `evaluation` of params.yaml: how sets of clips are measured."""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict


class Evaluation(Strict):
    """How many clips are measured at once: it sets speed and memory, no number beyond rounding."""

    batch_size: Annotated[int, Field(ge=1)]
