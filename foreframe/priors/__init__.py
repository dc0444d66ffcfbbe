"""Priors: distributions over one level's codes, given the codes of the levels above it.

Kinds are the files of this package that define `Settings` and `build`; this file holds what they
share and imports none of them.

Shapes: B batch, K codes, T H W code grid.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from foreframe import kinds
from foreframe.artefacts import tensors
from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.config.training import Training
from foreframe.errors import ArtefactError

PACKAGE = "foreframe.priors"
SCHEMA = "prior"

Grid = tuple[int, int, int]  # code-frames, rows, columns


class PriorSettings(Strict):
    """What the settings of every kind of prior have; `condition_on` names levels above `level`."""

    kind: str
    level: str
    condition_on: tuple[str, ...]
    training: Training


@dataclass(frozen=True)
class Codes:
    """The shape of one level's codes: its grid, and how many codes its codebook has."""

    grid: Grid
    codebook_size: int


class Prior(nn.Module, ABC):
    """A distribution over the codes of one level, a product over positions in raster order.

    `codes` is the shape of what is modelled; `conditions` those of the levels it is given, by name.
    """

    def __init__(self, settings: PriorSettings, codes: Codes, conditions: Mapping[str, Codes]):
        super().__init__()
        self.settings = settings
        self.codes = codes
        self.conditions = dict(conditions)

    @property
    def grid(self) -> Grid:
        """Code-frames, rows and columns of the level that is modelled."""
        return self.codes.grid

    @property
    def codebook_size(self) -> int:
        """How many codes the level has."""
        return self.codes.codebook_size

    @abstractmethod
    def condition(self, latents: Mapping[str, Tensor]) -> Tensor | None:
        """Return what `logits` needs from the levels it is given, computed once per clip.

        `latents` holds, under each level's name, codes (B,T,H,W) int64. None: nothing is needed.
        """

    @abstractmethod
    def logits(
        self, codes_BTHW: Tensor, condition: Tensor | None, known: Tensor | None = None
    ) -> Tensor:
        """Return unnormalised log-probabilities (B,K,t,H,W) of every position's code.

        `codes` (B,t,H,W) int64 are the first t code-frames, 1 <= t <= T; those at and after a
        position have no influence on its logits. Where `known`, broadcastable to the codes, is
        zero, a code counts as absent: a vector of zeros and not code 0.
        """

    def log_prob(self, codes_BTHW: Tensor, condition: Tensor | None) -> Tensor:
        """Return the log-probability of every code given those before it: (B,t,H,W) nats, <= 0."""
        # float32 at least: a half-precision softmax over hundreds of codes is too coarse.
        logits = self.logits(codes_BTHW, condition)
        logits = logits if logits.element_size() >= 4 else logits.float()
        return -functional.cross_entropy(logits, codes_BTHW, reduction="none")


def build(settings: PriorSettings, codes: Codes, conditions: Mapping[str, Codes]) -> Prior:
    """Return an untrained prior of the kind that the settings name.

    Raises:
        UserError: there is no such kind, or it does not fit these grids.
    """
    prior: Prior = kinds.find(PACKAGE, settings.kind).build(settings, codes, conditions)
    return prior


def save(path: Path, prior: Prior) -> None:
    """Write a prior's weights with everything that `load` needs."""
    header = {
        "kind": prior.settings.kind,
        "settings": prior.settings.model_dump(mode="json"),
        "grid": list(prior.grid),
        "codebook_size": prior.codebook_size,
        "condition": {
            level: {"grid": list(codes.grid), "codebook_size": codes.codebook_size}
            for level, codes in prior.conditions.items()
        },
    }
    tensors.write(path, prior.state_dict(), SCHEMA, header)


def load(path: Path, level: str) -> Prior:
    """Read the prior of a level, in eval mode, on the CPU.

    Raises:
        ArtefactError: the file is missing, damaged, of another level, or not what this version of
            its kind writes.
    """
    weights, header = tensors.read(path, SCHEMA)
    settings: Any = kinds.find(PACKAGE, header["kind"]).Settings
    settings = reading.validate(settings, header["settings"], str(path))
    if settings.level != level:
        raise ArtefactError(
            f"{path} is a prior of the level {settings.level}, not {level}. "
            "Delete it and run `dvc repro` to make it again."
        )
    conditions = {level: _codes(shape) for level, shape in header["condition"].items()}
    prior = build(settings, _codes(header), conditions)
    try:
        prior.load_state_dict(weights)
    except RuntimeError as error:
        raise ArtefactError(
            f"{path} has other weights than a {header['kind']} of these settings: {error}. "
            "Delete it and run `dvc repro` to make it again."
        ) from None
    return prior.eval()


def _codes(shape: Mapping[str, Any]) -> Codes:
    frames, rows, columns = shape["grid"]
    return Codes((frames, rows, columns), shape["codebook_size"])
