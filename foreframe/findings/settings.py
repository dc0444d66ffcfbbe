"""The section `findings` of a study's parameters: how many clips the findings rest on."""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict

Count = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Findings(Strict):
    """Clips are evenly spread over those there are; futures are all measured, decoded ones not.

    `clips` are decoded level by level, and given wrong top codes; `continued` are sampled anew,
    with the true top and with a corrupted code; `show` are kept for pictures. A rollout is static
    with less than `static_below` of the true motion energy, faded (blurred) with less than
    `faded_below` of the contrast (sharpness).
    """

    clips: Count
    continued: Count
    show: Annotated[int, Field(ge=1)]
    static_below: Share
    faded_below: Share
    seed: Annotated[int, Field(ge=0, lt=2**63)]
