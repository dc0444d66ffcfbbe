"""How much power frames have at each spatial frequency: does a model blur, and does it in time?

Of the same frames of true and of made clips: |F|^2 / (H W) of their luma, where F is the discrete
Fourier transform, a mean over rings of whole wave numbers, as in the verification of rain forecasts
(Ayzel et al. 2020). Clips fall into sets: each set has its mean, and the sets a mean and a
deviation (Castrejon et al. 2022, figure 6.7: 3 sets of 600 clips, frames 1, 10, 24 and 48 of 48).

Shapes: N clips, B of a batch, M sets, P chosen frames, H rows, W columns, C = 3 colours, K wave
numbers, 0 to half of the shorter side.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.data.scaling import LUMA
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.randomness import Draws
from foreframe.roots import root

BRIGHTEST = 255
# What rounding to 8 bits puts at each frequency: the variance of an error within one level.
FLOOR = 1 / (12 * BRIGHTEST**2)


class Settings(AnalysisSettings):
    """Which of the predicted frames are looked at, from 1 on, and how many sets clips fall into."""

    kind: Literal["power_spectrum"]
    frames: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    sets: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _shows_curves(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but curves are shown, and no clip. Set it to 0."
            )
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return, by frame, how far spectra are apart, in octaves; store the curves of both.

    A mean and a deviation over sets: `fine` is log2 of made by true power, a mean over the upper
    half of wave numbers, so -1 is half the power of what is fine; `apart` is its absolute value, a
    mean over all but 0. Stored are `real_mean`, `real_deviation`, `model_mean` and
    `model_deviation` (P,K), `frequencies` (K) in cycles a pixel and `frames` (P).

    Raises:
        UserError: predictions have no such frame, there are fewer clips than sets, or the predictor
            cannot make the clips.
    """
    last, horizon = max(settings.frames), subject.futures.horizon
    if last > horizon:
        raise UserError(
            f"frames names {last}, but the protocol predicts {horizon} frames. Name earlier ones, "
            "or raise its horizon."
        )
    if len(subject) < settings.sets:
        raise UserError(
            f"There are {len(subject)} clips for {settings.sets} sets. Take more clips, or fewer "
            "sets."
        )
    pairs = list(_spectra(subject, [frame - 1 for frame in settings.frames]))
    of_set_N = torch.arange(len(subject)) % settings.sets
    both = {}
    for name, each in zip(("real", "model"), zip(*pairs, strict=True), strict=True):
        power_NPK = torch.cat(each)
        both[name] = torch.stack([power_NPK[of_set_N == at].mean(0) for at in range(settings.sets)])
        subject.store(f"{name}_mean", both[name].mean(dim=0))
        subject.store(f"{name}_deviation", both[name].std(dim=0))
    shorter = min(subject.clips.read([0]).shape[2:4])
    subject.store("frequencies", torch.arange(shorter // 2 + 1).double() / shorter)
    subject.store("frames", torch.tensor(settings.frames))
    octaves_MPK = ((both["model"] + FLOOR) / (both["real"] + FLOOR)).log2()
    return Found(
        {
            f"frame_{frame}": _apart(octaves_MPK[:, place])
            for place, frame in enumerate(settings.frames)
        }
    )


def _apart(octaves_MK: Tensor) -> dict[str, Any]:
    upper = octaves_MK.shape[1] // 2
    found = {"fine": octaves_MK[:, upper:], "apart": octaves_MK[:, 1:].abs()}
    means = {name: each.mean(dim=1) for name, each in found.items()}
    return {
        name: {"mean": each_M.mean().item(), "deviation": each_M.std().item()}
        for name, each_M in means.items()
    }


def _spectra(subject: Subject, chosen: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the spectra (B,P,K) of true and of made clips."""
    given = subject.futures.context
    for places in subject.batches():
        real_BTHWC = subject.clips.read(places)
        numbers = [subject.numbers[place] for place in places]
        labels = {name: label_N[places] for name, label_N in subject.labels.items()}
        context = Context(real_BTHWC[:, :given], numbers, labels=labels)
        draws = Draws.first(subject.futures.seed, numbers)
        made = subject.predictor.predict(context, subject.futures.horizon, subject.options, draws)
        yield spectrum(real_BTHWC[:, given:][:, chosen]), spectrum(made.frames[:, chosen])


def spectrum(frames_BPHWC: Tensor) -> Tensor:
    """Return the power of frames, uint8, at each wave number, float64 (B,P,K).

    Values are from 0 to 1. Of frames that are not square a wave number counts the waves along the
    shorter side.
    """
    height, width = frames_BPHWC.shape[2:4]
    luma_BPHW = (frames_BPHWC.double() * torch.tensor(LUMA)).sum(dim=-1) / (1000 * BRIGHTEST)
    power_BPHW = torch.fft.fft2(luma_BPHW).abs().square() / (height * width)
    return power_BPHW.flatten(2) @ _rings(height, width)


def _rings(height: int, width: int) -> Tensor:
    """Return the weights (HW,K) of frequencies in the mean of each ring."""
    shorter = min(height, width)
    rows, columns = (shorter * torch.fft.fftfreq(size).double() for size in (height, width))
    radius_N = root(rows[:, None].square() + columns.square()).round().flatten()
    member_NK = (radius_N[:, None] == torch.arange(shorter // 2 + 1)).double()
    return member_NK / member_NK.sum(dim=0)
