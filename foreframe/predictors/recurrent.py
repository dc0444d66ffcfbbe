"""Predictors that go frame by frame and keep a state: what they share, written once.

A kind says what given frames tell (`encode`), how a future begins after them (`start`), and how it
goes on by a frame (`advance`); prediction follows from these. Most kinds also say what the true
frames of a clip cost (`terms`), from which likelihood and loss follow: the loss is that of
`variational` or of `deterministic`. A game between players has no such terms.

Shapes: N clips, B futures or samples of them, C channels of the view, t given frames, h predicted
ones, T = t + h, S scored ones, H rows, W columns, K samples.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar, get_args

import torch
from pydantic import model_validator
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe.config.sampling import Options
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.models import SingleLoss
from foreframe.networks.noise import Drawn, Fresh, Noise
from foreframe.predictors import Context, LogWeights, Prediction
from foreframe.predictors.learned import ROLE, LearnedPredictor, PredictorSettings
from foreframe.randomness import Draws, Numbers, generator
from foreframe.training.objective import Moment, Objective, Plain

# Futures that are drawn at once, copies of the last one filling up. The last bits of a convolution
# depend on how many rows it has, and a future is fed back: with a fixed number it is the same one
# whatever else is asked for.
WIDTH = 8

State = TypeVar("State")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Terms:
    """What S true frames of B clips cost, in nats, given the frames before each.

    Attributes:
        nll: (B,S), -log p(x_t | z up to t, frames before t), in units of the view's numbers (see
            `Recurrent.grey_level`), with z drawn from the posterior.
        kl: (B,S) of each latent by name, KL(q(z_t) || p(z_t)), summed over its dimensions.
        log_ratio: (B,S), log p(z_t) - log q(z_t) of the z that was drawn; None: nothing is drawn.
        about: further values (B,S,...) by name, such as what an analysis looks at.
    """

    nll: Tensor
    kl: Mapping[str, Tensor] = field(default_factory=dict)
    log_ratio: Tensor | None = None
    about: Mapping[str, Tensor] = field(default_factory=dict)


class RecurrentSettings(PredictorSettings):
    """What the settings of every kind here have."""

    training: Plan

    @model_validator(mode="after")
    def _is_given_frames_alone(self) -> Self:
        if self.actions != "none" or self.labels:
            raise ValueError(
                f"A predictor of the kind {self.kind} is given frames alone. Set actions to none "
                "and labels to []."
            )
        return self


class FrameByFrame(LearnedPredictor, Generic[State]):
    """A learned predictor that goes frame by frame, whatever it learns by.

    Attributes:
        needs: how many frames must be given.
    """

    settings: RecurrentSettings
    needs: int = 1

    @abstractmethod
    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell, without random numbers: rows (N,...) for `start`."""

    @abstractmethod
    def start(self, seen: State, options: Any, noise: Noise) -> State:
        """Return the state (B,...) of futures after the given frames, of what these tell."""

    @abstractmethod
    def advance(self, state: State, time: int, options: Any, noise: Noise) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) of futures and the state after it."""

    def operations(self, given: int) -> dict[str, Any]:
        """Return the floating-point operations of `frames`; a multiply-add is two.

        A clip takes `given` once, for what its given frames tell. Each of its futures takes `start`
        once, and `frame` for every frame of it, whatever its options are.

        Raises:
            UserError: fewer frames are given than the predictor needs.
        """
        self._require(given)
        nowhere = torch.device("meta")
        with nowhere:
            empty: Any = ROLE.build(self.settings, self.given).eval()
        empty.requires_grad_(requires_grad=False)
        options, noise = _some(self.options), Fresh(generator(0, "operations"), 1, nowhere)
        x_1CtHW = replace(self.given.shape, frames=given).clip()
        seen, once = _counted(lambda: empty.encode(x_1CtHW))
        state, start = _counted(lambda: empty.start(seen, options, noise))
        _, frame = _counted(lambda: empty.advance(state, given, options, noise))
        return {"frames": {"given": once, "start": start, "frame": frame}}

    def _require(self, given: int) -> None:
        if given < self.needs:
            raise UserError(
                f"{self.name} is given {given} frames and needs {self.needs}. Raise the "
                "protocol's context."
            )

    @torch.no_grad()
    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        self._require(context.given)
        seen = context.told(self, draws.seed, lambda: self._seen(context, draws.seed))
        rows = context.places(draws)
        frames = [
            self._roll(part(seen, rows[chosen]), context.given, horizon, options, draws.of(chosen))
            for chosen in filled(len(draws))
        ]
        return Prediction(torch.cat(frames)[: len(draws)])

    def _seen(self, context: Context, seed: int) -> State:
        # Clip by clip: what a clip tells must not depend on which others are asked for.
        clips = [
            self.encode(self.inward(frames[None], [generator(seed, "dequantise", number)]))
            for frames, number in zip(context.frames, context.numbers, strict=True)
        ]
        return joined(clips)

    def inward(self, frames_BTHWC: Tensor, numbers: Sequence[Numbers]) -> Tensor:
        """Return 8-bit frames as the view shows them (B,C,T,H,W), each with numbers of its own."""
        device = next(self.parameters()).device
        rows = zip(frames_BTHWC.to(device), numbers, strict=True)
        return torch.cat([self.scaling.inward(row_THWC[None], own) for row_THWC, own in rows])

    def _roll(self, seen: State, given: int, horizon: int, options: Any, draws: Draws) -> Tensor:
        """Return uint8 frames (B,h,H,W,3) of futures, from rows of what their contexts tell."""
        noise = Drawn(draws, "predict", next(self.parameters()).device)
        state = self.start(seen, options, noise)
        frames = []
        for time in range(given, given + horizon):
            x_BCHW, state = self.advance(state, time, options, noise)
            frames.append(x_BCHW)
        return self.scaling.outward(torch.stack(frames, dim=2)).cpu()


class Recurrent(FrameByFrame[State], SingleLoss):
    """One whose loss is made of what each frame costs."""

    @abstractmethod
    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what the frames from `given` on cost, each given the true ones before it.

        Latents of the given frames are drawn as `start` draws them and cost nothing; those of
        scored frames are drawn from the posterior, which may look ahead.
        """

    @property
    def grey_level(self) -> float:
        """The width of a grey level where `terms` are densities; 1 where they are probabilities."""
        return self.scaling.grey_level

    @property
    def trained_from(self) -> int:
        """The first frame of a clip that the loss looks at."""
        return self.needs

    def prepare(self, batch: Mapping[str, Any], moment: Moment) -> None:
        """Set what depends on data from the run's first batch; without gradients."""

    def objective(self) -> Objective[Any]:
        """Return the minimisation of `loss`, begun by `prepare`."""
        return _Prepared(self)

    @torch.no_grad()
    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Return log p(x, z) - log q(z | x) of whole trajectories z, each of the draws one.

        Raises:
            UserError: the predictor has no likelihood.
        """
        if self.likelihood_kind == "none":
            return super().likelihood(context, future_NhHWC, draws)
        clips_NTHWC = torch.cat([context.frames, future_NhHWC], dim=1)
        rows = context.places(draws)
        parts = [
            self._log_weights(clips_NTHWC[rows[chosen]], context.given, draws.of(chosen))
            for chosen in filled(len(draws))
        ]
        values_B = torch.cat(parts)[: len(draws)]
        values_KN = values_B.unflatten(0, (len(context.numbers), -1)).T
        shape, frames = self.given.shape, future_NhHWC.shape[1]
        dimensions = frames * shape.channels * shape.height * shape.width
        return LogWeights(values_KN, dimensions, self.grey_level)

    def _log_weights(self, clips_BTHWC: Tensor, given: int, draws: Draws) -> Tensor:
        """Return the log weight (B,) of a trajectory of each clip, float64 on the CPU."""
        numbers = [
            generator(draws.seed, "dequantise", clip, future)
            for clip, future in zip(draws.clips, draws.futures, strict=True)
        ]
        x_BCTHW = self.inward(clips_BTHWC, numbers)
        terms = self.terms(x_BCTHW, given, Drawn(draws, "score", x_BCTHW.device))
        weights_BS = -terms.nll if terms.log_ratio is None else terms.log_ratio - terms.nll
        return weights_BS.double().sum(dim=1).cpu()


class _Prepared(Plain[Any]):
    def __init__(self, predictor: Recurrent[Any]) -> None:
        super().__init__(predictor, predictor.loss)
        self._predictor = predictor

    def start(self, batch: Mapping[str, Any], moment: Moment) -> None:
        self._predictor.prepare(batch, moment)


def _counted(act: Callable[[], Made]) -> tuple[Made, int]:
    """Return what comes of something, and the floating-point operations that it takes."""
    with FlopCounterMode(display=False) as counter:
        found = act()
    return found, int(counter.get_total_flops())


def _some(options: type[Options]) -> Options:
    """Return options of any allowed values: the first of a choice, numbers of 1."""
    values = {
        name: (get_args(field.annotation) or (1.0,))[0]
        for name, field in options.model_fields.items()
    }
    return options(**values)


def filled(count: int) -> Iterator[list[int]]:
    """Yield `WIDTH` rows at a time of so many; the last ones are the last row again."""
    for begin in range(0, count, WIDTH):
        yield [min(row, count - 1) for row in range(begin, begin + WIDTH)]


def part(state: State, rows: Tensor) -> State:
    """Return some rows of every tensor in a state of tuples, lists, dictionaries and None."""
    return _each(lambda tensors: tensors[0][rows.to(tensors[0].device)], [state])


def joined(states: Sequence[State]) -> State:
    """Return states of equal make as one, the rows of their tensors one after the other."""
    return _each(torch.cat, states)


def _each(change: Any, states: Sequence[Any]) -> Any:
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return change(list(states))
    if isinstance(first, Mapping):
        return {key: _each(change, [state[key] for state in states]) for key in first}
    parts = [_each(change, values) for values in zip(*states, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
