"""How often clips are taken for another class than theirs, and what needs no training to tell.

Shapes: N clips, M training clips, K classes, T frames, H rows, W columns, C = 3 colours, s sides of
a small picture, F = 3 s^2.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy
import torch
from torch import Tensor

from foreframe.classifiers import Classifier
from foreframe.data.clips import Clips
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.evaluation import statistics
from foreframe.probing import confusion
from foreframe.randomness import Position

# Clips that are seen at once, copies of the last one filling up: the last bits of a network depend
# on how many rows it is given, and what a clip is taken for must not.
WIDTH = 32
BLOCK = 256  # clips that are compared with all training clips at a time


@torch.no_grad()
def log_probabilities(
    model: Classifier, scaling: Scaling, clips: Clips, device: torch.device
) -> Tensor:
    """Return log p of each class for every clip, float64 (N,K), on the CPU."""
    last, found = len(clips) - 1, []
    for first in range(0, len(clips), WIDTH):
        rows = [min(row, last) for row in range(first, first + WIDTH)]
        x_BCTHW = scaling.inward(clips.read(rows).to(device), None)
        found.append(model.logits(x_BCTHW).double().log_softmax(dim=1).cpu())
    return torch.cat(found)[: len(clips)]


def fused(each_NK: Sequence[Tensor]) -> Tensor:
    """Return the mean of several classifiers' log-probabilities (N,K).

    Simonyan and Zisserman 2014 average the scores of their two streams.
    """
    return torch.stack(list(each_NK)).mean(dim=0)


def measured(
    chosen_N: Tensor, actual_N: Tensor, classes: Sequence[str], seed: int, *position: Position
) -> dict[str, Any]:
    """Return what is wrong among N clips of known classes.

    error: the share of wrong clips, with the interval of `statistics`; by_class: of the clips of
    each class, null where there is none; confusion: clips by the class that was chosen (rows) and
    the actual one (columns).
    """
    table_KK = confusion.table(chosen_N, actual_N, len(classes))
    actual_K = table_KK.sum(dim=0).tolist()
    right_K = table_KK.diagonal().tolist()
    return {
        "error": asdict(statistics.interval(wrong(chosen_N, actual_N), seed, *position)),
        "by_class": {
            name: 1 - right / count if count else None
            for name, right, count in zip(classes, right_K, actual_K, strict=True)
        },
        "confusion": table_KK.tolist(),
    }


def wrong(chosen_N: Tensor, actual_N: Tensor) -> Tensor:
    """Return 1 for each clip of another class than was chosen, else 0: float64 (N,)."""
    return (chosen_N != actual_N).double()


def merging(own_N: Tensor, other_N: Tensor, classes: Sequence[str], name: str) -> Tensor:
    """Return which class of the label `name` all clips of each class have, int64 (K,).

    Raises:
        UserError: a class has no clip, or clips of several classes of the other label.
    """
    found = []
    for number, known in enumerate(classes):
        others = other_N[own_N == number].unique().tolist()
        if len(others) != 1:
            raise UserError(
                f"The clips of the class {known} have {len(others)} classes of the label {name}, "
                "so it does not take classes together. Leave it out of merged, or name a label "
                "that does."
            )
        found += others
    return torch.tensor(found)


def shrunk(frames_NHWC: Tensor, side: int) -> Tensor:
    """Return uint8 frames as the sums of the pixels in each of s x s blocks, float64 (N,F).

    Raises:
        UserError: they have no so many equal blocks.
    """
    _, height, width, _ = frames_NHWC.shape
    if height % side or width % side:
        raise UserError(
            f"Frames of {height} x {width} pixels have no {side} x {side} equal blocks. Set "
            "nearest to a number that divides both."
        )
    blocks = frames_NHWC.double().unflatten(2, (side, -1)).unflatten(1, (side, -1))
    return blocks.sum(dim=(2, 4)).flatten(1)


def nearest(rows_NF: Tensor, known_MF: Tensor) -> Tensor:
    """Return the nearest of the known rows to each row, int64 (N,), the first of equally near ones.

    Of whole numbers, as `shrunk` gives, all distances are exact, on any machine.
    """
    squares_M = known_MF.square().sum(dim=1)
    # |a|^2 is the same for all b of |a - b|^2.
    found = [
        (squares_M - 2 * part_nF @ known_MF.T).numpy().argmin(axis=1)
        for part_nF in rows_NF.split(BLOCK)
    ]
    return torch.from_numpy(numpy.concatenate(found))
