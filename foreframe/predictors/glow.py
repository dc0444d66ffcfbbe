"""Kind `glow`: the flow alone, without time. Pictures of their own, or one frame given another.

Unconditional (Kingma and Dhariwal 2018; Glissov and Konradsen 2021, figure 2.1) it generates from
N(0, 1). With a `condition` it is the density of a frame given the one before (Winkler et al. 2019):
couplings and splits are told the features of that frame at their own size, and the base
distribution those of the last level. With a `hole` only the middle of the frame is modelled and the
rest is copied from the given one: inpainting (Glissov and Konradsen 2021, figure A.5).

Shapes: N clips, B rows, C channels of the view, T frames, t given ones, S scored ones, H rows and W
columns of a frame, L levels of the flow, F features. A hole is a picture (B,C,hole,hole).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.config.sampling import Options
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks import flows, pyramids
from foreframe.networks.flows.base import BaseDistribution, Deviation
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors import Context, LikelihoodKind, LogWeights, Prediction
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Recurrent, RecurrentSettings, Terms
from foreframe.randomness import Draws, generator
from foreframe.training.objective import Moment

Size = Annotated[int, Field(ge=1)]
Sides = tuple[int, int]  # rows, columns


class Condition(Strict):
    """What the flow is told of the frame before."""

    extractor: pyramids.Kind
    widths: tuple[Annotated[int, Field(ge=2)], ...]  # of the extractor, by level
    base_width: Annotated[int, Field(ge=2)]
    base_deviation: Deviation


class Settings(RecurrentSettings):
    """The section of params.yaml; Glow for digits and for faces with a hole beside."""

    kind: Literal["glow"]
    condition: Condition | None  # null: nothing is given, pictures are generated
    hole: Annotated[int, Field(ge=0)]  # 16; 0: the whole frame is modelled
    levels: Size  # L, 3 and 4
    steps: Size  # K of each level, 16 and 15
    coupling_width: Size  # 256
    memory: flows.Memory  # what the flow keeps for its gradient

    @model_validator(mode="after")
    def _sees_dequantised_frames(self) -> Self:
        views.require(self.view, "glow", of="frames", scaling="centred", dequantise=True)
        frames, condition = self.view.frames, self.condition
        if condition is None and frames != 1:
            raise ValueError(
                f"condition is null, but view.frames is {frames}: single pictures are generated. "
                "Set it to 1, or give a condition."
            )
        if condition is not None and frames < 2:
            raise ValueError(
                "view.frames is 1, but the first frame of a clip is only given. Raise it to 2 or "
                "more, or set condition to null."
            )
        return self

    @model_validator(mode="after")
    def _condition_fits(self) -> Self:
        if self.condition is None:
            if self.hole:
                raise ValueError(
                    f"hole is {self.hole}, but condition is null, and nothing would be around it. "
                    "Set hole to 0, or give a condition."
                )
        elif (count := len(self.condition.widths)) != self.levels:
            raise ValueError(
                f"condition.widths has {count} numbers, but levels is {self.levels}. Give one for "
                "each."
            )
        return self


class Temperature(Options):
    """What the deviations of the base and of all that is set aside are multiplied by."""

    flow: Annotated[float, Field(gt=0)]

    @property
    def random(self) -> bool:
        """Futures always differ."""
        return True


def build(settings: Settings, given: Given) -> "Glow":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved so many times, or the hole does not lie in them.
    """
    return Glow(settings, given)


