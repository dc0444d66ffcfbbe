"""Kind `progressive_gan`: a generator of maps of codes that grows with its critic (Coppock 2020).

Fig. 3.3 and Table 6.3 of the thesis: a Wasserstein game with a gradient penalty (Gulrajani et al.
2017) from 4x4 maps on, one scale in each phase of the training, with self-attention (Zhang et al.
2019). With `condition_on` both players also see the level above, at every scale, and the critic
judges pairs. The thesis does not say how indices become numbers; here they are grey values.

Shapes: B maps, H W their sides, S the side of the present scale, s that of the level above, Z
numbers of noise.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.errors import UserError
from foreframe.networks import growing
from foreframe.networks.adversarial import drift, gradient_penalty
from foreframe.networks.growing import Critic, Generator, Growth, Network, shrink
from foreframe.networks.pooling import enlarge
from foreframe.priors import Given
from foreframe.priors.maps import CRITIC, GENERATOR, MapPrior, MapSettings, side_of
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

ALBUM = 8  # maps that are kept of each phase


class Settings(MapSettings):
    """The section of params.yaml; the players of `training` are `generator` and `critic`.

    Each of its phases has a scale; what the thesis leaves open is as Karras et al. 2018 have it.
    """

    kind: Literal["progressive_gan"]
    network: Network
    fade: Annotated[float, Field(ge=0, le=1)]  # share of a phase in which the new scale takes over
    penalty: Annotated[float, Field(gt=0)]  # weight of the critic's slope, 10
    drift: Annotated[float, Field(ge=0)]  # weight of the size of its scores, 0.001

    @model_validator(mode="after")
    def _has_a_phase_for_each_scale(self) -> Self:
        phases, scales = len(self.training.phases), len(self.network.channels)
        if phases != scales:
            raise ValueError(
                f"training.phases has {phases} parts, but network.channels has {scales} numbers. "
                "Give one of each for every scale."
            )
        return self

    @model_validator(mode="after")
    def _reads_what_it_is_given(self) -> Self:
        if self.condition_on and self.network.condition is None:
            raise ValueError(
                f"condition_on names {self.condition_on[0]}, but network.condition is null. Say "
                "there how it is read, or let condition_on be []."
            )
        if not self.condition_on and self.network.condition is not None:
            raise ValueError(
                "network.condition says how a level above is read, but condition_on names none. "
                "Name one, or set network.condition to null."
            )
        return self

    def grown(self, phase: int, step: int, steps: int) -> Growth:
        """Return how far the pair has grown after `step` of the `steps` of a phase."""
        if phase == 0 or self.fade == 0:
            return Growth(phase, 0.0)
        return Growth(phase, max(0.0, 1 - step / (self.fade * steps)))


class Game(Objective[Mapping[str, Tensor]]):
    """The critic moves, then the generator, each with maps of its own."""

    turns = ((CRITIC,), (GENERATOR,))

    def __init__(self, prior: "ProgressiveGan") -> None:
        self.model = self.prior = prior
        self.players = (Player(CRITIC, (prior.critic,)), Player(GENERATOR, (prior.generator,)))
        self.averaged = (prior.generator,)

    def enter(self, phase: int) -> None:
        """Go to the scale of a phase; its parts are there, and are moved from now on."""
        self.prior.reach(self.prior.settings.grown(phase, 0, 1))

    def losses(self, batch: Mapping[str, Tensor], moment: Moment, turn: Turn) -> Losses:
        """Return the Wasserstein loss of who moves.

        Beside it the critic has the mean scores of true and made maps (`real`, `fake`), its mean
        `slope` between them with the `penalty` on it, and `fade`; both have their gamma, if any.
        """
        prior, settings = self.prior, self.prior.settings
        growth = self._grown(moment, 0)
        # What is drawn afterwards is drawn with the weights after the step, at the moment after it.
        prior.reach(self._grown(moment, 1))
        above = prior.above(batch)
        if turn == (GENERATOR,):
            made = self._made(batch, above, moment, growth)
            loss = -prior.critic(made, above, growth).mean()
            return {GENERATOR: {"loss": loss, **_gamma(GENERATOR, prior.generator)}}
        true = self._true(batch, moment, growth)
        with torch.no_grad():
            made = self._made(batch, above, moment, growth)
        real, fake = (prior.critic(maps, above, growth) for maps in (true, made))
        share = moment.numbers.uniform((len(true),)).to(true.device)
        penalty, slope = gradient_penalty(
            lambda maps: prior.critic(maps, above, growth), true, made, share
        )
        loss = fake.mean() - real.mean() + settings.penalty * penalty
        loss = loss + settings.drift * drift(real)
        known = {"real": real.mean(), "fake": fake.mean(), "slope": slope, "penalty": penalty}
        known["fade"] = torch.full((), growth.fade, device=true.device)
        return {CRITIC: {"loss": loss, **known, **_gamma(CRITIC, prior.critic)}}

    def measure(self, batch: Mapping[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Return `wasserstein`, by how much true maps score higher than made ones; scalars.

        What is made is kept as the last of this scale. And, of a pair, `mismatch`: by how much true
        maps score higher with their own map of the level above than with that of the next in the
        batch; a single one has no other.
        """
        growth = self._grown(moment, 0)
        above = self.prior.above(batch)
        true = self._true(batch, moment, growth)
        made = self._made(batch, above, moment, growth)
        self.prior.keep(made, growth)
        real = self.prior.critic(true, above, growth).mean()
        found = {"wasserstein": real - self.prior.critic(made, above, growth).mean()}
        if above is not None and len(above) > 1:
            others = self.prior.critic(true, above.roll(1, dims=0), growth)
            found["mismatch"] = real - others.mean()
        return found

    def _grown(self, moment: Moment, after: int) -> Growth:
        step = moment.phase_step + after
        return self.prior.settings.grown(moment.phase, step, moment.phase_steps)

    def _true(self, batch: Mapping[str, Tensor], moment: Moment, growth: Growth) -> Tensor:
        last = len(self.prior.settings.network.channels) - 1
        return shrink(self.prior.true(batch, moment.numbers), last, growth)

    def _made(
        self, batch: Mapping[str, Tensor], above: Tensor | None, moment: Moment, growth: Growth
    ) -> Tensor:
        noise = self.prior.draw_noise(batch[self.prior.settings.level], moment.numbers)
        made: Tensor = self.prior.generator(noise, above, growth)
        return made


