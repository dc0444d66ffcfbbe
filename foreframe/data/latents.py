"""The latents of all clips on disk: what each level is, and those of the clips asked for.

A level is a grid of codes (int16) or vectors (float32), of any rank, as its encoder declares.
Beside the levels stand the actions that led to a clip's frames, where the source has actions.

Shapes: B or N clips, T H W the code grid of a level, t frames, A action channels.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import h5py
import numpy
import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.config.base import Strict
from foreframe.config.split import SETS
from foreframe.errors import ArtefactError, UserError
from foreframe.priors import ACTIONS, Codes
from foreframe.priors.actions import Actions

SCHEMA = "latents"
ATTRIBUTE = "layout"

Sides = tuple[Annotated[int, Field(ge=1)], ...]


class CodeGrid(Strict):
    """A level of codes: the sides of a clip's grid, and how many codes the codebook has."""

    kind: Literal["codes"] = "codes"
    shape: Sides
    size: Annotated[int, Field(ge=1, le=1 << 15)]

    @property
    def dtype(self) -> type[numpy.generic]:
        """How it is stored."""
        return numpy.int16


class Vectors(Strict):
    """A level of vectors: the shape of a clip's, such as (frames, numbers) or (slots, numbers)."""

    kind: Literal["vectors"] = "vectors"
    shape: Sides

    @property
    def dtype(self) -> type[numpy.generic]:
        """How it is stored."""
        return numpy.float32


Latent = CodeGrid | Vectors
_LAYOUT = TypeAdapter(dict[str, Annotated[Latent, Field(discriminator="kind")]])


def attributes(layout: Mapping[str, Latent]) -> dict[str, str]:
    """Return what a file says of its levels, in their order, top first."""
    return {ATTRIBUTE: _LAYOUT.dump_json(dict(layout)).decode()}


def layout(file: h5py.File) -> dict[str, Latent]:
    """Return what each level of a file is, top first.

    Raises:
        ArtefactError: the file does not say so, or its datasets are something else.
    """
    try:
        found = _LAYOUT.validate_json(file.attrs.get(ATTRIBUTE, ""))
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ArtefactError(f"{file.filename} is damaged: {problem}. {facts.CURE}") from None
    for level, latent in found.items():
        for name in SETS:
            stored = file[name].get(level)
            if stored is None or (stored.shape[1:], stored.dtype) != (latent.shape, latent.dtype):
                raise ArtefactError(
                    f"{file.filename} is damaged: {name}/{level} is not what it says. {facts.CURE}"
                )
    return found


def shapes(file: h5py.File) -> dict[str, Codes]:
    """Return the grid and the codebook size of each level that is a grid of codes in time.

    Raises:
        ArtefactError: as `layout`.
    """
    return {
        level: Codes((latent.shape[0], latent.shape[1], latent.shape[2]), latent.size)
        for level, latent in layout(file).items()
        if isinstance(latent, CodeGrid) and len(latent.shape) == 3
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
    """Check that the autoencoder has the levels that a prior is about, as grids of codes.

    Raises:
        UserError: it does not; the message names those it has.
    """
    names = list(available)
    for level in wanted:
        if level not in names:
            raise UserError(
                f"The autoencoder has no level {level} of codes. Choose level and condition_on "
                f"of the priors from: {', '.join(names)}."
            )


def read(group: h5py.Group, names: Iterable[str], indices_B: Tensor) -> dict[str, Tensor]:
    """Return what is known of some clips of a set, in this order, by name.

    Under a level's name its codes, int64 (B,T,H,W), or vectors, float32 (B,...); under `ACTIONS`
    actions, float32 (B,t,A).
    """
    found = {name: _rows(group[name], indices_B) for name in names}
    return {name: rows if rows.is_floating_point() else rows.long() for name, rows in found.items()}


def _rows(dataset: h5py.Dataset, indices_B: Tensor) -> Tensor:
    rows = numpy.empty((len(indices_B), *dataset.shape[1:]), dataset.dtype)
    # A clip is a chunk, so reading them one by one costs no more than all at once.
    for row, index in zip(rows, indices_B.tolist(), strict=True):
        dataset.read_direct(row, numpy.s_[index])
    return torch.from_numpy(rows)
