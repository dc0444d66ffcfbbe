"""Questions to a trained autoencoder about its codes, over clips of a data set; a file for each.

A kind has `Settings` and `answer(subject, settings)`, which returns numbers and stores the arrays
that figures show. The stage `question` hands it the subject. Answers have the schema of analyses of
predictors, so reports read both alike.
"""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict

PACKAGE = "foreframe.questions"


class QuestionSettings(Strict):
    """What every kind has: how many clips of each set it looks at, and how many it shows.

    The clips are evenly spread over those that the autoencoder's view has; null takes all.
    """

    kind: str
    clips: Annotated[int, Field(ge=1)] | None
    show: Annotated[int, Field(ge=0)]
