"""How well does a linear classifier of few labels tell classes by what an encoder sees?

Features of a picture are what the encoder's last layers give, and its mean, all values in a row
(Mastropietro 2017, 4.4.3). A support vector machine per class,

    min 1/2 |w|^2 + cost sum max(0, 1 - y w.x)^2,

learns from as many examples of each class, drawn anew from a pool for each of many machines; the
cost is chosen on held-out clips with a draw of its own. The thesis prints 8960 features of house
numbers, but the layers that its code takes have 4096 + 512 + 512 + 256 = 5376.

Shapes: N clips of a set, F features, K classes, D machines, A costs, L examples of a draw.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.embedding import classes, pictures
from foreframe.analyses.subject import BATCH, Found, Subject
from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.evaluation import statistics
from foreframe.predictors.single_frames import SingleFrames
from foreframe.randomness import generator

Count = Annotated[int, Field(ge=1)]


class Costs(Strict):
    """`count` costs from e^first to e^last, evenly in their logarithm; -20, 20 and 50."""

    first: float
    last: float
    count: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if self.first >= self.last:
            raise ValueError(
                f"costs go from {self.first:g} to {self.last:g}. Let last be larger than first."
            )
        return self

    def values(self) -> list[float]:
        """Return them, the smallest first."""
        logs = numpy.linspace(self.first, self.last, self.count)
        return [math.exp(each) for each in logs.tolist()]


class Settings(AnalysisSettings):
    """Machines are tested on the protocol's clips; the values of the thesis beside."""

    kind: Literal["linear_svm"]
    label: str
    layers: Count  # of the encoder before its last, whose values are features; 3
    pool: Literal["train", "validation"]  # the set that examples are drawn from
    held_out: Count  # the last clips of the pool, on which the cost is chosen; 10,000
    labelled: Count  # examples of each class; 100
    draws: Annotated[int, Field(ge=2)]  # D, 100
    costs: Costs
    iterations: Count  # after which a machine is left as it is

    @model_validator(mode="after")
    def _shows_nothing(self) -> Self:
        if self.show:
            raise ValueError(f"show is {self.show}, but there is nothing to show. Set it to 0.")
        return self


@dataclass(frozen=True)
class _Draw:
    places: NDArray[numpy.int64]  # (L,) in the pool
    state: int  # of the machine's own random numbers


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the error of the machines, its mean and deviation over draws, and the chosen cost.

    `unfinished` is the share of them that were left as they were. Stored are the error of each and
    the held-out errors of the costs.

    Raises:
        UserError: the predictor has no encoder of pictures, the pool is what is tested, the clips
            lack the label, or there are too few of a class.
    """
    if settings.pool == subject.futures.set:
        raise UserError(
            f"pool is {settings.pool}, the set that is tested. Name another one, or another "
            "protocol."
        )
    pool, test_N = subject.other(settings.pool), classes(subject, settings.label)
    labels_N = classes(pool, settings.label)
    kept = len(labels_N) - settings.held_out
    if kept < 1:
        raise UserError(
            f"held_out is {settings.held_out}, but the pool has {len(labels_N)} clips. Lower it."
        )
    draws = [
        draw(labels_N[:kept], settings, subject.futures.seed, number)
        for number in range(settings.draws + 1)
    ]
    needed = numpy.unique(numpy.concatenate([each.places for each in draws]))
    known = features(pool, settings.layers, needed.tolist())
    held_out = features(pool, settings.layers, list(range(kept, len(labels_N))))
    tested = features(subject, settings.layers, list(range(len(subject))))

    def machine(one: _Draw, cost: float) -> Any:
        rows = numpy.searchsorted(needed, one.places)
        return fitted(known[rows], labels_N[one.places].numpy(), cost, one.state, settings)

    choosing, *others = draws
    costs = settings.costs.values()
    missed_A = [
        _error(machine(choosing, cost), held_out, labels_N[kept:].numpy()) for cost in costs
    ]
    cost = costs[missed_A.index(min(missed_A))]  # of equal ones the smallest
    machines = [machine(one, cost) for one in others]
    errors_D = [_error(each, tested, test_N.numpy()) for each in machines]
    spread = statistics.across_seeds(errors_D)
    unfinished = sum(int(each.n_iter_ >= settings.iterations) for each in machines)
    subject.store("errors", torch.tensor(errors_D))
    subject.store("costs", torch.tensor(costs))
    subject.store("held_out_errors", torch.tensor(missed_A))
    return Found(
        {
            "error": {"mean": spread.mean, "std": spread.std, "draws": spread.count},
            "held_out_error": min(missed_A),
            "cost": cost,
            "features": known.shape[1],
            "unfinished": unfinished / len(machines),
        }
    )


def draw(labels_N: Tensor, settings: Settings, seed: int, number: int) -> _Draw:
    """Return a draw of clips, as many of each class.

    Raises:
        UserError: there is one class, or there are too few clips of one.
    """
    numbers, found = generator(seed, "linear_svm", number), []
    known = labels_N.unique().tolist()
    if len(known) < 2:
        raise UserError(
            f"the pool's clips have one class of {settings.label}, and nothing is to be told "
            "apart. Take another pool, or another label."
        )
    for label in known:
        places = (labels_N == label).nonzero().flatten()
        if len(places) < settings.labelled:
            raise UserError(
                f"labelled is {settings.labelled}, but the pool has {len(places)} clips of the "
                f"class {label} of {settings.label}. Lower labelled or held_out."
            )
        found.append(places[numbers.permutation(len(places))[: settings.labelled]])
    state = int(numbers.integers(0, 2**31 - 1, (1,)))
    return _Draw(torch.cat(found).numpy(), state)


def features(subject: Subject, layers: int, places: list[int]) -> NDArray[numpy.float32]:
    """Return the features (N,F) of the clips at some places.

    Raises:
        UserError: the predictor has no encoder of pictures, or not so many layers.
    """
    model = subject.predictor
    if not isinstance(model, SingleFrames) or not model.sees_frames:
        raise UserError(f"{model.name} encodes no pictures. Give an ali of frames.")
    found = []
    for first in range(0, len(places), BATCH):
        frames_BHWC = pictures(subject, places[first : first + BATCH])
        found.append(model.features(frames_BHWC, layers).cpu())
    return torch.cat(found).numpy()


def fitted(
    rows_LF: NDArray[Any], labels_L: NDArray[Any], cost: float, state: int, settings: Settings
) -> Any:
    """Return a machine for each class, fitted; `state` names its random numbers."""
    # Only here: loading it takes a second.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        penalty="l2",
        loss="squared_hinge",
        dual="auto",
        C=cost,
        multi_class="ovr",
        max_iter=settings.iterations,
        random_state=state,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the answer says it
        return machine.fit(rows_LF.astype(numpy.float64), labels_L)


def _error(machine: Any, rows_NF: NDArray[Any], labels_N: NDArray[Any]) -> float:
    return float((machine.predict(rows_NF) != labels_N).mean())
