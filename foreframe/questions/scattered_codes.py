"""How far from true clips are decodes of codes that were drawn place by place, each by itself?

They are the floor under every prior: codes as frequent as in training clips, and nothing known of
how they belong together. Beside their distance from true clips stands that of decodes of the true
codes, the best that a prior over them could do. What a prior draws lies between the two where it
has learned something, and how far is comparable between autoencoders, as the distance is not.

Shapes: N clips, T H W the grid of a level, K its codes.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.metrics import random_image_distance
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Wanted
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, TRAIN, Answer, Subject
from foreframe.randomness import Numbers, generator

SCATTERED, DECODED = "scattered", "decoded"


class Settings(QuestionSettings):
    """Nothing of its own."""

    kind: Literal["scattered_codes"]


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return the random image distance of both kinds of decodes from the test clips looked at.

    Stored are, of the clips that are shown, `scattered` (N,T,H,W,3) and `decoded`.

    Raises:
        UserError: the clips are too few for a covariance of the features.
    """
    shares = {
        level: counts_K.double() / counts_K.sum()
        for level, counts_K in subject.counts(TRAIN).items()
    }
    # No weights are looked for: the network is drawn.
    metric = random_image_distance.metric(Path(), subject.device)
    assert metric.accumulate is not None
    distance = metric.accumulate(Wanted(few=False, interval=True))
    shown: dict[str, list[Tensor]] = {SCATTERED: [], DECODED: []}
    for batch in subject.batches(TEST):
        codes = subject.encode(batch)
        drawn = {
            level: torch.stack(
                [
                    scattered(
                        shares[level],
                        ids_BTHW.shape[1:],
                        generator(subject.seed, "scattered_codes", level, number),
                    )
                    for number in batch.numbers
                ]
            )
            for level, ids_BTHW in codes.items()
        }
        distance.update(REAL, batch.frames)
        for name, each in ((SCATTERED, drawn), (DECODED, codes)):
            made_BTHWC = subject.show(each)
            distance.update(name, made_BTHWC)
            left = max(settings.show - sum(map(len, shown[name])), 0)
            shown[name].append(made_BTHWC[:left])
    values: dict[str, Any] = {}
    for name, parts in shown.items():
        subject.store(name, torch.cat(parts))
        found = distance.result(name)
        if found.value is None:
            raise UserError(f"scattered_codes: {found.missing}")
        values[name] = {"mean": found.value, "low": found.low, "high": found.high}
    return Answer(values)


def scattered(share_K: Tensor, grid: tuple[int, ...], numbers: Numbers) -> Tensor:
    """Return codes int64 (T,H,W), of which each is k with probability share_K[k], by itself."""
    u_THW = numbers.uniform(grid, dtype=torch.float64)
    below_K = share_K.cumsum(0)
    # The first code below whose end the number lies: none that never occurs.
    return torch.searchsorted(below_K / below_K[-1], u_THW, right=True)
