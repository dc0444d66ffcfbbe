"""Kind `gan`: a generator and a critic of what it makes (Goodfellow et al. 2014), then an encoder.

The baselines of Adversarially Learned Inference (Mastropietro 2017, 4.2.2 and 4.4.5): the decoder
is ALI's, the critic sees no latents, both move together from one forward pass. Once they are
trained, later phases may learn an encoder G_z, while decoder G_x and critic stay as they are:

    inverse   minimise E_z |z - G_z(G_x(z))|^2
    posthoc   the game over pairs with a critic of its own, in which the encoder alone moves

Shapes: B rows, Z latents; `x` as in `single_frames`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.networks import games
from foreframe.networks.dropout import Dropout
from foreframe.networks.gaussian import wide
from foreframe.networks.noise import Fresh
from foreframe.networks.pair_networks import (
    Critic,
    CriticSettings,
    EncoderSettings,
    PairCritic,
    PairCriticSettings,
)
from foreframe.predictors.adversarial import CRITIC, GENERATOR
from foreframe.predictors.learned import Given
from foreframe.predictors.single_frames import (
    SingleFrames,
    SingleFrameSettings,
    require_no_labels,
    require_players,
)
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

ENCODER, PAIR_CRITIC = "encoder", "pair_critic"  # the players of later phases


class Inverse(Strict):
    """The encoder learns to find the latents that something was made of."""

    kind: Literal["inverse"]
    encoder: EncoderSettings

    @property
    def players(self) -> tuple[str, ...]:
        """Those of its phases."""
        return (ENCODER,)


class PostHoc(Strict):
    """The encoder learns against a critic of pairs."""

    kind: Literal["posthoc"]
    encoder: EncoderSettings
    critic: PairCriticSettings

    @property
    def players(self) -> tuple[str, ...]:
        """Those of its phases."""
        return (ENCODER, PAIR_CRITIC)


class Settings(SingleFrameSettings):
    """The section of params.yaml; a phase of `training` names the players that move in it.

    First `generator` and `critic`; then, for an inference, `encoder` and, if it is posthoc,
    `pair_critic`.
    """

    kind: Literal["gan"]
    critic: CriticSettings
    inference: Annotated[Inverse | PostHoc, Field(discriminator="kind")] | None

    @model_validator(mode="after")
    def _moves_in_turn(self) -> Self:
        require_no_labels(self)
        later = () if self.inference is None else (self.inference.players,)
        require_players(self.training, self.kind, (GENERATOR, CRITIC), *later)
        return self

    def infers(self, phase: int) -> bool:
        """Whether a phase is one of the inference."""
        return ENCODER in (self.training.phases[phase].players or ())


class GAN(SingleFrames):
    """The decoder and its critic; with an inference the encoder, and if it is posthoc its critic.

    For points the decoder has 484,802 weights and the critic 405,201.
    """

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build all nets.

        Raises:
            UserError: a chain does not fit the size of frames.
        """
        inference, deviation = settings.inference, settings.deviation
        super().__init__(settings, given, None if inference is None else inference.encoder)
        self.critic = Critic(settings.critic, self.picture, deviation)
        self.pair_critic: PairCritic | None = None
        if isinstance(inference, PostHoc):
            self.pair_critic = PairCritic(
                inference.critic, self.picture, settings.latents, 0, 1, deviation
            )
        self.still = False  # the decoder, while an encoder learns

    def train(self, mode: bool = True) -> Self:
        """Set the mode; while the decoder is still, its statistics are to stay as they are."""
        super().train(mode)
        if self.still:
            self.decoder.eval()
        return self

    def objective(self) -> "Game":
        """Return the game, and what the encoder learns after it."""
        return Game(self)


