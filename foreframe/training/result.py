"""What a training run leaves besides the weights: how far it came, and its two tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas

if TYPE_CHECKING:  # what reads a record draws pictures, and needs no torch
    from torch import nn

FIRST = ("epoch", "step", "samples", "loss", "train_loss", "validation_loss")


@dataclass(frozen=True)
class Result:
    """What a training run leaves besides the weights, which are in the model.

    curve: one row for each `log_every` steps, means over them: step, epoch, samples, loss, ...
    epochs: one row for each epoch: epoch, step, samples, train_loss, ..., validation_loss, ...
    diverged_at: the first step, from 1, whose loss or gradient was not a finite number. It was not
    taken, and both tables end before it. None: there was no such step.
    averaged: copies of the objective's `averaged` modules with averaged weights, if any are kept.
    best_step: the step after which the weights were as they are now; None: the last.
    """

    steps: int
    samples: int
    curve: pandas.DataFrame
    epochs: pandas.DataFrame
    diverged_at: int | None
    averaged: "tuple[nn.Module, ...]"
    best_step: int | None


def table(rows: Sequence[Mapping[str, float | None]]) -> pandas.DataFrame:
    """Return rows as a table: first what says where a row is, then the rest.

    None, and what a row lacks, is a gap among floats.
    """
    # Sorted, because a checkpoint keeps no order of the columns.
    result = pandas.DataFrame(rows)
    first = [name for name in FIRST if name in result.columns]
    result = result[first + sorted(set(result.columns) - set(first))]
    return result.astype({name: float for name in result if result[name].isna().any()})
