"""A prior without a density: one player draws codes, the other tells them from true ones."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.training import Plan
from foreframe.priors import Given, ImplicitPrior, PriorSettings
from foreframe.randomness import Draws
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn


class Settings(PriorSettings):
    """How many numbers a grid is drawn from."""

    kind: Literal["toy"]
    training: Plan
    noise: int


class Game(Objective[Any]):
    """The critic moves, then the generator (Goodfellow 2014, without saturation)."""

    turns = (("critic",), ("generator",))

    def __init__(self, prior: "Duel") -> None:
        self.model = self.prior = prior
        self.players = (Player("critic", (prior.critic,)), Player("generator", (prior.generator,)))

    def losses(self, batch: Mapping[str, Tensor], moment: Moment, turn: Turn) -> Losses:
        """Return the logistic loss of who moves."""
        true = batch[self.prior.settings.level]
        noise = moment.numbers.normal((len(true), self.prior.settings.noise))
        scores = self.prior.critic(self.prior.scores(noise).softmax(dim=-1).flatten(1))
        if turn == ("generator",):
            return {"generator": {"loss": functional.softplus(-scores).mean()}}
        size = self.prior.codebook_size
        real = self.prior.critic(functional.one_hot(true.flatten(1), size).float().flatten(1))
        wrong = functional.softplus(-real).mean() + functional.softplus(scores).mean()
        return {"critic": {"loss": wrong, "real": real.mean()}}

    def measure(self, batch: Mapping[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Return nothing that could be judged."""
        return {"clips": torch.tensor(float(len(batch[self.prior.settings.level])))}


class Duel(ImplicitPrior):
    """Draws whole grids of codes."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        count = given.codes.grid[0] * given.codes.grid[1] * given.codes.grid[2]
        self.generator = nn.Linear(settings.noise, count * given.codes.codebook_size)
        self.critic = nn.Linear(count * given.codes.codebook_size, 1)

    def scores(self, noise_BZ: Tensor) -> Tensor:
        """Return scores of codes (B,N,K)."""
        return self.generator(noise_BZ).unflatten(1, (-1, self.codebook_size))

    def objective(self) -> Game:
        """Return the game of both players."""
        return Game(self)

    def sample(
        self, given_BTHW: Tensor, latents: Mapping[str, Tensor], draws: Draws, window: int
    ) -> Tensor:
        """Return the best codes of drawn scores; what is given is kept."""
        noise = draws.normal(self.settings.level, (window,), (self.settings.noise,))
        with torch.no_grad():
            codes = self.scores(noise).argmax(dim=-1).unflatten(1, self.grid)
        codes[:, : given_BTHW.shape[1]] = given_BTHW
        return codes


def build(settings: Settings, given: Given) -> Duel:
    """Return an untrained prior."""
    return Duel(settings, given)
