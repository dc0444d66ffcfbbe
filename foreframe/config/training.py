"""How a network is fitted: the flat section `training`, and the plan that any training is run by.

`Training` describes the usual case, one player and one phase; `Training.plan` is what it stands
for. A kind with several players or phases has a `Plan` in its settings instead.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from foreframe.config.base import Strict

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


def _is_power_of_two(number: int) -> int:
    if number & (number - 1):
        raise ValueError(f"{number} is no power of two. Choose 1, 2, 4, ...")
    return number


# Into how many shards each batch is cut, which go through the network one by one and may be
# computed by as many processes. Its gradient is summed in another order than that of a whole.
Shards = Annotated[int, Field(ge=1, le=65536), AfterValidator(_is_power_of_two)]

# The one player of `Training`.
MODEL = "model"
# Xu 2022, 5.1; Kingma and Ba 2015.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Ramp(Strict):
    """A number that goes evenly from `first` to `last`, and stays.

    It leaves `first` after `begin` steps and takes `steps` to arrive, counted in the run or anew in
    each phase.
    """

    first: float
    last: float
    begin: Natural
    steps: Count
    of: Literal["run", "phase"]


class Plateau(Strict):
    """A step size that is multiplied by `factor` whenever the judged value stops falling.

    That is when `patience` values in a row were not below the lowest before; in every phase anew.
    """

    factor: Annotated[float, Field(gt=0, lt=1)]
    patience: Count


class Decline(Strict):
    """A step size that stays until step `begin`, then falls evenly to 0 at the last step."""

    begin: Natural


class Decay(Strict):
    """A step size that is multiplied by `factor` in every `steps` steps, a little at each."""

    factor: Annotated[float, Field(gt=0, lt=1)]
    steps: Count


class HalfCosine(Strict):
    """A number that goes from `first` to `last` along half a cosine, through the whole run."""

    first: Weight
    last: Weight


class _Optimizer(Strict):
    learning_rate: Positive
    weight_decay: Weight | HalfCosine  # adamw: decoupled; others: L2, in the gradient
    clip: Positive | None  # largest global norm; null: no clipping
    # cosine falls to 0 at the last step; a half cosine begins at learning_rate
    schedule: Literal["constant", "cosine"] | Plateau | Decline | Decay | HalfCosine
    warmup_steps: Natural

    @model_validator(mode="after")
    def _begins_where_its_schedule_does(self) -> Self:
        if isinstance(self.schedule, HalfCosine) and self.schedule.first != self.learning_rate:
            raise ValueError(
                f"The schedule begins at {self.schedule.first}, and learning_rate is "
                f"{self.learning_rate}. Give both the same number."
            )
        return self


class Adam(_Optimizer):
    """Kingma and Ba 2015; with decoupled weight decay, Loshchilov and Hutter 2019."""

    kind: Literal["adam", "adamw"]
    betas: tuple[Share, Share]
    epsilon: Positive


class RMSprop(_Optimizer):
    """Tieleman and Hinton 2012; `smoothing` is the decay of the mean square."""

    kind: Literal["rmsprop"]
    smoothing: Share
    momentum: Share
    epsilon: Positive


class SGD(_Optimizer):
    """Plain steps down the gradient, with heavy-ball momentum."""

    kind: Literal["sgd"]
    momentum: Share


OptimizerSettings = Annotated[Adam | RMSprop | SGD, Field(discriminator="kind")]


class Phase(Strict):
    """A part of a run with its own length, batches and clips, and perhaps not all players."""

    steps: Count | None
    epochs: Count | None
    batch_size: Count
    frames: Count | None  # length of a clip; null: as the model's view says
    players: Annotated[tuple[Name, ...], Field(min_length=1)] | None  # that move; null: all
    restart_optimizers: bool  # without moments, and the schedules begin anew

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(
                f"A phase has steps {self.steps} and epochs {self.epochs}. Give one of them a "
                "number, and set the other to null."
            )
        return self


class Plan(Strict):
    """Players, phases and what is watched over: everything about a run but its data and its seed.

    `judge` names a value of the validation; the weights of the phase's lowest become the result.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    players: Annotated[dict[Name, OptimizerSettings], Field(min_length=1)]
    average: Annotated[float, Field(gt=0, lt=1)] | None  # decay of averaged weights, by step
    validate_every: Count | None  # steps; null: after every epoch. And at each phase's end
    judge: str | None  # null: the last weights
    patience: Count | None  # validations of the last phase without a new lowest, then it ends
    diverging: Literal["stop", "record"]
    log_every: Count
    shards: Shards

    def plan(self) -> Self:
        """Return this, as `Training.plan` does of what it stands for."""
        return self

    @model_validator(mode="after")
    def _is_judged(self) -> Self:
        if self.judge is None and self.patience is not None:
            raise ValueError(
                "patience waits for a value to fall. Name it in judge, or set patience to null."
            )
        for name, settings in self.players.items():
            if self.judge is None and isinstance(settings.schedule, Plateau):
                raise ValueError(
                    f"The schedule of the player {name} waits for a value to fall. Name it in "
                    "judge, or choose another schedule."
                )
        return self

    @model_validator(mode="after")
    def _shards_fit(self) -> Self:
        for phase in self.phases:
            if phase.batch_size % self.shards:
                raise ValueError(
                    f"A batch of {phase.batch_size} has no {self.shards} equal shards. Let shards "
                    "divide batch_size."
                )
        return self

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        if self.phases[0].restart_optimizers:
            raise ValueError(
                "The first phase has no optimizers to restart. Set its restart_optimizers to false."
            )
        for number, phase in enumerate(self.phases, 1):
            if unknown := sorted({*(phase.players or ())} - {*self.players}):
                raise ValueError(
                    f"Phase {number} moves {', '.join(unknown)}, but the players are "
                    f"{', '.join(self.players)}. Name one of them."
                )
        for steps in self._between_restarts():
            for name, settings in self.players.items():
                if settings.warmup_steps >= steps:
                    raise ValueError(
                        f"warmup_steps of {name} is {settings.warmup_steps}, but there are {steps} "
                        "steps. Lower it, or train for longer."
                    )
        return self

    def _between_restarts(self) -> Iterator[int]:
        """Yield how many steps there are from restart to restart, where no epochs are counted."""
        begins = [0, *(place for place, each in enumerate(self.phases) if each.restart_optimizers)]
        for begin, end in zip(begins, [*begins[1:], len(self.phases)], strict=True):
            steps = [phase.steps for phase in self.phases[begin:end]]
            if None not in steps:
                yield sum(step or 0 for step in steps)