def _gamma(player: str, half: growing.Half) -> dict[str, Tensor]:
    return {} if half.attention is None else {f"{player}_gamma": half.attention.gamma.detach()}


class ProgressiveGan(MapPrior):
    """Draws maps at the scale that its training has reached, enlarged to the whole where needed."""

    settings: Settings
    generator: Generator
    scale: Tensor
    fade: Tensor
    album: Tensor  # [P][N][H][W] int32: maps of the last validation of each phase; -1 where none

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        self.generator = Generator(settings.network)
        self.critic = Critic(settings.network)
        # In the file of weights, as a training can end before its last scale, or in a fade.
        self.register_buffer("scale", torch.tensor(len(settings.network.channels) - 1))
        self.register_buffer("fade", torch.zeros((), dtype=torch.float64))
        size = (len(settings.network.channels), ALBUM, self.side, self.side)
        self.register_buffer("album", torch.full(size, -1, dtype=torch.int32))

    @property
    def noise(self) -> int:
        """How many numbers Z a map is drawn from."""
        return self.settings.network.noise

    def objective(self) -> Game:
        """Return the game of both players."""
        return Game(self)

    def reach(self, growth: Growth) -> None:
        """Note how far both players have grown."""
        self.scale.fill_(growth.scale)
        self.fade.fill_(growth.fade)

    def keep(self, made_B1SS: Tensor, growth: Growth) -> None:
        """Note what was made at a scale."""
        whole = enlarge(made_B1SS[:ALBUM].detach(), self.side // made_B1SS.shape[-1])
        ids_NHW = self.index_map.ids(whole).squeeze(1)
        self.album[growth.scale, : len(ids_NHW)] = ids_NHW.to(self.album)

    def drawn_by_phase(self) -> list[list[list[list[int]]]]:
        """Return the maps that were made at the end of each phase so far: indices [P][N][H][W]."""
        return [phase[phase[:, 0, 0] >= 0].tolist() for phase in self.album]

    def make(self, generator: nn.Module, noise_BZ: Tensor, above_B1ss: Tensor | None) -> Tensor:
        """Return maps (B,1,H,W) of any values."""
        growth = Growth(int(self.scale), float(self.fade))
        made = generator(noise_BZ, above_B1ss, growth)
        return enlarge(made, self.side // made.shape[-1])


def build(settings: Settings, given: Given) -> ProgressiveGan:
    """Return an untrained prior.

    Raises:
        UserError: a level is no square map of a fitting side, or the phases grow to another side.
    """
    side = side_of(settings.kind, settings.level, given.codes)
    for level in settings.condition_on:
        side_of(settings.kind, level, given.conditions[level])
    reached = settings.network.sides[-1]
    if reached != side:
        needed = (side // growing.FIRST).bit_length()
        raise UserError(
            f"The {settings.kind} of the level {settings.level} grows to {reached} x {reached} "
            f"codes in {len(settings.network.sides)} phases, but the level has {side} x {side}. "
            f"Let the length of training.phases and network.channels be {needed}."
        )
    return ProgressiveGan(settings, given)
