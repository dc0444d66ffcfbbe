"""How well do training and test clips come back, with no noise on any index?

Coppock (2020, figures 4.7 and 4.8) shows the loss of both sets against the width of the noise, and
reconstructions of test pictures. In training the loss has noise, which is in a training's record;
here neither set has, so that what differs between them is not the noise.
"""

from collections.abc import Collection, Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import lpips_alex
from foreframe.metrics.metric import Metric
from foreframe.metrics.mse import standardised_mse
from foreframe.metrics.ssim import ssim
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, TRAIN, Answer, Subject, likeness


class Settings(QuestionSettings):
    """Levels in `drop` count for nothing: what the others say alone."""

    kind: Literal["reconstruction"]
    drop: tuple[str, ...]


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return `mse`, `psnr`, `ssim` and `lpips_alex` of both sets; store `real` and `decoded` clips.

    The squared error is on the scale of the model's view, before anything is rounded; PSNR, in dB,
    SSIM and LPIPS are of 8-bit frames. By clip stands the squared error. Where there are no weights
    of LPIPS, `missing` says why it was not measured.

    Raises:
        UserError: frames are smaller than the window of SSIM, or there is no such level to drop.
    """
    if unknown := set(settings.drop) - set(subject.model.levels):
        levels = ", ".join(subject.model.levels)
        raise UserError(f"drop names {', '.join(sorted(unknown))}, but the levels are: {levels}.")
    learned = lpips_alex.metric(subject.weights, subject.device)
    found = {
        name: columns.join(_scores(subject, name, settings.drop, learned)) for name in (TRAIN, TEST)
    }
    _store(subject, settings.show, settings.drop)
    values: dict[str, Any] = {
        metric: {name: columns.mean(found[name][metric]) for name in found}
        for metric in found[TEST]
    }
    if learned.missing is not None:
        values["missing"] = {learned.name: learned.missing}
    return Answer(values, per_clip={"mse": found[TEST]["mse"]})


def _back(subject: Subject, x_BCTHW: Tensor, drop: Collection[str]) -> Tensor:
    return subject.model.decode(subject.model.encode(x_BCTHW), drop).float()


def _scores(
    subject: Subject, name: str, drop: Collection[str], learned: Metric
) -> Iterator[dict[str, Tensor]]:
    """Yield the scores (B,) of each batch of a set, by metric."""
    for batch in subject.batches(name):
        x_BCTHW = _back(subject, batch.x, drop)
        made_BTHWC = subject.shown(x_BCTHW)
        scores = {
            "mse": standardised_mse(batch.x, x_BCTHW).cpu(),
            "psnr": likeness(batch.frames, made_BTHWC),
            "ssim": ssim(batch.frames, made_BTHWC).mean(dim=1),
        }
        if learned.compare is not None:
            scores[learned.name] = learned.compare(batch.frames, made_BTHWC).mean(dim=1).cpu()
        yield scores


def _store(subject: Subject, show: int, drop: Collection[str]) -> None:
    """Store the first test clips, and what becomes of them."""
    real: list[Tensor] = []
    decoded: list[Tensor] = []
    for batch in subject.batches(TEST):
        left = max(show - sum(map(len, real)), 0)
        real.append(batch.frames[:left])
        decoded.append(subject.shown(_back(subject, batch.x, drop))[:left])
        if sum(map(len, real)) >= show:
            break
    subject.store("real", torch.cat(real))
    subject.store("decoded", torch.cat(decoded))