class Game(Objective[Mapping[str, Any]]):
    """Generator and critic together; in later phases the encoder, and its critic if it has one."""

    def __init__(self, model: GAN) -> None:
        self.model: GAN = model
        inference = model.settings.inference
        self.turns = ((GENERATOR, CRITIC),)
        modules: dict[str, Any] = {GENERATOR: model.decoder, CRITIC: model.critic}
        if inference is not None:
            self.turns = (*self.turns, inference.players)
            modules |= {ENCODER: model.encoder, PAIR_CRITIC: model.pair_critic}
        named = [name for turn in self.turns for name in turn]
        self.players = tuple(Player(name, (modules[name],)) for name in named)

    def start(self, batch: Mapping[str, Any], moment: Moment) -> None:
        """Let the decoder begin from the first batch."""
        self.model.begin(batch["x"])

    def enter(self, phase: int) -> None:
        """Let the decoder be still once the encoder learns."""
        self.model.still = self.model.settings.infers(phase)

    def losses(self, batch: Mapping[str, Any], moment: Moment, turn: Turn) -> Losses:
        """Return the loss of each player of the turn, and what is known of it."""
        if turn == (GENERATOR, CRITIC):
            real_B, fake_B = self._scores(batch["x"], moment)
            critic = {"loss": games.critic_loss(real_B, fake_B), **_known(real_B, fake_B)}
            return {GENERATOR: {"loss": games.generator_loss(fake_B)}, CRITIC: critic}
        if turn == (ENCODER,):
            return {ENCODER: {"loss": self._missed(batch["x"], moment)}}
        real_B, fake_B = self._pair_scores(batch["x"], moment)
        pair_critic = {"loss": games.critic_loss(real_B, fake_B), **_known(real_B, fake_B)}
        return {ENCODER: {"loss": games.pair_loss(real_B, fake_B)}, PAIR_CRITIC: pair_critic}

    def measure(self, batch: Mapping[str, Any], moment: Moment) -> Mapping[str, Tensor]:
        """Return what the phase's critic knows of a validation batch, or is missed; scalars."""
        if not self.model.settings.infers(moment.phase):
            return _known(*self._scores(batch["x"], moment))
        if self.model.pair_critic is None:
            return {"missed": self._missed(batch["x"], moment)}
        return _known(*self._pair_scores(batch["x"], moment))

    def _scores(self, x: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        """Return logits (B,) of what is true and of as much that is made, seen as one batch."""
        z = self.model.drawn(Fresh(moment.numbers, len(x), x.device))
        both = self.model.maps(torch.cat([x, self.model.made(z, {})]))
        real_B, fake_B = wide(self.model.critic(both, self._masks(moment))).chunk(2)
        return real_B, fake_B

    def _missed(self, x: Tensor, moment: Moment) -> Tensor:
        """Return the squared distance of latents from those inferred, a mean over the batch."""
        noise = Fresh(moment.numbers, len(x), x.device)
        z = self.model.drawn(noise)
        with torch.no_grad():
            made = self.model.made(z, {})
        missed = z - self.model.infer(made, {}, noise)
        return missed.square().sum(dim=1).mean()

    def _pair_scores(self, x: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        """Return logits (B,) of true and of made pairs, seen as one batch."""
        model, noise = self.model, Fresh(moment.numbers, len(x), x.device)
        inferred, z = model.infer(x, {}, noise), model.drawn(noise)
        with torch.no_grad():
            made = model.made(z, {})
        assert model.pair_critic is not None
        maps, latents = model.maps(torch.cat([x, made])), torch.cat([inferred, z])
        logits_B1 = model.pair_critic(maps, latents, None, self._masks(moment))
        real_B, fake_B = wide(logits_B1[:, 0]).chunk(2)
        return real_B, fake_B

    def _masks(self, moment: Moment) -> Dropout:
        return Dropout(0.0, moment.numbers if self.model.training else None)


def _known(real_B: Tensor, fake_B: Tensor) -> dict[str, Tensor]:
    real_B, fake_B = real_B.detach(), fake_B.detach()
    return {**games.known(real_B, fake_B), **games.believed(real_B, fake_B)}


def build(settings: Settings, given: Given) -> GAN:
    """Return an untrained predictor.

    Raises:
        UserError: a chain does not fit the size of frames.
    """
    return GAN(settings, given)
