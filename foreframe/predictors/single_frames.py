"""Predictors that make one frame, or one point of a source's states, from latents at one place.

What `ali`, `gan` and `vae` share: the decoder, an encoder where there is one, and the way from
frames to latents and back. What is told of a number and a seed is the same in any batch.

Shapes: B rows, N pictures or points, C channels, H rows, W columns, S states, Z latents, E values
of an embedding of labels, F features. `x` is a batch as the view shows it: (B,C,1,H,W), or (B,1,S)
of states, which the networks see as S channels of one pixel.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks.chains import Count
from foreframe.networks.gaussian import Gaussian, wide
from foreframe.networks.noise import Drawn, Noise
from foreframe.networks.pair_networks import Decoder, DecoderSettings, Encoder, EncoderSettings
from foreframe.predictors import Context, Prediction
from foreframe.predictors.adversarial import AdversarialSettings, Generating, Labels
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import filled
from foreframe.randomness import Draws, Shape


class SingleFrameSettings(AdversarialSettings):
    """What the settings of all of them have."""

    latents: Count  # Z; 256, CIFAR10 64, points 2
    decoder: DecoderSettings
    deviation: Annotated[float, Field(gt=0)]  # of starting weights; 0.01, points 0.02

    @model_validator(mode="after")
    def _sees_single_frames(self) -> Self:
        views.require(self.view, self.kind, frames=1)
        if self.view.of == "frames":
            views.require(self.view, self.kind, dequantise=False)
            if self.view.scaling not in ("unit", "symmetric"):
                raise ValueError(
                    f"view.scaling is {self.view.scaling}, but {self.kind} makes values between "
                    "two ends. Set it to unit or symmetric."
                )
        return self


def require_no_labels(settings: AdversarialSettings) -> None:
    """Refuse labels that a kind would not look at.

    Raises:
        ValueError: there are some.
    """
    if settings.labels:
        raise ValueError(
            f"labels is {', '.join(settings.labels)}, but {settings.kind} is told nothing. Set it "
            "to []."
        )


def require_players(plan: Plan, kind: str, *groups: tuple[str, ...]) -> None:
    """Refuse a plan that is not of these groups, whose players move together, one after the other.

    Raises:
        ValueError: its players are others, a phase moves no group, or they come in another order.
    """
    names = [name for group in groups for name in group]
    if set(plan.players) != set(names):
        raise ValueError(
            f"training.players are {', '.join(plan.players)}, but those of this {kind} are "
            f"{', '.join(names)}. Give each of them its section."
        )
    wanted = ", then ".join(" with ".join(group) for group in groups)
    sets = [set(group) for group in groups]
    moving = [set(names if phase.players is None else phase.players) for phase in plan.phases]
    places = [sets.index(each) if each in sets else -1 for each in moving]
    if places != sorted(places) or set(places) != set(range(len(groups))):
        found = ", then ".join(
            " with ".join(name for name in names if name in each) for each in moving
        )
        raise ValueError(
            f"The phases of this {kind} move {found}, but it learns by {wanted}. Let the players "
            "of each phase be one of these, in this order."
        )


class SingleFrames(Generating):
    """A decoder of latents N(0, I), and perhaps an encoder."""

    settings: SingleFrameSettings
    encoder: Encoder | None

    def __init__(
        self,
        settings: SingleFrameSettings,
        given: Given,
        encoder: EncoderSettings | None,
        told: int = 0,
    ) -> None:
        """Build decoder and encoder; `told` is E, 0 without labels.

        Raises:
            UserError: a chain does not fit the size of frames.
        """
        super().__init__()
        self.settings, self.given = settings, given
        more = (settings.latents, told, settings.deviation)
        self.implicit = encoder is not None and encoder.posterior == "implicit"
        self.encoder = None if encoder is None else Encoder(encoder, self.picture, *more)
        self.decoder = Decoder(settings.decoder, self.picture, *more)

    @property
    def picture(self) -> tuple[int, int, int]:
        """Channels, rows and columns of what the networks see."""
        shape = self.given.shape
        return shape.channels, shape.height, shape.width

    @property
    def latent_shape(self) -> Shape:
        """(Z,)."""
        return (self.settings.latents,)

    @property
    def sees_frames(self) -> bool:
        """Whether it is of frames, not of states."""
        return self.settings.view.of == "frames"

    def maps(self, x: Tensor) -> Tensor:
        """Return (B,C,H,W), as the networks see it."""
        return x[:, :, 0] if self.sees_frames else x[:, 0, :, None, None]

    def told(self, labels: Labels) -> Tensor | None:
        """Return what networks are told of labels (B,E,1,1); None: nothing."""
        return None

    def made(self, z: Tensor, labels: Labels) -> Tensor:
        """Return x of latents (B,Z): pixels within their scale, states as they come."""
        maps_BCHW = wide(self.decoder(z, self.told(labels)))
        if not self.sees_frames:
            return maps_BCHW.flatten(1)[:, None]
        values = maps_BCHW.sigmoid()[:, :, None]
        return 2 * values - 1 if self.settings.view.scaling == "symmetric" else values

    @torch.no_grad()
    def begin(self, x: Tensor) -> None:
        """Let what is made of nothing be the mean picture of these, where they are pictures.

        The bias of each pixel becomes its log-odds. The authors' code takes 500 examples; here it
        is the run's first batch (Dumoulin et al. 2017, code).
        """
        if self.sees_frames:
            mean_CHW = self.maps(x).mean(dim=0)
            symmetric = self.settings.view.scaling == "symmetric"
            self.decoder.bias.begin((mean_CHW + 1) / 2 if symmetric else mean_CHW)

    def posterior(self, x: Tensor, labels: Labels) -> Gaussian:
        """Return N(mu, sigma^2) of the latents (B,Z); the encoder says mu and log sigma."""
        assert self.encoder is not None and not self.implicit
        mean, log_deviation = wide(self.encoder(self.maps(x), self.told(labels))).chunk(2, dim=1)
        return Gaussian(mean, log_deviation.exp())

    def infer(self, x: Tensor, labels: Labels, noise: Noise) -> Tensor:
        """Return latents (B,Z) from what the encoder says."""
        if not self.implicit:
            return self.posterior(x, labels).sample(noise.normal("infer", 0, self.latent_shape))
        assert self.encoder is not None
        maps_BCHW = self.maps(x)
        shape = (self.settings.latents, *maps_BCHW.shape[2:])
        both = torch.cat([maps_BCHW, noise.normal("infer", 0, shape)], dim=1)
        return wide(self.encoder(both, self.told(labels)))

    @torch.no_grad()
    def inferred(self, x: Tensor, numbers: Sequence[int], seed: int) -> Tensor:
        """Return latents (N,Z) of what the view shows, of whose clips these are the numbers.

        Raises:
            UserError: there is no encoder, or it is told labels too.
        """
        self._require_encoder()
        draws = Draws.first(seed, numbers)
        return self._in_rows(
            len(x), lambda rows: self.infer(x[rows], {}, Drawn(draws.of(rows), "infer", x.device))
        )

    @torch.no_grad()
    def remade(self, z_NZ: Tensor, labels: Labels) -> Tensor:
        """Return what is made of latents and labels (N,), as the view shows it."""

        def rows_of(rows: list[int]) -> Tensor:
            return self.made(z_NZ[rows], {name: each[rows] for name, each in labels.items()})

        return self._in_rows(len(z_NZ), rows_of)

    def latents(self, frames_NHWC: Tensor, numbers: Sequence[int], seed: int) -> list[Tensor]:
        """Return one part, the latents (N,Z) of pictures, uint8; see `inferred`.

        Raises:
            UserError: it is of points, there is no encoder, or it is told labels too.
        """
        return [self.inferred(self._inward(frames_NHWC), numbers, seed)]

    def decoded(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the pictures that have these latents, uint8 (N,H,W,3) on the CPU."""
        (z_NZ,) = latents
        return self.pictures(z_NZ, {})

    def pictures(self, z_NZ: Tensor, labels: Labels) -> Tensor:
        """Return the pictures of latents and labels (N,), uint8 (N,H,W,3) on the CPU.

        Raises:
            UserError: it makes points.
        """
        self._require_frames()
        return self.scaling.outward(self.remade(z_NZ, labels))[:, 0].cpu()

    @torch.no_grad()
    def features(self, frames_NHWC: Tensor, layers: int) -> Tensor:
        """Return (N,F): what the encoder's last layers give, normalised, and the latents' mean.

        Of so many layers all values are taken, before their activation (Mastropietro 2017,
        4.4.3; which layers is as in the authors' code).

        Raises:
            UserError: it is of points, there is no encoder or no mean, it is told labels too, or
                has fewer layers.
        """
        encoder = self._require_encoder()
        if self.implicit:
            raise UserError(
                f"{self.name} has an implicit posterior, which has no mean. Ask one that is "
                "gaussian."
            )
        if layers > len(encoder.chain.layers):
            raise UserError(
                f"layers is {layers}, but the encoder of {self.name} has "
                f"{len(encoder.chain.layers)} before its last. Lower it."
            )
        x = self._inward(frames_NHWC)

        def rows_of(rows: list[int]) -> Tensor:
            seen = encoder.chain.before_activation(self.maps(x[rows]))
            last = [each.flatten(1) for each in seen[len(seen) - layers :]]
            return torch.cat([*last, self.posterior(x[rows], {}).mean], dim=1)

        return self._in_rows(len(x), rows_of)

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        self._require_frames()
        return super()._predict(context, horizon, options, draws)

    def _require_frames(self) -> None:
        if not self.sees_frames:
            raise UserError(
                f"{self.name} models the states of a source and knows nothing of frames. Ask about "
                "its points, or take a predictor of frames."
            )

    def _require_encoder(self) -> Encoder:
        if self.encoder is None:
            raise UserError(
                f"{self.name} has no latents of a picture: it never learnt to infer them. Give it "
                "an inference."
            )
        if self.settings.labels:
            raise UserError(
                f"{self.name} is told labels, and its latents say only what these do not. Ask a "
                "model without labels."
            )
        return self.encoder

    def _inward(self, frames_NHWC: Tensor) -> Tensor:
        self._require_frames()
        device = next(self.parameters()).device
        return self.scaling.inward(frames_NHWC[:, None].to(device), None)

    def _in_rows(self, count: int, act: Callable[[list[int]], Tensor]) -> Tensor:
        """Return what comes of rows, always as many at once: their last bits depend on that."""
        return torch.cat([act(rows) for rows in filled(count)])[:count]


def parts(*modules: Any) -> tuple[Any, ...]:
    """Return those of some modules that there are."""
    return tuple(module for module in modules if module is not None)