class Glow(Recurrent[Tensor | None]):
    """The state of a future is its last frame, or None where nothing is given."""

    settings: Settings
    options = Temperature
    generates = True
    likelihood_kind: ClassVar[LikelihoodKind] = "exact"

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape, condition = given.shape, settings.condition
        self.needs = 0 if condition is None else 1
        self.size, self.margins = _modelled(settings, (shape.height, shape.width))
        self.flow = flows.Glow(
            (shape.channels, *self.size),
            settings.levels,
            settings.steps,
            settings.coupling_width,
            () if condition is None else condition.widths,
            settings.memory,
        )
        if condition is not None:
            self.extractor = pyramids.Extractor(
                condition.extractor, shape.channels, condition.widths
            )
            self.base = BaseDistribution(
                condition.widths[-1],
                self.flow.base_shape[0],
                condition.base_width,
                condition.base_deviation,
            )

    def prepare(self, batch: Mapping[str, Any], moment: Moment) -> None:
        """Let every ActNorm begin from the first batch."""
        with flows.starting(self):
            self.loss(batch, moment)

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return scalars: nats of a clip, the mean over the batch, and of each modelled value."""
        x_BCTHW = batch["x"]
        noise = Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
        nll_BS = self.terms(x_BCTHW, self.trained_from, noise).nll
        return {
            "loss": nll_BS.sum(dim=1).mean(),
            "nll": nll_BS.detach().mean() / self.values,
        }

    def encode(self, x_NCtHW: Tensor) -> Tensor | None:
        """Return the last given frame, (N,C,H,W)."""
        return x_NCtHW[:, :, -1] if self.needs else None

    def start(self, seen: Tensor | None, options: Temperature, noise: Noise) -> Tensor | None:
        """Return the last given frame, (B,C,H,W)."""
        return seen

    def advance(
        self, state: Tensor | None, time: int, options: Temperature, noise: Noise
    ) -> tuple[Tensor, Tensor | None]:
        """Return frame `time` (B,C,H,W) of futures, which is the next state if one is needed."""
        noises = [
            noise.normal(f"flow {level}", time, shape)
            for level, shape in enumerate(self.flow.noise_shapes, start=1)
        ]
        conditions, base = self._told(state, noises[-1])
        x_BCHW = self.flow.sample(noises, conditions, base, options.flow)
        if state is None:
            return x_BCHW, None
        whole_BCHW = state.clone()
        _middle(whole_BCHW, self.margins).copy_(x_BCHW)
        return whole_BCHW, whole_BCHW

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what the frames from `given` on cost, all in one call of the flow."""
        x_BSCHW = x_BCTHW[:, :, given:].transpose(1, 2)
        last = x_BCTHW[:, :, given - 1 : -1].transpose(1, 2).flatten(0, 1) if self.needs else None
        inner_BCHW = _middle(x_BSCHW.flatten(0, 1), self.margins)
        conditions, base = self._told(last, inner_BCHW)
        log_B = self.flow.log_prob(inner_BCHW, conditions, base)
        return Terms(-log_B.unflatten(0, x_BSCHW.shape[:2]))

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Return log p of true futures; with a hole that of what is in it, given what is around.

        Raises:
            UserError: the context does not fit, or a future differs from it around the hole.
        """
        self._refuse(context)
        if self.settings.hole:
            clips_NTHWC = torch.cat([context.frames[:, -1:], future_NhHWC], dim=1)
            changed_NhCHW = clips_NTHWC.diff(dim=1).movedim(-1, 2) != 0
            _middle(changed_NhCHW, self.margins).fill_(0)
            if changed_NhCHW.any():
                raise UserError(
                    f"{self.name} models a hole of {self.settings.hole} pixels and copies what is "
                    "around it, which changes in these clips. Set predictor.hole to 0, or give "
                    "clips of a source with a hole."
                )
        found = super().likelihood(context, future_NhHWC, draws)
        return replace(found, dimensions=future_NhHWC.shape[1] * self.values)

    @torch.no_grad()
    def latents(self, frames_NHWC: Tensor, numbers: Sequence[int], seed: int) -> list[Tensor]:
        """Return what pictures, uint8, are made of: each part set aside, then the base's (N,C,H,W).

        `numbers` of the pictures and `seed` name the noise that dequantises them.

        Raises:
            UserError: there is a condition, without which a latent says nothing of its picture.
        """
        if self.settings.condition is not None:
            raise UserError(
                f"latents of {self.name} tell a picture apart only beside the one it is given. Ask "
                "a glow whose condition is null."
            )
        noises = [generator(seed, "dequantise", number) for number in numbers]
        x_NCHW = self.inward(frames_NHWC[:, None], noises)[:, :, 0]
        return self.flow.latents(x_NCHW, ())

    @torch.no_grad()
    def decoded(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the pictures that have these latents, uint8 (N,H,W,3) on the CPU."""
        x_NCHW = self.flow.inverse(latents, ())
        return self.scaling.outward(x_NCHW[:, :, None])[:, 0].cpu()

    @property
    def values(self) -> int:
        """How many values of a frame are modelled; the others are copied."""
        return self.given.shape.channels * self.size[0] * self.size[1]

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        self._refuse(context)
        return super()._predict(context, horizon, options, draws)

    def _refuse(self, context: Context) -> None:
        if context.given and not self.needs:
            raise UserError(
                f"{self.name} is given {context.given} frames, but its condition is null and it "
                "would ignore them. Set the protocol's context to 0, or give it a condition."
            )

    def _told(self, last_BCHW: Tensor | None, like_B: Tensor) -> tuple[Sequence[Tensor], Gaussian]:
        """Return the conditions of the flow and its base; of as many rows as `like_B`."""
        if last_BCHW is None:
            return (), Gaussian.standard(like_B.new_empty(len(like_B), *self.flow.base_shape))
        # Margins that every level can halve: then its map has a middle of the flow's own size.
        factor = 2**self.settings.levels
        outer = [-(-margin // factor) * factor for margin in self.margins]
        above, beside = (far - near for far, near in zip(outer, self.margins, strict=True))
        features = self.extractor(functional.pad(last_BCHW, (beside, beside, above, above)))
        conditions = [
            _middle(map_BFHW, (outer[0] >> level, outer[1] >> level))
            for level, map_BFHW in enumerate(features, start=1)
        ]
        return conditions, self.base(conditions[-1])


def _middle(x_BCHW: Tensor, margins: Sides) -> Tensor:
    """Return a view of pictures without so many rows above and below, and columns at the sides."""
    height, width = x_BCHW.shape[-2:]
    above, beside = margins
    return x_BCHW[..., above : height - above, beside : width - beside]


def _modelled(
    settings: Settings, frame: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return rows and columns of what is modelled, and of what is left on either side of it."""
    hole, factor = settings.hole, 2**settings.levels
    said = f"but frames have {frame[0]} x {frame[1]} pixels"
    if hole and (hole >= min(frame) or any((side - hole) % 2 for side in frame)):
        raise UserError(
            f"predictor.hole is {hole}, {said}: it must lie inside, with equal margins. Set it to "
            "an even number below both, or to 0 for whole frames."
        )
    size = (hole or frame[0], hole or frame[1])
    if size[0] % factor or size[1] % factor:
        cure = (
            f"predictor.hole to a multiple of {factor}"
            if hole
            else f"source.height and source.width to multiples of {factor}"
        )
        raise UserError(
            f"The predictor glow halves what it models {settings.levels} times, which has "
            f"{size[0]} x {size[1]} pixels. Set {cure}, or lower levels."
        )
    return size, ((frame[0] - size[0]) // 2, (frame[1] - size[1]) // 2)
