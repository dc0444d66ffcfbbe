"""What a search found: its table of trials, the best one, and what its loss goes along with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import pandas
from numpy.typing import NDArray

from foreframe.config.search import Choices, Search, Value
from foreframe.randomness import numpy_generator
from foreframe.search.drawing import PURPOSE
from foreframe.search.trials import FINISHED, Outcome

PERMUTATIONS = 9999
LOSSES = ("train_loss", "validation_loss")  # of the last epoch
# Fewer have no order to speak of.
FEWEST = 3


def table(
    values: Sequence[Mapping[str, Value]],
    outcomes: Sequence[Outcome],
    costs: Sequence[Mapping[str, int]],
) -> pandas.DataFrame:
    """Return one row for each trial: number, ending, what it tried, what it cost and reached.

    Losses stand only where a trial finished; `diverged_at_step` only where it diverged.
    """
    rows = []
    for number, (tried, outcome, cost) in enumerate(zip(values, outcomes, costs, strict=True)):
        row: dict[str, Any] = {"trial": number, "ending": outcome.ending, **tried, **cost}
        row |= {"steps": outcome.steps, "samples": outcome.samples}
        row["diverged_at_step"] = outcome.diverged_at
        finished = outcome.ending == FINISHED
        for name in LOSSES:
            row[name] = float(outcome.epochs[name].iloc[-1]) if finished else None
        rows.append(row)
    # Whole numbers with gaps; as floats they would be written 12.0.
    return pandas.DataFrame(rows).astype({"diverged_at_step": "Int64"})


def long(tables: Sequence[pandas.DataFrame]) -> pandas.DataFrame:
    """Return the trials' tables below each other, with a first column `trial`."""
    numbered = [each.assign(trial=number) for number, each in enumerate(tables) if not each.empty]
    whole = pandas.concat(numbered, ignore_index=True)
    return whole[["trial", *(name for name in whole.columns if name != "trial")]]


def correlations(search: Search, trials: pandas.DataFrame, seed: int) -> dict[str, Any]:
    """Return, for each searched setting, how its order goes along with that of the loss.

    `spearman`: rank correlation with the validation loss over the finished trials, from -1 to 1;
    choices are ranked as they are listed. `p`: the share of random orders of the losses whose
    correlation is at least as far from 0. Both None for fewer than 3 trials, or equal values.
    """
    finished = trials[trials["ending"] == FINISHED]
    loss = finished["validation_loss"].to_numpy(numpy.float64)
    found = {}
    for name, range_ in search.ranges().items():
        tried = list(finished[name])
        if isinstance(range_, Choices):
            tried = [range_.choices.index(value) for value in tried]
        random = numpy_generator(seed, PURPOSE, "permutations", name)
        found[name] = _correlation(numpy.array(tried, numpy.float64), loss, random)
    return found


def _correlation(
    tried: NDArray[numpy.float64], loss: NDArray[numpy.float64], random: numpy.random.Generator
) -> dict[str, float | None]:
    if len(loss) < FEWEST or len(set(tried)) == 1 or len(set(loss)) == 1:
        return {"spearman": None, "p": None}
    x, y = _standard_ranks(tried), _standard_ranks(loss)
    value = float(x @ y)
    orders = random.permuted(numpy.tile(y, (PERMUTATIONS, 1)), axis=1)
    # Equal correlations differ in their last digits when they are summed in another order.
    as_far = numpy.abs(orders @ x) >= abs(value) - 1e-9
    return {"spearman": value, "p": float(1 + as_far.sum()) / (1 + PERMUTATIONS)}


def _standard_ranks(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return ranks with mean 0 and length 1; equal values share their mean rank."""
    ranks = pandas.Series(values).rank().to_numpy(numpy.float64)
    centred = ranks - ranks.mean()
    result: NDArray[numpy.float64] = centred / numpy.linalg.norm(centred)
    return result
