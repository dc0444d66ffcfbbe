"""Priors: distributions over one level's codes, given the codes of the levels above it.

Kinds are the files of this package that define `Settings` and `build`; this file holds what they
share and imports none of them.

Shapes: B batch, K codes, T H W code grid.
"""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from torch import Tensor
from torch.nn import functional

from foreframe.errors import ArtefactError, UserError
from foreframe.models import AGAIN, Model, ModelSettings, Role, SingleLoss
from foreframe.priors.actions import Actions
from foreframe.randomness import Draws
from foreframe.training.objective import Moment

PACKAGE = "foreframe.priors"
SCHEMA = "prior"
# Under this name actions stand beside the codes of levels in what a prior is given.
ACTIONS = "actions"

Grid = tuple[int, int, int]  # code-frames, rows, columns


class PriorSettings(ModelSettings):
    """What the settings of every kind of prior have; `condition_on` names levels above `level`."""

    level: str
    condition_on: tuple[str, ...]
    actions: Literal["none", "input"]  # input: added to the first features of their code-frame

    @property
    def given(self) -> tuple[str, ...]:
        """What the condition is computed from: the levels above, and actions if it takes any."""
        return (*self.condition_on, *((ACTIONS,) if self.actions == "input" else ()))


@dataclass(frozen=True)
class Codes:
    """The shape of one level's codes: its grid, and how many codes its codebook has."""

    grid: Grid
    codebook_size: int


@dataclass(frozen=True)
class Given:
    """What the latents tell a prior.

    Attributes:
        codes: the shape of the level that is modelled.
        conditions: those of the levels above that it is given, by name.
        actions: those it is given, or None.
    """

    codes: Codes
    conditions: Mapping[str, Codes]
    actions: Actions | None


class Prior(Model):
    """A distribution over the codes of one level; a kind has a density or draws whole grids."""

    settings: PriorSettings
    given: Given

    def __init__(self, settings: PriorSettings, given: Given) -> None:
        super().__init__()
        self.settings = settings
        self.given = given

    @property
    def codes(self) -> Codes:
        """The shape of the level that is modelled."""
        return self.given.codes

    @property
    def conditions(self) -> Mapping[str, Codes]:
        """The shapes of the levels that it is given, by name."""
        return self.given.conditions

    @property
    def actions(self) -> Actions | None:
        """The actions that it is given, or None."""
        return self.given.actions

    @property
    def grid(self) -> Grid:
        """Code-frames, rows and columns of the level that is modelled."""
        return self.codes.grid

    @property
    def codebook_size(self) -> int:
        """How many codes the level has."""
        return self.codes.codebook_size


class ImplicitPrior(Prior):
    """A prior without a density: it draws all codes of a grid at once, as a generator does."""

    def drawn_by_phase(self) -> list[Any]:
        """Return some maps of indices for each phase of its training, where they were kept."""
        return []

    @abstractmethod
    def sample(
        self, given_BTHW: Tensor, latents: Mapping[str, Tensor], draws: Draws, window: int
    ) -> Tensor:
        """Return codes (B,T,H,W) int64 that begin with the given ones, (B,t,H,W), t < T.

        `latents` holds what the prior is given, as in `AutoregressivePrior.condition`; `draws` and
        `window` name the random numbers.

        Raises:
            UserError: codes are given, and the kind cannot go on from any.
        """


class AutoregressivePrior(Prior, SingleLoss):
    """A prior that is a product over positions in raster order, each a known distribution."""

    def shortened(self, code_frames: int) -> Self:
        """Return this prior over the first code-frames of its grid alone, with the same weights.

        Its codes are the first ones of the whole grid's: nothing later has an influence on them.
        """
        assert 1 <= code_frames <= self.grid[0]
        other = copy.copy(self)
        codes = replace(self.codes, grid=(code_frames, *self.grid[1:]))
        other.given = replace(self.given, codes=codes)
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
        return log_likelihood(self.logits(codes_BTHW, condition), codes_BTHW)

    def loss(self, batch: Mapping[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Return the mean negative log-likelihood of a code, in nats, a scalar.

        Teacher-forced: the codes of earlier positions and of the levels above are the true ones, so
        all positions are trained at once. `batch` holds codes by level, and `ACTIONS` if taken.
        """
        log_prob = self.log_prob(batch[self.settings.level], self.condition(batch))
        return {"loss": -log_prob.mean()}


def log_likelihood(logits_BKtHW: Tensor, codes_BtHW: Tensor) -> Tensor:
    """Return the log-probability (B,t,H,W) of each code, in nats."""
    # float32 at least: a half-precision softmax over hundreds of codes is too coarse.
    logits = logits_BKtHW if logits_BKtHW.element_size() >= 4 else logits_BKtHW.float()
    return -functional.cross_entropy(logits, codes_BtHW, reduction="none")


ROLE: Role[Prior] = Role(SCHEMA, PACKAGE, Given)


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
    return ROLE.build(settings, Given(codes, dict(conditions), taken))


def save(path: Path, prior: Prior) -> None:
    """Write a prior's weights with everything that `load` needs."""
    ROLE.save(path, prior)


def density(prior: Prior) -> AutoregressivePrior:
    """Return a prior as one with a density.

    Raises:
        UserError: it has none.
    """
    if not isinstance(prior, AutoregressivePrior):
        raise UserError(
            f"The prior of the level {prior.settings.level} is a {prior.settings.kind}, which "
            "gives no probabilities. Use a kind that does, such as pixel_snail."
        )
    return prior


def load(path: Path, level: str) -> Prior:
    """Read the prior of a level, in eval mode, on the CPU.

    Raises:
        ArtefactError: the prior is of another level, or as `Role.load`.
    """
    prior = ROLE.load(path)
    if prior.settings.level != level:
        raise ArtefactError(
            f"{path} is a prior of the level {prior.settings.level}, not {level}. {AGAIN}"
        )
    return prior
