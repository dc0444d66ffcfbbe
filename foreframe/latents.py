"""The code grids of all clips on disk: their shapes, and the codes of the clips asked for.

Beside the codes stand the actions that led to a clip's frames, where the source has actions.

Shapes: B or N clips, T H W the code grid of a level, t frames, A action channels.
"""

import json
from collections.abc import Iterable
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.priors import ACTIONS, Codes
from foreframe.priors.actions import Actions

SCHEMA = "latents"


def shapes(file: h5py.File) -> dict[str, Codes]:
    """Return the grid and the codebook size of each level, top first."""
    sizes = json.loads(file.attrs["codebook_size"])
    return {
        level: Codes(_grid(file["train"][level].shape), int(sizes[level]))
        for level in json.loads(file.attrs["levels"])
    }


def actions(file: h5py.File) -> Actions | None:
    """Return names, mean and deviation of the actions of all training clips; None without any."""
    if "action_names" not in file.attrs:
        return None
    values_NtA = file["train"][ACTIONS][:].astype(numpy.float64)
    # As float32, so that the last bits of a sum do not matter.
    mean_A = values_NtA.mean(axis=(0, 1)).astype(numpy.float32)
    std_A = values_NtA.std(axis=(0, 1)).astype(numpy.float32)
    names = tuple(json.loads(file.attrs["action_names"]))
    return Actions(names, values_NtA.shape[1], tuple(mean_A.tolist()), tuple(std_A.tolist()))


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


def read(group: h5py.Group, names: Iterable[str], indices_B: Tensor) -> dict[str, Tensor]:
    """Return what is known of some clips of a set, in this order, by name.

    Under a level's name its codes, int64 (B,T,H,W); under `ACTIONS` actions, float32 (B,t,A).
    """
    found = {name: _rows(group[name], indices_B) for name in names}
    return {name: rows if name == ACTIONS else rows.long() for name, rows in found.items()}


def _rows(dataset: h5py.Dataset, indices_B: Tensor) -> Tensor:
    rows = numpy.empty((len(indices_B), *dataset.shape[1:]), dataset.dtype)
    # A clip is a chunk, so reading them one by one costs no more than all at once.
    for row, index in zip(rows, indices_B.tolist(), strict=True):
        dataset.read_direct(row, numpy.s_[index])
    return torch.from_numpy(rows)


def _grid(shape: Any) -> tuple[int, int, int]:
    _, frames, rows, columns = shape
    return int(frames), int(rows), int(columns)
