"""Kind `dcgan`: a plain convolutional game over maps of codes (Radford et al. 2016).

The first generator of codes that Coppock 2020 tried, on each level alone: its critic
soon knew every map that was made, and its gradients told nothing more. The thesis gives no
settings; those of its source stand beside.

Shapes: B maps, H W their sides, Z numbers of noise, C channels.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.errors import UserError
from foreframe.networks import games
from foreframe.networks.adversarial import SLOPE
from foreframe.networks.growing import FIRST
from foreframe.networks.recomputed import Layers
from foreframe.priors import Given
from foreframe.priors.maps import CRITIC, GENERATOR, MapPrior, MapSettings, side_of
from foreframe.randomness import Numbers
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

DEVIATION = 0.02  # of starting weights

Size = Annotated[int, Field(ge=1)]


class Settings(MapSettings):
    """The section of params.yaml; the players of `training` are `generator` and `critic`."""

    kind: Literal["dcgan"]
    condition_on: tuple[()]
    noise: Size  # Z, 100
    channels: Annotated[tuple[Size, ...], Field(min_length=1)]  # of sides 4, 8, ... to half the map


class _Down(nn.Conv2d):
    def draw(self, numbers: Numbers) -> None:
        self.weight.copy_(DEVIATION * numbers.normal(self.weight.shape))


class _Up(nn.ConvTranspose2d):
    def draw(self, numbers: Numbers) -> None:
        self.weight.copy_(DEVIATION * numbers.normal(self.weight.shape))


class _Norm(nn.BatchNorm2d):
    def draw(self, numbers: Numbers) -> None:
        self.weight.copy_(1 + DEVIATION * numbers.normal(self.weight.shape))
        self.bias.zero_()


class Generator(nn.Module):
    """Transposed convolutions of 4x4, each but the first doubling the side; tanh."""

    def __init__(self, noise: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Up(noise, channels[0], FIRST, bias=False)]
        for low, high in pairwise([*channels, 1]):
            layers += [_Norm(low), nn.ReLU(), _Up(low, high, 4, 2, padding=1, bias=False)]
        self.layers = Layers(*layers, nn.Tanh())

    def forward(self, noise_BZ: Tensor) -> Tensor:
        """Return maps (B,1,H,W) from -1 to 1."""
        maps: Tensor = self.layers(noise_BZ[:, :, None, None])
        return maps


class Critic(nn.Module):
    """Convolutions of 4x4, each but the last halving the side, with LeakyReLU; to one logit."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for high, low in pairwise([1, *reversed(channels)]):
            layers.append(_Down(high, low, 4, 2, padding=1, bias=False))
            if len(layers) > 1:  # what sees the map itself has none (Radford et al. 2016, 3)
                layers.append(_Norm(low))
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = Layers(*layers, _Down(channels[0], 1, FIRST, bias=False))

    def forward(self, x_B1HW: Tensor) -> Tensor:
        """Return logits (B,) of being true."""
        logits: Tensor = self.layers(x_B1HW)
        return logits.flatten()


class Game(Objective[Mapping[str, Tensor]]):
    """The critic moves, then the generator, by cross-entropies that do not saturate."""

    turns = ((CRITIC,), (GENERATOR,))

    def __init__(self, prior: "DCGan") -> None:
        self.model = self.prior = prior
        self.players = (Player(CRITIC, (prior.critic,)), Player(GENERATOR, (prior.generator,)))
        self.averaged = (prior.generator,)

    def losses(self, batch: Mapping[str, Tensor], moment: Moment, turn: Turn) -> Losses:
        """Return the cross-entropy of who moves, and which share of maps the critic knows."""
        if turn == (GENERATOR,):
            fake = self.prior.critic(self._made(batch, moment))
            return {GENERATOR: {"loss": games.generator_loss(fake)}}
        with torch.no_grad():
            made = self._made(batch, moment)
        real = self.prior.critic(self.prior.true(batch, moment.numbers))
        fake = self.prior.critic(made)
        return {CRITIC: {"loss": games.critic_loss(real, fake), **games.known(real, fake)}}

    def measure(self, batch: Mapping[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Return which share of the maps of a validation batch the critic knows, scalars."""
        made = self._made(batch, moment)
        real = self.prior.critic(self.prior.true(batch, moment.numbers))
        return games.known(real, self.prior.critic(made))

    def _made(self, batch: Mapping[str, Tensor], moment: Moment) -> Tensor:
        noise = self.prior.draw_noise(batch[self.prior.settings.level], moment.numbers)
        made: Tensor = self.prior.generator(noise)
        return made


class DCGan(MapPrior):
    """Draws maps; its generator makes their values."""

    settings: Settings
    generator: Generator

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        self.generator = Generator(settings.noise, settings.channels)
        self.critic = Critic(settings.channels)

    @property
    def noise(self) -> int:
        """How many numbers Z a map is drawn from."""
        return self.settings.noise

    def objective(self) -> Game:
        """Return the game of both players."""
        return Game(self)

    def make(self, generator: nn.Module, noise_BZ: Tensor, above_B1ss: Tensor | None) -> Tensor:
        """Return maps (B,1,H,W) from -1 to 1."""
        maps: Tensor = generator(noise_BZ)
        return maps


def build(settings: Settings, given: Given) -> DCGan:
    """Return an untrained prior.

    Raises:
        UserError: the level is no square map of a fitting side, or the channels are of another.
    """
    side = side_of(settings.kind, settings.level, given.codes)
    reached = FIRST * 2 ** len(settings.channels)
    if reached != side:
        needed = (side // FIRST).bit_length() - 1
        raise UserError(
            f"The {settings.kind} of the level {settings.level} makes maps of {reached} x {reached}"
            f" codes with {len(settings.channels)} numbers in channels, but the level has {side} x "
            f"{side}. " + _advice(needed)
        )
    return DCGan(settings, given)


def _advice(needed: int) -> str:
    if needed == 0:
        return "It needs maps of 8 x 8 codes at least: choose another kind of prior."
    return f"Give channels {needed}."
