"""What analyses of recurrent predictors share: batches of true frames, nats in bits per dimension.

Shapes: N clips, B of a batch, C channels of the view, T frames, t given ones, H rows, W columns.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from foreframe.analyses.subject import Subject
from foreframe.errors import UserError
from foreframe.networks.noise import Drawn
from foreframe.predictors.variational import Variational
from foreframe.randomness import Draws, generator


@dataclass(frozen=True)
class Batch:
    """Some of the clips as the predictor sees them.

    Attributes:
        places: of the B clips among all.
        frames: uint8 (B,T,H,W,3).
        x: (B,C,T,H,W).
        noise: random numbers of the clips.
    """

    places: list[int]
    frames: Tensor
    x: Tensor
    noise: Drawn


def batches(subject: Subject, use: str, future: int = 0) -> Iterator[Batch]:
    """Yield all clips; random numbers are those of a future, apart from any other `use`."""
    model = predictor(subject)
    device, seed = next(model.parameters()).device, subject.futures.seed
    for places in subject.batches():
        numbers = [subject.numbers[place] for place in places]
        frames_BTHWC = subject.clips.read(places)
        x_BCTHW = inward(subject, frames_BTHWC, numbers)
        draws = Draws(seed, numbers, [future] * len(numbers))
        yield Batch(places, frames_BTHWC, x_BCTHW, Drawn(draws, use, device))


def inward(subject: Subject, frames_BTHWC: Tensor, numbers: Sequence[int]) -> Tensor:
    """Return frames of clips, by their numbers, as the predictor sees them: (B,C,T,H,W)."""
    seed = subject.futures.seed
    own = [generator(seed, "dequantise", number) for number in numbers]
    return predictor(subject).inward(frames_BTHWC, own)


def predictor(subject: Subject) -> Variational[Any]:
    """Return the predictor, which draws latents frame by frame.

    Raises:
        UserError: it does not.
    """
    if not isinstance(subject.predictor, Variational):
        raise UserError(
            f"{subject.predictor.name} draws no latents frame by frame. Give a predictor that does."
        )
    return subject.predictor


def bits(subject: Subject, nats: Tensor, x_BCTHW: Tensor) -> Tensor:
    """Return nats of a frame as bits per 8-bit value, float64 on the CPU."""
    values = x_BCTHW[0, :, 0].numel()
    nats = nats.double().cpu() / values - math.log(predictor(subject).grey_level)
    return nats / math.log(2)
