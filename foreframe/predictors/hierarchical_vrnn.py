"""The hierarchical VRNN of Castrejon, Ballas and Courville 2019: latents at several resolutions.

Layers: thesis of Castrejon 2022, chapter 4. Each frame is decoded from the top features of the one
before and Gaussian latents of 1x1, 8x8 and 32x32 places; a recurrent cell at every resolution of
the decoder remembers. Two things keep all levels in use: a KL weight that grows from 0, and dense
connections. One level, a level more, neither of the two and decoders with fewer cells are settings.

The states begin from the last `context` frames that are given, however many there are.

Shapes: B clips, C colours, T frames, S steps, Z channels of a latent, H rows = W columns.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.latent_hierarchy import Choose, Layout
from foreframe.networks.likelihoods import unit_scale
from foreframe.networks.noise import Noise
from foreframe.networks.residual_frames import (
    Encoder,
    ResidualEncoder,
    StridedEncoder,
    Style,
    sizes,
)
from foreframe.networks.variational_recurrent import Scored, State, VariationalRecurrentNetwork
from foreframe.predictors import LikelihoodKind
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.variational import LatentOptions, Variational, VariationalSettings

Size = Annotated[int, Field(ge=1)]


class Latent(Strict):
    """A level: rows of the frame for a row of the latent (whole: one place), and channels."""

    shrink: Literal["whole"] | Size
    channels: Annotated[int, Field(ge=2)]


class Settings(VariationalSettings):
    """The section of params.yaml; published values, for 64 rows, beside."""

    kind: Literal["hierarchical_vrnn"]
    context: Size  # 2; frames that begin the states
    width: Size  # 64; channels at full resolution
    latents: Annotated[tuple[Latent, ...], Field(min_length=1)]  # whole 512, 8: 512, 2: 128
    dense: bool  # a level is given all above it; otherwise the next one only
    # strided: that of the capacity ladder, where the latents have an encoder of their own.
    encoder: Literal["residual", "strided"]
    cells: Literal["normalized", "plain"]  # plain: the ladder's
    decoder_cells: Size  # resolutions with one, from the top: 6, all
    state_widening: Size  # 1; of the decoder's states
    likelihood: unit_scale.Likelihood
    slope: Annotated[float, Field(ge=0, lt=1)]  # thesis 0, authors' code 0.2
    groups: Size  # thesis 16, authors' code 4
    state_groups: Size  # 16
    residual_scale: Annotated[float, Field(gt=0)]  # thesis 1, authors' code 0.1

    @model_validator(mode="after")
    def _is_seen_from_0_to_1(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        return self

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        for frames in (self.view.frames, *(phase.frames for phase in self.training.phases)):
            if frames is not None and frames <= self.context:
                raise ValueError(
                    f"Clips of {frames} frames leave nothing to predict after {self.context} "
                    "frames of context. Make them longer or lower context."
                )
        return self

    @model_validator(mode="after")
    def _levels_go_down(self) -> Self:
        shrinks = [math.inf if one.shrink == "whole" else one.shrink for one in self.latents]
        if any(a <= b for a, b in pairwise(shrinks)):
            raise ValueError(
                "latents are not listed from the coarsest to the finest. Let shrink fall from one "
                "to the next."
            )
        return self

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        for name, groups in (("groups", self.groups), ("state_groups", self.state_groups)):
            if self.width % groups:
                raise ValueError(
                    f"{name} is {groups}, which does not divide width {self.width}. Choose a "
                    "divisor."
                )
        for one in self.latents:
            if one.shrink != "whole" and one.channels % self.state_groups:
                raise ValueError(
                    f"latents: {one.channels} channels are no multiple of state_groups "
                    f"{self.state_groups}. Choose one."
                )
        return self


def build(settings: Settings, given: Given) -> "HierarchicalVRNN":
    """Return the model of these settings, not yet initialized.

    Raises:
        UserError: frames are not square, halving them does not lead to 4 rows, or they have no such
            level or not so many resolutions.
    """
    if settings.likelihood == "bernoulli" and settings.view.bits != 1:
        return GreyBernoulliVRNN(settings, given)
    return HierarchicalVRNN(settings, given)


class HierarchicalVRNN(Variational[State]):
    """`terms` are densities of scale 1 about the mean frame, in units of 0 to 1.

    Those of a Bernoulli likelihood are probabilities, which black and white frames alone have.
    """

    settings: Settings
    options = LatentOptions
    likelihood_kind: ClassVar[LikelihoodKind] = "elbo"

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        _check(settings, given.shape)
        self.settings = settings
        self.given = given
        self.needs = settings.context
        encoder, separate = _encoder(settings, given.shape), settings.encoder == "strided"
        self.network = VariationalRecurrentNetwork(
            _layout(settings, given.shape.height, encoder.widths),
            given.shape.channels,
            encoder,
            _encoder(settings, given.shape) if separate else None,
        )

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return the state that the last context frames begin."""
        return self.network.begin(x_NCtHW[:, :, -self.needs :])

    def start(self, seen: State, options: LatentOptions, noise: Noise) -> State:
        """Return what is seen: nothing is drawn before the first frame.

        Raises:
            UserError: frames are to be drawn.
        """
        if options.frames != "mean":
            raise UserError(
                f"{self.name} shows the mean of a frame's distribution, whose scale is but a "
                "weight of the loss. Set frames to mean."
            )
        return seen

    def advance(
        self, state: State, time: int, options: LatentOptions, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) of futures and the state after it."""
        raw_BCHW, state = self.network.step(state, self._drawn(noise, [time], options.scale))
        return raw_BCHW.sigmoid(), state

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what the frames from `given` on cost, all steps at once.

        Latents, of prior and decoder alike, are those of the posterior. `about` has `error`, -log p
        less its constant, as the published bounds count it, and the KL of each channel of a latent,
        `channels_SIZE` (B,S,Z), the mean over its places.
        """
        x_BSCHW, likelihood = x_BCTHW[:, :, given:].transpose(1, 2), self.settings.likelihood
        scored = self.score(x_BCTHW, given, noise)
        error_BS = _per_step(unit_scale.error(likelihood, x_BSCHW, scored.raw))
        constant = unit_scale.CONSTANTS[likelihood] * x_BSCHW[0, 0].numel()
        kl, ratios, about = {}, [], {"error": error_BS}
        for size, latent in scored.latents.items():
            posterior, prior = scored.posterior[size], scored.prior[size]
            kl_BSZHW = posterior.divergence(prior)
            kl[f"latent_{size}"] = _per_step(kl_BSZHW)
            about[f"channels_{size}"] = kl_BSZHW.mean(dim=(3, 4))
            ratios.append(_per_step(prior.log_prob(latent) - posterior.log_prob(latent)))
        return Terms(error_BS + constant, kl, torch.stack(ratios).sum(dim=0), about)

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> Tensor:
        """Return -log p(x | z) (B,), in nats; see `Variational.surprisal`."""
        raw_BCHW, _ = self.network.step(state, self._drawn(noise, [time], options.scale))
        likelihood = self.settings.likelihood
        error_B = _per_step(unit_scale.error(likelihood, x_BCHW, raw_BCHW)[:, None])[:, 0]
        return error_B + unit_scale.CONSTANTS[likelihood] * x_BCHW[0].numel()

    def replay(self, x_BCTHW: Tensor, given: int, options: LatentOptions, noise: Noise) -> Tensor:
        """Return the mean frames (B,C,S,H,W) from `given` on; see `Variational.replay`."""
        return self.score(x_BCTHW, given, noise).raw.sigmoid().transpose(1, 2)

    def score(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Scored:
        """Return what becomes of the frames from `given` on, with latents of the posterior."""
        drawn = self._drawn(noise, range(given, x_BCTHW.shape[2]), 1.0)
        return self.network.score(x_BCTHW[:, :, given - self.needs :], drawn)

    def _drawn(self, noise: Noise, times: Iterable[int], scale: float) -> Choose:
        def choose(size: int, distribution: Gaussian) -> Tensor:
            shape = self.network.latent_shapes[size]
            numbers = [noise.normal(f"latent {size}", time, shape) for time in times]
            return distribution.sample(torch.stack(numbers, dim=1), scale)

        return choose


class GreyBernoulliVRNN(HierarchicalVRNN):
    """The same where cross-entropy counts grey levels as shares of white: no likelihood of them."""

    likelihood_kind = "none"

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> Tensor:
        """Refuse: see `Variational.surprisal`.

        Raises:
            UserError: always.
        """
        return Variational.surprisal(self, state, x_BCHW, time, options, noise)


def _per_step(values_BSCHW: Tensor) -> Tensor:
    return values_BSCHW.flatten(2).sum(dim=2)


def _encoder(settings: Settings, shape: Shape) -> Encoder:
    kinds: dict[str, type[Encoder]] = {"residual": ResidualEncoder, "strided": StridedEncoder}
    return kinds[settings.encoder](shape.channels, shape.height, settings.width, _style(settings))


def _style(settings: Settings) -> Style:
    return Style(settings.slope, settings.groups, settings.state_groups, settings.residual_scale)


def _layout(settings: Settings, rows: int, features: Mapping[int, int]) -> Layout:
    upward = tuple(reversed(sizes(rows)))
    return Layout(
        context=settings.context,
        sizes=upward,
        features=features,
        # Features may be the frame itself, whose colours no group need divide.
        hidden={**features, rows: settings.width},
        latents={_rows(one, rows): one.channels for one in settings.latents},
        dense=settings.dense,
        cells=settings.cells,
        recurrent=upward[: settings.decoder_cells],
        widening=settings.state_widening,
        style=_style(settings),
    )


def _rows(latent: Latent, rows: int) -> int:
    return 1 if latent.shrink == "whole" else rows // latent.shrink


def _check(settings: Settings, shape: Shape) -> None:
    if shape.height != shape.width:
        raise UserError(
            f"The predictor hierarchical_vrnn takes square frames, not {shape.height} x "
            f"{shape.width}. Change source.height or .width."
        )
    try:
        found = sizes(shape.height)
    except ValueError as error:
        raise UserError(f"{error} Set source.height and .width to 8, 16, 32, 64 or 128.") from None
    if settings.decoder_cells > len(found):
        raise UserError(
            f"decoder_cells is {settings.decoder_cells}, but frames of {found[0]} rows have "
            f"{len(found)} resolutions. Lower it."
        )
    shrinks = [found[0] // size for size in found[:-1]]
    for one in settings.latents:
        if one.shrink != "whole" and one.shrink not in shrinks:
            raise UserError(
                f"latents: no features of {found[0]} rows are {one.shrink} times smaller. Choose "
                f"whole or one of {', '.join(map(str, shrinks))}."
            )