class Training(Strict):
    """Optimiser, length and step size of one training run."""

    optimizer: Literal["adamw", "adam"]
    learning_rate: Positive
    weight_decay: Weight  # adamw: decoupled; adam: L2, in the gradient
    batch_size: Count
    epochs: Count
    gradient_clip: Positive | None  # largest global norm; null: no clipping
    schedule: Literal["constant", "cosine"]  # cosine falls to 0 at the last step
    warmup_steps: Natural
    log_every: Count  # steps that one row of the curve averages
    diverging: Literal["stop", "record"]  # a loss that is not finite: an error, or a result
    shards: Shards

    @model_validator(mode="after")
    def _has_a_plan(self) -> Self:
        self.plan()
        return self

    def plan(self) -> Plan:
        """Return what this stands for: one player in one phase, the last weights its result."""
        optimizer = Adam(
            kind=self.optimizer,
            learning_rate=self.learning_rate,
            betas=BETAS,
            epsilon=EPSILON,
            weight_decay=self.weight_decay,
            clip=self.gradient_clip,
            schedule=self.schedule,
            warmup_steps=self.warmup_steps,
        )
        phase = Phase(
            steps=None,
            epochs=self.epochs,
            batch_size=self.batch_size,
            frames=None,
            players=None,
            restart_optimizers=False,
        )
        return Plan(
            phases=(phase,),
            players={MODEL: optimizer},
            average=None,
            validate_every=None,
            judge=None,
            patience=None,
            diverging=self.diverging,
            log_every=self.log_every,
            shards=self.shards,
        )
