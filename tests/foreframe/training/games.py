"""Objectives small enough for tests: two players against each other, and a network that grows."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foreframe.config.training import SGD, Adam, Phase, Plan, Plateau, Ramp, RMSprop
from foreframe.randomness import Numbers, generator
from foreframe.training import schedules
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn
from foreframe.training.optimization import Mover

FEATURES = 3
NOISE = 2


def draw(module: nn.Module, name: str = "weights") -> None:
    numbers = generator(0, name)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(numbers.uniform(parameter.shape, -1, 1))


def phase(**changes: Any) -> Phase:
    values: dict[str, Any] = {"steps": None, "epochs": None, "batch_size": 4, "frames": None}
    values |= {"players": None, "restart_optimizers": False}
    return Phase(**{**values, **changes})


def plan(**changes: Any) -> Plan:
    values: dict[str, Any] = {"phases": (phase(steps=6),), "players": {"model": sgd()}}
    values |= {"average": None, "validate_every": None, "judge": None, "patience": None}
    return Plan(**{**values, "diverging": "stop", "log_every": 2, "shards": 1, **changes})


COMMON: dict[str, Any] = {
    "learning_rate": 0.1,
    "weight_decay": 0.0,
    "clip": None,
    "schedule": "constant",
    "warmup_steps": 0,
}


def sgd(**changes: Any) -> SGD:
    return SGD(**{**COMMON, "kind": "sgd", "momentum": 0.0, **changes})


def adam(**changes: Any) -> Adam:
    values = {**COMMON, "kind": "adam", "betas": (0.9, 0.999), "epsilon": 1e-8}
    return Adam(**{**values, **changes})


def rmsprop(**changes: Any) -> RMSprop:
    values = {**COMMON, "kind": "rmsprop", "smoothing": 0.9, "momentum": 0.0, "epsilon": 1e-8}
    return RMSprop(**{**values, **changes})


def follower(model: nn.Module, **changes: Any) -> Callable[[Tensor], None]:
    """Return what moves a network one step of AdamW down a loss."""
    mover = Mover(adam(**{"kind": "adamw", "weight_decay": 0.01, **changes}))
    mover.take(Player("model", (model,)).weights(), restart=False)

    def follow(loss: Tensor) -> None:
        norm = mover.adopt(mover.gradient(loss, again=False))
        settings = mover.settings
        decay = schedules.weight_decay(settings, 0, 1)
        mover.follow(norm, settings.learning_rate, decay)

    return follow


class Duel(Objective[Tensor]):
    """A generator of points against a critic whose gradient is penalised, twice as often moved."""

    def __init__(self) -> None:
        self.generator = nn.Linear(NOISE, FEATURES)
        self.critic = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, 1))
        self.norm = nn.BatchNorm1d(FEATURES)  # of the points made: a buffer that turns move
        self.model = nn.ModuleList([self.generator, self.norm, self.critic])
        draw(self.model)
        self.players = (
            Player("generator", (self.generator, self.norm)),
            Player("critic", (self.critic,)),
        )
        self.turns = (("critic",), ("critic",), ("generator",))
        self.averaged = (self.generator, self.norm)

    def made(self, count: int, numbers: Numbers) -> Tensor:
        made: Tensor = self.norm(self.generator(numbers.normal((count, NOISE))))
        return made

    def losses(self, batch: Tensor, moment: Moment, turn: Turn) -> Losses:
        made = self.made(len(batch), moment.numbers)
        if turn == ("generator",):
            return {"generator": {"loss": -self.critic(made).mean()}}
        between = (0.5 * (made.detach() + batch)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        weight = moment.ramp(Ramp(first=0.0, last=10.0, begin=1, steps=4, of="run"))
        gap = self.critic(made.detach()).mean() - self.critic(batch).mean()
        return {"critic": {"loss": gap + weight * penalty, "penalty": penalty}}

    def measure(self, batch: Tensor, moment: Moment) -> Mapping[str, Tensor]:
        made = self.made(64, moment.numbers)
        return {"distance": (made.mean(0) - batch.mean(0)).norm()}


def duel_plan() -> Plan:
    return plan(
        phases=(phase(steps=5), phase(steps=3, batch_size=3, players=("critic",)), phase(epochs=3)),
        players={
            "generator": rmsprop(momentum=0.5, schedule="cosine", warmup_steps=1),
            "critic": sgd(momentum=0.9, weight_decay=0.1, learning_rate=0.02, clip=1.0),
        },
        average=0.7,
        validate_every=2,
        judge="distance",
        patience=3,
    )


class Tower(nn.Module):
    """A line whose offset comes from data; later with a layer before it."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(FEATURES, 1)
        self.offset = nn.Parameter(torch.zeros(FEATURES))
        self.before: nn.Module = nn.Identity()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x_BF: Tensor) -> Tensor:
        missing = FEATURES - x_BF.shape[1]
        x_BF = nn.functional.pad(x_BF, (0, missing)) - self.offset
        result: Tensor = self.line(self.before(x_BF))
        return result


class Growing(Objective[Tensor]):
    """A tower that starts from data, grows a layer while the line is frozen, and thaws."""

    def __init__(self) -> None:
        self.model: Tower = Tower()
        draw(self.model.line)
        self.turns = (("model",),)
        self.averaged = (self.model,)
        self.players = (Player("model", (self.model,)),)
        self.starts = 0

    def start(self, batch: Tensor, moment: Moment) -> None:
        self.starts += 1
        self.model.offset.data[: batch.shape[1]] = batch.mean(0)

    def enter(self, phase: int) -> None:
        if phase == 1:
            self.model.before = nn.Linear(FEATURES, FEATURES)
            draw(self.model.before, "before")
        self.model.line.requires_grad_(phase != 1)

    def losses(self, batch: Tensor, moment: Moment, turn: Turn) -> Losses:
        self.model.seen.add_(batch.detach().mean())
        return {"model": self._error(batch, moment)}

    def measure(self, batch: Tensor, moment: Moment) -> Mapping[str, Tensor]:
        return self._error(batch, moment)

    def _error(self, batch: Tensor, moment: Moment) -> dict[str, Tensor]:
        noise = 0.1 * moment.numbers.normal((len(batch), 1))
        error = self.model(batch) - batch.sum(1, keepdim=True) + noise
        return {"loss": error.square().mean()}


def growing_plan() -> Plan:
    return plan(
        phases=(
            phase(steps=5, frames=2),
            phase(epochs=1, batch_size=6, restart_optimizers=True),
            phase(steps=9, batch_size=5),
        ),
        players={
            "model": adam(schedule=Plateau(factor=0.5, patience=1), betas=(0.5, 0.9)),
        },
        average=0.6,
        validate_every=2,
        judge="loss",
    )
