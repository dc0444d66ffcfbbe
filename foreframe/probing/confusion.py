"""What a table of predicted and actual classes says.

Suffixes: N clips, C classes, F folds; a table (C,C) has predicted classes in rows and actual ones
in columns, as Coppock (2020, figure 4.6) shows it.
"""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor


def table(predicted_N: Tensor, actual_N: Tensor, classes: int) -> Tensor:
    """Return the clips (C,C), int64, of each predicted class (row) and actual class (column)."""
    counts = torch.bincount(predicted_N * classes + actual_N, minlength=classes * classes)
    return counts.view(classes, classes)


def summary(tables_FCC: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Return what the folds' tables (F,C,C) say; every class has a clip, every fold has one.

    accuracy: mean over folds, their deviation (divided by F - 1) and each fold's own share of right
    clips; the rest is of all folds together. recall: of the clips of each class, the share that is
    found; macro_recall: their mean; most_named: the share of clips that are taken for the class
    that is named most often; majority: what naming the largest class alone would get; chance: what
    guessing would.
    """
    right_F = tables_FCC.diagonal(dim1=1, dim2=2).sum(dim=1).double()
    folds = (right_F / tables_FCC.sum(dim=(1, 2))).tolist()
    all_CC = tables_FCC.sum(dim=0)
    actual_C = all_CC.sum(dim=0)
    recall_C = all_CC.diagonal() / actual_C.double()
    return {
        "accuracy": {"mean": fmean(folds), "deviation": stdev(folds), "folds": folds},
        "macro_recall": float(recall_C.mean()),
        "most_named": int(all_CC.sum(dim=1).max()) / int(actual_C.sum()),
        "majority": int(actual_C.max()) / int(actual_C.sum()),
        "chance": 1 / len(classes),
        "recall": dict(zip(classes, recall_C.tolist(), strict=True)),
        "clips": int(actual_C.sum()),
    }
