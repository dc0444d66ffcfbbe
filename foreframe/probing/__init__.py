"""Probing: how much of a label a simple classifier reads off the codes of one level.

Coppock (2020, 4.4) trains "a simple classifier", untuned, on the latents of each level by itself
under cross-validation: codes whose order means something should be easier to read. Neither network
nor input is told, so both are a choice here.
"""

from typing import Annotated, Literal

from pydantic import Field

from foreframe.config.training import Training
from foreframe.models import ModelSettings

Kind = Literal["index_mlp", "index_linear", "index_cnn", "vector_cnn", "vector_linear"]
SetName = Literal["train", "validation", "test"]


class ProbeSettings(ModelSettings):
    """Which clips are told apart by what, and how.

    kind: what is read, an index of each place or the vector of its code, and the network; level: of
    the autoencoder; label: of the data; sets: whose clips are taken together; folds: of the
    cross-validation; training: of the network of each fold, the same for all.
    """

    kind: Kind
    level: str
    label: str
    sets: Annotated[tuple[SetName, ...], Field(min_length=1)]
    folds: Annotated[int, Field(ge=2)]
    training: Training
