"""Priors: distributions over one level's codes, given the codes of the levels above it.

Kinds are the files of this package that define `Settings` and `build`; this file holds what they
share and imports none of them.

Shapes: B batch, K codes, T H W code grid.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from torch import Tensor, nn
from torch.nn import functional

from foreframe import kinds
from foreframe.artefacts import tensors
from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.config.training import Training
from foreframe.errors import ArtefactError, UserError
from foreframe.priors.actions import Actions

PACKAGE = "foreframe.priors"
SCHEMA = "prior"
# Under this name actions stand beside the codes of levels in what a prior is given.
ACTIONS = "actions"

Grid = tuple[int, int, int]  # code-frames, rows, columns


class PriorSettings(Strict):
    """What the settings of every kind of prior have; `condition_on` names levels above `level`."""

    kind: str
    level: str
    condition_on: tuple[str, ...]
    actions: Literal["none", "input"]  # input: added to the first features of their code-frame
    training: Training

    @property
    def given(self) -> tuple[str, ...]:
        """What the condition is computed from: the levels above, and actions if it takes any."""
        return (*self.condition_on, *((ACTIONS,) if self.actions == "input" else ()))


@dataclass(frozen=True)
class Codes:
    """The shape of one level's codes: its grid, and how many codes its codebook has."""

    grid: Grid
    codebook_size: int


class Prior(nn.Module, ABC):
    """A distribution over the codes of one level, a product over positions in raster order.

    `codes` is the shape of what is modelled; `conditions` those of the levels it is given, by name;
    `actions` are those it is given, or None.
    """

    def __init__(
        self,
        settings: PriorSettings,
        codes: Codes,
        conditions: Mapping[str, Codes],
        actions: Actions | None,
    ):
        super().__init__()
        self.settings = settings
        self.codes = codes
        self.conditions = dict(conditions)
        self.actions = actions

    @property
    def grid(self) -> Grid:
        """Code-frames, rows and columns of the level that is modelled."""
        return self.codes.grid

    @property
    def codebook_size(self) -> int:
        """How many codes the level has."""
        return self.codes.codebook_size

    def shortened(self, code_frames: int) -> Self:
        """Return this prior over the first code-frames of its grid alone, with the same weights.

        Its codes are the first ones of the whole grid's: nothing later has an influence on them.
        """
        assert 1 <= code_frames <= self.grid[0]
        other = copy.copy(self)
        other.codes = replace(self.codes, grid=(code_frames, *self.grid[1:]))
        return other

    @abstractmethod
    def condition(self, latents: Mapping[str, Tensor]) -> Tensor | None:
        """Return what `logits` needs from what it is given, computed once per clip.

        `latents` holds, under each level's name, codes (B,T,H,W) int64 and, under `ACTIONS`, the
        actions that led to the clips' frames (B,frames,A), for a prior that takes them. None:
        nothing is needed.
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


def build(
    settings: PriorSettings,
    codes: Codes,
    conditions: Mapping[str, Codes],
    actions: Actions | None = None,
) -> Prior:
    """Return an untrained prior of the kind that the settings name.

    `actions` are those of the data, None where it has none; priors that take none ignore them.

    Raises:
        UserError: there is no such kind, it does not fit these grids, or it lacks actions.
    """
    taken = actions if settings.actions == "input" else None
    if settings.actions == "input" and taken is None:
        raise UserError(
            f"The prior of the level {settings.level} takes actions (actions: input), but the data "
            "has none. Set its actions to none, or use a source that records actions, such as "
            "car_racing."
        )
    prior: Prior = kinds.find(PACKAGE, settings.kind).build(settings, codes, conditions, taken)
    return prior


def save(path: Path, prior: Prior) -> None:
    """Write a prior's weights with everything that `load` needs."""
    header: dict[str, Any] = {
        "kind": prior.settings.kind,
        "settings": prior.settings.model_dump(mode="json"),
        "grid": list(prior.grid),
        "codebook_size": prior.codebook_size,
        "condition": {
            level: {"grid": list(codes.grid), "codebook_size": codes.codebook_size}
            for level, codes in prior.conditions.items()
        },
    }
    if prior.actions is not None:
        header["actions"] = asdict(prior.actions)
    tensors.write(path, prior.state_dict(), SCHEMA, header)


def load(path: Path, level: str) -> Prior:
    """Read the prior of a level, in eval mode, on the CPU.

    Raises:
        ArtefactError: the file is missing, damaged, of another level, or not what this version of
            its kind writes.
    """
    weights, header = tensors.read(path, SCHEMA)
    settings: Any = kinds.find(PACKAGE, header["kind"]).Settings
    # Files from before priors could take actions do not say so.
    settings = reading.validate(settings, {"actions": "none", **header["settings"]}, str(path))
    if settings.level != level:
        raise ArtefactError(
            f"{path} is a prior of the level {settings.level}, not {level}. "
            "Delete it and run `dvc repro` to make it again."
        )
    conditions = {level: _codes(shape) for level, shape in header["condition"].items()}
    prior = build(settings, _codes(header), conditions, _actions(header))
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


def _actions(header: Mapping[str, Any]) -> Actions | None:
    if "actions" not in header:
        return None
    found = header["actions"]
    return Actions(
        tuple(found["names"]), found["frames"], tuple(found["mean"]), tuple(found["std"])
    )
