"""The code grids of all clips on disk: their shapes, and the codes of the clips asked for.

Shapes: B clips, T H W the code grid of a level.
"""

import json
from collections.abc import Iterable
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.priors import Codes

SCHEMA = "latents"


def shapes(file: h5py.File) -> dict[str, Codes]:
    """Return the grid and the codebook size of each level, top first."""
    sizes = json.loads(file.attrs["codebook_size"])
    return {
        level: Codes(_grid(file["train"][level].shape), int(sizes[level]))
        for level in json.loads(file.attrs["levels"])
    }


def require(available: Iterable[str], wanted: Iterable[str]) -> None:
    """Check that the autoencoder has the levels that a prior is about.

    Raises:
        UserError: it does not; the message names those it has.
    """
    names = list(available)
    for level in wanted:
        if level not in names:
            raise UserError(
                f"The autoencoder has no level {level}. Choose level and condition_on of the "
                f"priors from: {', '.join(names)}."
            )


def read(group: h5py.Group, levels: Iterable[str], indices_B: Tensor) -> dict[str, Tensor]:
    """Return the codes of some clips of a set, in this order: int64 (B,T,H,W) by level."""
    return {level: _rows(group[level], indices_B) for level in levels}


def _rows(dataset: h5py.Dataset, indices_B: Tensor) -> Tensor:
    codes_BTHW = numpy.empty((len(indices_B), *dataset.shape[1:]), dataset.dtype)
    # A clip is a chunk, so reading them one by one costs no more than all at once.
    for codes_THW, index in zip(codes_BTHW, indices_B.tolist(), strict=True):
        dataset.read_direct(codes_THW, numpy.s_[index])
    return torch.from_numpy(codes_BTHW).long()


def _grid(shape: Any) -> tuple[int, int, int]:
    _, frames, rows, columns = shape
    return int(frames), int(rows), int(columns)
