"""Predictors that learn in a game against a critic: what they share.

`Generating` are those that make whole clips (a picture is a clip of one frame) from latents that
are drawn at once; they are given no frames. With `PairGame` one learns to infer latents too:
Adversarially Learned Inference (Dumoulin et al. 2017), whose critic sees clips with their latents.

Shapes: B rows, C channels of the view, T frames, H rows, W columns; latents (B, ...) of a kind's
own shape.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.config.sampling import Options
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.networks import games
from foreframe.networks.noise import Drawn, Fresh, Noise
from foreframe.predictors import Context, Prediction
from foreframe.predictors.learned import LearnedPredictor, PredictorSettings
from foreframe.predictors.recurrent import filled
from foreframe.randomness import Draws, Shape
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

GENERATOR, CRITIC = "generator", "critic"  # the players

Labels = Mapping[str, Tensor]  # of the rows of a batch, by name


class AdversarialSettings(PredictorSettings):
    """What the settings of every kind here have."""

    training: Plan
    actions: Literal["none"]


class Latents(Options):
    """Latents are drawn from N(0, temperature^2 I); 1 is what a model was trained with."""

    temperature: Annotated[float, Field(gt=0)]

    @property
    def random(self) -> bool:
        """Always."""
        return True


class Generating(LearnedPredictor):
    """A predictor that makes whole clips, as long as its view's, from latents."""

    settings: AdversarialSettings
    options = Latents
    generates = True

    @property
    @abstractmethod
    def latent_shape(self) -> Shape:
        """The shape of the latents of one clip."""

    @abstractmethod
    def made(self, z: Tensor, labels: Labels) -> Tensor:
        """Return the clips (B,C,T,H,W) that have these latents (B, ...)."""

    def drawn(self, noise: Noise) -> Tensor:
        """Return latents (B, ...) from the prior, N(0, I)."""
        return noise.normal("prior", 0, self.latent_shape)

    @torch.no_grad()
    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        if context.given:
            raise UserError(
                f"{self.name} is given {context.given} frames and would ignore them: it makes "
                "clips from nothing. Set the protocol's context to 0."
            )
        if horizon > self.settings.view.frames:
            raise UserError(
                f"{self.name} makes clips of {self.settings.view.frames} frames, not of {horizon}. "
                "Lower the protocol's horizon."
            )
        places, device = context.places(draws), next(self.parameters()).device
        frames = []
        for chosen in filled(len(draws)):
            noise = Drawn(draws.of(chosen), "predict", device)
            told = {
                name: values[places[chosen]].to(device) for name, values in context.labels.items()
            }
            x_BCTHW = self.made(options.temperature * self.drawn(noise), told)
            frames.append(self.scaling.outward(x_BCTHW).cpu())
        return Prediction(torch.cat(frames)[: len(draws), :horizon])


class Inferring(Protocol):
    """What a game over pairs asks of a model."""

    def drawn(self, noise: Noise) -> Tensor:
        """Return latents (B, ...) from the prior."""

    def made(self, z: Tensor, labels: Labels) -> Tensor:
        """Return the clips (B,C,T,H,W) that have these latents."""

    def infer(self, x_BCTHW: Tensor, labels: Labels, noise: Noise) -> Tensor:
        """Return latents (B, ...) of clips, drawn from what the encoder says of them."""

    def judge(self, x_BCTHW: Tensor, z: Tensor, labels: Labels) -> Tensor:
        """Return logits (B,) of pairs being of a true clip and its inferred latents."""

    def players(self) -> Mapping[str, tuple[nn.Module, ...]]:
        """Return the modules of GENERATOR and of CRITIC."""


class PairGame(Objective[Mapping[str, Any]]):
    """Encoder and decoder against a critic of pairs, moved together from one forward pass.

    Both halves go through the critic as one batch, so a batch normalisation in it sees them mixed.
    """

    turns = ((GENERATOR, CRITIC),)

    def __init__(self, model: Any) -> None:
        self.model, self._of = model, model
        self.players = tuple(Player(name, parts) for name, parts in model.players().items())

    def losses(self, batch: Mapping[str, Any], moment: Moment, turn: Turn) -> Losses:
        """Return (4.1) and (4.4) of Mastropietro 2017 as losses, and what the critic knows."""
        real_B, fake_B = self.scores(batch, moment)
        said = games.believed(real_B.detach(), fake_B.detach())
        found = {
            GENERATOR: {"loss": games.pair_loss(real_B, fake_B)},
            CRITIC: {
                "loss": games.critic_loss(real_B, fake_B),
                **games.known(real_B, fake_B),
                **said,
            },
        }
        return {name: found[name] for name in turn}

    def measure(self, batch: Mapping[str, Any], moment: Moment) -> Mapping[str, Tensor]:
        """Return what the critic knows of the pairs of a validation batch, scalars."""
        real_B, fake_B = self.scores(batch, moment)
        return {**games.known(real_B, fake_B), **games.believed(real_B, fake_B)}

    def scores(self, batch: Mapping[str, Any], moment: Moment) -> tuple[Tensor, Tensor]:
        """Return the logits (B,) of true and of made pairs of a batch."""
        model: Inferring = self._of
        x_BCTHW, labels = batch["x"], batch.get("labels", {})
        noise = Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
        inferred, drawn = model.infer(x_BCTHW, labels, noise), model.drawn(noise)
        both = torch.cat([x_BCTHW, model.made(drawn, labels)])
        twice = {name: torch.cat([values, values]) for name, values in labels.items()}
        logits = self.judged(both, torch.cat([inferred, drawn]), twice, moment)
        real_B, fake_B = logits.chunk(2)
        return real_B, fake_B

    def judged(self, x_BCTHW: Tensor, z: Tensor, labels: Labels, moment: Moment) -> Tensor:
        """Return the critic's logits (B,); a kind whose critic draws something says how."""
        model: Inferring = self._of
        return model.judge(x_BCTHW, z, labels)
