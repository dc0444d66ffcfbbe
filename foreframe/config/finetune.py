"""The section `finetune` of a study: autoencoder and priors, trained jointly."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict
from foreframe.config.training import Training


class Finetune(Strict):
    """Weight and gradient of the rate beside the autoencoder's loss; see `autoencoders.joint`."""

    train_every: Annotated[int, Field(ge=1)]  # each so-many-th training clip is learned from
    rate_weight: Annotated[float, Field(ge=0)]  # of the nats for each number of a clip
    temperature: Annotated[float, Field(gt=0)]  # 1: as spread out as the vectors are about a code
    training: Training

    @model_validator(mode="after")
    def _stops_when_it_diverges(self) -> Self:
        if self.training.diverging != "stop":
            raise ValueError(
                "training.diverging is record, but networks that diverged are of no use to what "
                "follows. Set it to stop."
            )
        return self
