"""Do the codes between two poses of an object decode to the poses between?

Coppock (2020, section 4.3) looks at what lies between two pictures and suspects an overlay. Where
the source knows what its pictures show there is a truth: the same object, so far on the way from
one place, size and angle to another. So each test clip goes from its own pose to that of a training
clip, as `index_interpolation` goes between clips, and every picture on the way is compared with the
one that the source draws of the pose there. Beside it stand the blend of both ends' decodes, which
an overlay is, and the decode of the true picture's own codes, the best that the autoencoder could.

Shapes: N clips, S steps, T frames, H rows, W columns.
"""

from typing import Annotated, Any, Literal

import numpy
import torch
from pydantic import Field
from torch import Tensor

from foreframe.autoencoders.two_levels import TwoLevels
from foreframe.evaluation import columns
from foreframe.metrics.mse import mse
from foreframe.questions import QuestionSettings
from foreframe.questions.index_interpolation import BLEND, INDICES, OUTPUTS, Outputs, between, blend
from foreframe.questions.subject import TEST, TRAIN, Answer, Subject, likeness
from foreframe.sources.drawn_scenes import Scenes

TRUE, DECODED = "true", "decoded"
MISSING = (
    "the source of these pictures does not know what they show, so that there is no true picture "
    "between two of them; `drawn_objects` does."
)


class Settings(QuestionSettings):
    """`steps` of each way, with both ends; `show` is how many ways are shown."""

    kind: Literal["pose_between"]
    steps: Annotated[int, Field(ge=3)]


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return how near to the true pictures are those between the ends, or why there are none.

    Of `indices`, `blend` and `decoded`, and of `outputs` where the autoencoder has two levels:
    `psnr`, in dB, and `mse`, of frames in [0, 1], means over clips and the steps between the ends;
    `over_blend` is the squared error of indices less that of the blend, clip by clip. The rows are
    the PSNR by step, from 1. Stored are the pictures, (N,S,T,H,W,3), and the `true` ones.

    Where the source does not know what its pictures show there is `missing` alone, which says so;
    stored are no pictures then, N is 0.
    """
    if subject.scenes is None:
        frames_BTHWC = next(subject.batches(TEST)).frames
        for name in (TRUE, INDICES, BLEND):
            none = frames_BTHWC.new_empty((0, settings.steps, *frames_BTHWC.shape[1:]))
            subject.store(name, none)
        return Answer({"missing": MISSING})
    shares_S = torch.linspace(0, 1, settings.steps, dtype=torch.float64)
    others = subject.sets[TRAIN].starts
    shown: dict[str, list[Tensor]] = {}
    scores: dict[str, dict[str, list[Tensor]]] = {}
    place = 0
    for batch in subject.batches(TEST):
        for number in batch.numbers:
            other = int(others[place % len(others)])
            true = _drawn(subject.scenes, number, other, shares_S, batch.frames.shape[1])
            for name, made in _between(subject, true, shares_S).items():
                found = scores.setdefault(name, {"psnr": [], "mse": []})
                found["psnr"].append(likeness(true, made))
                found["mse"].append(mse(true, made).mean(dim=1))
                if place < settings.show:
                    shown.setdefault(name, []).append(made)
            if place < settings.show:
                shown.setdefault(TRUE, []).append(true)
            place += 1
    for name, ways in shown.items():
        subject.store(name, torch.stack(ways))
    return _summed(scores)


def _drawn(scenes: Scenes, number: int, other: int, shares_S: Tensor, frames: int) -> Tensor:
    """Return the true pictures uint8 (S,T,H,W,3) of a clip that goes to the poses of another."""
    return torch.from_numpy(
        numpy.stack(
            [
                [scenes.between(number + time, other + time, share) for time in range(frames)]
                for share in shares_S.tolist()
            ]
        )
    )


def _between(subject: Subject, true_STHWC: Tensor, shares_S: Tensor) -> dict[str, Tensor]:
    """Return what lies between the ends of a way, uint8 (S,T,H,W,3), by what is mixed."""
    x_2CTHW = subject.seen(true_STHWC[[0, -1]])
    codes = {level: ids.cpu() for level, ids in subject.model.encode(x_2CTHW).items()}
    first, second = ({level: ids[end] for level, ids in codes.items()} for end in (0, 1))
    indices_STHWC = subject.show(between(first, second, shares_S))
    found = {INDICES: indices_STHWC, BLEND: blend(indices_STHWC[[0, -1]], shares_S)}
    if isinstance(subject.model, TwoLevels):
        found[OUTPUTS] = subject.show(Outputs(subject.model, x_2CTHW).between(0, shares_S))
    own = subject.model.encode(subject.seen(true_STHWC))
    return found | {DECODED: subject.show(own)}


def _summed(scores: dict[str, dict[str, list[Tensor]]]) -> Answer:
    """Return means over clips and steps of scores (S,) of each clip, by what was mixed."""
    inner: dict[str, dict[str, Tensor]] = {}
    values: dict[str, Any] = {}
    series = []
    for name, by_metric in scores.items():
        each_NS = {metric: torch.stack(found) for metric, found in by_metric.items()}
        inner[name] = {metric: found[:, 1:-1].mean(dim=1) for metric, found in each_NS.items()}
        values[name] = {metric: columns.mean(found) for metric, found in inner[name].items()}
        series += columns.rows(each_NS["psnr"], samples="model", predictor=name, quantity="psnr")
    values["over_blend"] = columns.difference(inner[INDICES]["mse"], inner[BLEND]["mse"])
    values["ways"] = len(inner[INDICES]["mse"])
    return Answer(values, series)
