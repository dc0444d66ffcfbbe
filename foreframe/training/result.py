"""What a training run leaves besides the weights: how far it came, and its two tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas

FIRST = ("epoch", "step", "samples", "loss", "train_loss", "validation_loss")


@dataclass(frozen=True)
class Result:
    """What a training run leaves besides the weights, which are in the model.

    curve: one row for each `log_every` steps, means over them: step, epoch, samples, loss, ...
    epochs: one row for each epoch: epoch, step, samples, train_loss, ..., validation_loss, ...
    diverged_at: the first step, from 1, whose loss or gradient was not a finite number. It was not
    taken, and both tables end before it. None: there was no such step.
    """

    steps: int
    samples: int
    curve: pandas.DataFrame
    epochs: pandas.DataFrame
    diverged_at: int | None


def table(rows: Sequence[Mapping[str, float | None]]) -> pandas.DataFrame:
    """Return rows as a table: first what says where a row is, then the rest."""
    # Sorted, because a checkpoint keeps no order of the columns.
    result = pandas.DataFrame(rows)
    first = [name for name in FIRST if name in result.columns]
    return result[first + sorted(set(result.columns) - set(first))]
