"""Analyses: one question to a trained predictor, over the clips of a protocol; a file for each.

A kind has `Settings` and `analyse(subject, settings)`, which returns numbers and rows by frame, and
stores the arrays that figures show. The stage `analyse` hands it the subject.
"""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict

PACKAGE = "foreframe.analyses"
SCHEMA = "analysis"


class AnalysisSettings(Strict):
    """What every kind has: how many of the protocol's clips it looks at, and how many it shows.

    The clips are evenly spread over those that the protocol could continue; null takes all.
    """

    kind: str
    clips: Annotated[int, Field(ge=1)] | None
    show: Annotated[int, Field(ge=0)]
