"""The sections `training` of params.yaml: how one network is fitted, for every kind of network."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from foreframe.config.base import Strict


class Training(Strict):
    """Optimiser, length and step size of one training run."""

    optimizer: Literal["adamw", "adam"]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]  # decoupled (AdamW), so 0 for adam
    batch_size: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    gradient_clip: Annotated[float, Field(gt=0)] | None  # largest global norm; null: no clipping
    schedule: Literal["constant", "cosine"]  # cosine falls to 0 at the last step
    warmup_steps: Annotated[int, Field(ge=0)]
    log_every: Annotated[int, Field(ge=1)]  # steps that one row of the curve averages
    diverging: Literal["stop", "record"]  # a loss that is not finite: an error, or a result

    @model_validator(mode="after")
    def _decay_is_used(self) -> Self:
        if self.optimizer == "adam" and self.weight_decay != 0:
            raise ValueError(
                "weight_decay is not used by the optimizer adam. Set it to 0, or use adamw."
            )
        return self
