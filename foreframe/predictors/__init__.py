"""Predictors: everything that says which frames come next, or come at all, behind one interface.

Shapes: N clips, B futures of them, t given frames (0: clips are generated), h predicted frames, n
any number of frames, T = t + h, H rows, W columns, C = 3 colours, A action channels, K samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.randomness import Draws

LikelihoodKind = Literal["exact", "elbo", "none"]
Made = TypeVar("Made")

COLOURS = 3  # of every frame that is kept; a view may show a network fewer


@dataclass(frozen=True)
class Context:
    """What is known of N clips before they go on.

    Attributes:
        frames: those that are given, uint8 (N,t,H,W,C); none for clips that are generated.
        numbers: of the clips; they name a clip's random numbers, too.
        actions: that lead to the frames from the first given one on, (N,n,A), or None.
        labels: of the clips, by name, (N,...).
        whole: the clips with their true futures, (N,T,H,W,C), where the protocol lets what is made
            of the context see them (`context_encoding: full_clip`), else None.

    What a predictor makes of it is kept with it, so that more futures of the clips begin at once.
    """

    frames: Tensor
    numbers: Sequence[int]
    actions: Tensor | None = None
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    whole: Tensor | None = None
    _made: dict[tuple[int, int], tuple[object, Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def told(self, who: object, seed: int, make: Callable[[], Made]) -> Made:
        """Return what someone makes of the context with a seed, made the first time it is asked."""
        place = id(who), seed
        if place not in self._made:
            self._made[place] = who, make()  # who lives as long as its id means it
        found: Made = self._made[place][1]
        return found

    @property
    def given(self) -> int:
        """How many frames are given."""
        return self.frames.shape[1]

    def places(self, draws: Draws) -> Tensor:
        """Return the place (B,) among the clips of the one that each future continues."""
        numbers = list(self.numbers)
        return torch.tensor([numbers.index(clip) for clip in draws.clips], dtype=torch.int64)


@dataclass(frozen=True)
class Prediction:
    """Futures: frames on the CPU, uint8 (B,h,H,W,C), and what else the predictor says, by name.

    `about` has further arrays with a row for each future, such as its codes.
    """

    frames: Tensor
    about: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class LogWeights:
    """What a predictor knows of the probability of true futures, in nats.

    Attributes:
        values: (K,N), log p of each future for `exact` (K = 1); for `elbo` the log weights
            log p(x, z) - log q(z | x) of K samples of what is latent.
        dimensions: values of a future: frames x rows x columns x colours.
        grey_level: the width of one 8-bit level in the units of the density; 1 for a probability.
    """

    values: Tensor
    dimensions: int
    grey_level: float


class Predictor(ABC):
    """Says which frames follow those of a context.

    Attributes:
        options: the schema of how its futures are drawn.
        generates: whether it can do without any given frame.
        likelihood_kind: what `likelihood` returns, if anything.
    """

    options: ClassVar[type[Options]] = Options
    generates: ClassVar[bool] = False
    likelihood_kind: ClassVar[LikelihoodKind] = "none"

    def predict(self, context: Context, horizon: int, options: Options, draws: Draws) -> Prediction:
        """Return the futures that `draws` names, of clips of the context, by `horizon` frames.

        A future is a function of its clip, the options and its own random numbers: what else is
        asked for has no influence on it.

        Raises:
            UserError: nothing is given and the predictor cannot generate, the options are another
                predictor's, frames are not of three colours, or the context does not fit.
        """
        if type(options) is not self.options:
            raise UserError(
                f"{self.name} is asked to draw by {type(options).__name__}, which it does not "
                f"know. Give {self.options.__name__}."
            )
        if context.given == 0 and not self.generates:
            raise UserError(
                f"{self.name} continues what it is given and cannot generate clips from nothing. "
                "Set the protocol's context to 1 frame or more."
            )
        channels = context.frames.shape[-1]
        if channels != COLOURS:
            raise UserError(
                f"{self.name} is given frames of {channels} channels and takes {COLOURS}. Give a "
                "grey picture three times."
            )
        return self._predict(context, horizon, options, draws)

    @abstractmethod
    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        """Return what `predict` promises, of what it has checked."""

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Return what probability the predictor gives the true futures of the context's clips.

        `draws` names the samples of what is latent: as many of each clip, in turn. Their purposes
        differ from those of `predict`. Kinds that have a likelihood replace this.

        Raises:
            UserError: the predictor has none.
        """
        raise UserError(
            f"{self.name} has no likelihood. Ask for none (likelihood: null), or use a "
            "predictor that has one."
        )

    @property
    def name(self) -> str:
        """What messages call it."""
        return type(self).__name__

    @property
    def takes_actions(self) -> bool:
        """Whether its contexts need actions."""
        return False

    def reconstruct(self, clips_NTHWC: Tensor, given: int) -> Prediction | None:
        """Return the true clips, as well as the predictor could show them: a bound on its futures.

        Its frames are all T, of which `given` count as context; None: there is no such bound.
        """
        return None

    def explain(
        self, context: Context, clips_NTHWC: Tensor, options: Options, draws: Draws
    ) -> dict[str, Tensor]:
        """Return arrays by name, a row for each future, that show what it is made of."""
        return {}

    def chosen(self, options: Options | None) -> dict[str, Any]:
        """Return all that was chosen about its futures, or about its bound (None), as plain values.

        Weights are no part of it: two trainings of equal settings have equal ones.
        """
        return {} if options is None else {"options": options.model_dump(mode="json")}

    def operations(self, given: int) -> dict[str, Any]:
        """Return, by part, what drawing one future takes; see `priors.engines.operations`."""
        return {}
