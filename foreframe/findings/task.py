"""What every pass over the clips shares: the trained networks, the amounts, where results go.

Shapes: n clips, B clips of a batch, T frames or code-frames, H rows, W columns, C = 3 colours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Choice
from foreframe.data.clips import Clips
from foreframe.findings import clamp
from foreframe.findings.settings import Findings
from foreframe.predictors import Predictor
from foreframe.predictors.latent import Latent

TOP, BOTTOM = "top", "bottom"
CONDITIONED, UNCONDITIONED = "bottom", "bottom_unconditioned"
ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)


@dataclass(frozen=True)
class Task:
    """The trained networks, how much is measured, and where the results go."""

    predictor: Latent
    unconditioned: Latent  # with the bottom prior that is not given the top
    baselines: Mapping[str, Predictor]
    settings: Findings
    maps: hdf5.File
    series: list[dict[str, Any]]  # rows of the table

    def predictors(self) -> dict[str, Latent]:
        """Return the predictors by the name of their bottom prior."""
        return {CONDITIONED: self.predictor, UNCONDITIONED: self.unconditioned}

    def store(self, name: str, values: Tensor) -> None:
        """Write an array; float64 as float32."""
        array = values.cpu().numpy()
        array = array.astype(numpy.float32) if array.dtype == numpy.float64 else array
        hdf5.store(self.maps, name, array)


@dataclass(frozen=True)
class TestClips:
    """Some clips of the test set: their frames on disk, and their codes (n,T,H,W) by level."""

    __test__ = False  # no test, whatever the name says to pytest

    clips: Clips
    codes: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.clips)

    def some(self, places: Sequence[int]) -> dict[str, Tensor]:
        """Return the codes (B,T,H,W) of some clips by level."""
        return {level: ids[list(places)] for level, ids in self.codes.items()}


def decode_levels(predictor: Latent, codes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what both levels, and either alone, decode to: uint8 (B,T,H,W,C)."""
    return {
        "reconstruction": predictor.decode(codes),
        "top_only": predictor.decode(codes, drop=[BOTTOM]),
        "bottom_only": predictor.decode(codes, drop=[TOP]),
    }


def grey_levels(predictor: Latent, codes: Mapping[str, Tensor]) -> Tensor:
    """Return reconstructions before anything is clamped: (B,T,H,W,C) on the CPU."""
    with torch.no_grad():
        # Clip by clip, as the predictor decodes: the last bit may depend on the batch.
        parts = [
            predictor.autoencoder.decode(
                {level: ids[clip : clip + 1].to(predictor.device) for level, ids in codes.items()}
            )
            for clip in range(len(codes[TOP]))
        ]
    return clamp.levels(torch.cat(parts), predictor.normalizer).cpu()
