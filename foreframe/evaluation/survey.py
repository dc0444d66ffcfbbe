"""What every share of a sampling and an evaluation must know of all frames, found once for all.

Each share would read terabytes for it: the digest of the frames, which says what data set a number
is of, and the mean training frame, a baseline.

Shapes: H rows, W columns, C = 3 colours.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.errors import ArtefactError

SCHEMA = "survey"


@dataclass(frozen=True)
class Survey:
    """What is known of a file of frames.

    Attributes:
        dataset: its digest.
        split: the digest of the split that says which frames are for training.
        mean: that of these training frames, uint8 (H,W,C).
    """

    dataset: str
    split: str
    mean: Tensor

    def save(self, path: Path) -> None:
        """Write it down."""
        about = {"dataset": self.dataset, "split": self.split}
        with hdf5.creating(path, SCHEMA, about) as file:
            hdf5.store(file, "mean_frame", self.mean.numpy())

    @classmethod
    def load(cls, path: Path, split: Path) -> Self:
        """Read what was found of the frames that `split` is of.

        Raises:
            ArtefactError: the file is missing or damaged, or the split was another one.
        """
        with hdf5.opening(path, SCHEMA) as file:
            mean = torch.from_numpy(file["mean_frame"][:])
            found = cls(file.attrs["dataset"], file.attrs["split"], mean)
        if found.split != digest(split):
            raise ArtefactError(f"{path} was made with another split than {split}. {facts.CURE}")
        return found
