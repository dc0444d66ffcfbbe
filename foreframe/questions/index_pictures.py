"""What do the indices of a level look like?

A map of indices is a grey picture, index 0 black and the last one white (Coppock 2020, figure
4.11): with an order of the codes it can be read, without one it is noise.

Shapes: N clips, B of a batch, T frames, H rows, W columns, of a clip or of a level's grid.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.evaluation import columns
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, Answer, Subject


class Settings(QuestionSettings):
    """Nothing of its own."""

    kind: Literal["index_pictures"]


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return how rough the map of each level is; store `real` and each LEVEL, uint8 (N,T,H,W).

    `LEVEL.roughness`: the mean step of the index from a place to its right-hand neighbour, in
    0..1 of all indices, beside `LEVEL.spread`, the mean step between two places of the clip that
    have nothing to do with each other. A map without any order in it has equal ones.
    """
    real: list[Tensor] = []  # as many as are shown
    maps: dict[str, list[Tensor]] = {level: [] for level in subject.model.levels}
    for batch in subject.batches(TEST):
        real.append(batch.frames[: max(settings.show - sum(map(len, real)), 0)])
        for level, ids_BTHW in subject.encode(batch).items():
            maps[level].append(ids_BTHW)
    subject.store("real", torch.cat(real))
    values: dict[str, Any] = {}
    for level, parts in maps.items():
        last = max(subject.model.codebook_sizes[level] - 1, 1)
        share_NTHW = torch.cat(parts).double() / last
        subject.store(level, (share_NTHW[: settings.show] * 255).round().to(torch.uint8))
        values[level] = {"spread": columns.mean(spread(share_NTHW))}
        if share_NTHW.shape[-1] > 1:
            steps_N = share_NTHW.diff(dim=-1).abs().mean(dim=(1, 2, 3))
            values[level]["roughness"] = columns.mean(steps_N)
    return Answer(values)


def spread(values_NTHW: Tensor) -> Tensor:
    """Return the mean |v - w| (N,) over all pairs of different places of each clip; 0 of one."""
    sorted_NV = values_NTHW.flatten(1).sort(dim=1).values
    count = sorted_NV.shape[1]
    # Of sorted values each is the larger one of as many pairs as values are before it.
    weight_V = 2.0 * torch.arange(count, dtype=torch.float64) - (count - 1)
    return (sorted_NV * weight_V).sum(dim=1) / max(count * (count - 1) / 2, 1)
