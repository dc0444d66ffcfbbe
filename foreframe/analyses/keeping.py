"""How well clips of a cascade keep to what they were made of, and to how they began.

Nothing but the matching critic ties a level to the clip below it, and a long clip that is made
window by window may change its looks on its way (Castrejon et al. 2022, table 6.3 and figure 6.5).
Clips of the last level, averaged down, are compared with those below, their own and that of the
next clip: root mean squares, of values from 0 to 1. And each frame with the first one of its clip,
by how far values have to be moved to become those, colour by colour, whatever moved where. What a
level adds is read off the spectrum: the power of the upper half of wave numbers against that of the
clip below, enlarged.

Shapes: N clips, B of a batch, T frames, t of the level below, H rows, W columns, C = 3 colours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.class_motion import motion
from foreframe.analyses.power_spectrum import FLOOR, spectrum
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.networks.noise import Drawn
from foreframe.networks.video_critics import lowered
from foreframe.predictors.adversarial import Labels
from foreframe.predictors.cascade import Cascade, Clips
from foreframe.predictors.recurrent import filled
from foreframe.randomness import Draws
from foreframe.roots import root

MODEL, REAL, BELOW = "model", "real", "below"
BRIGHTEST = 255
FEWEST = 4  # frames: half a clip has to move


class Settings(AnalysisSettings):
    """Nothing but how many clips there are, and how many of them are shown."""

    kind: Literal["keeping"]


@dataclass(frozen=True)
class Compared:
    """Some clips: `real` and `made` ones (B,T,H,W,C), and those `below` (B,t,h,w,C), uint8.

    `below` is None where there is but one level.
    """

    real: Tensor
    made: Tensor
    below: Tensor | None


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return means over clips, and `drift` of `model`, `real` and `below` frame by frame.

    `drift` and `real_drift` are those of the last frame, `beyond` by how much one is above the
    other; `slowing` is by how much clips move less in their second half, in how far a value goes
    from frame to frame. With a level below: `away` from its own clip, `other` from that of the next
    one, `kept` the difference; `detail` and `true_detail`, by how many octaves made and true clips
    are finer than what is below them, enlarged; and `tied`, the correlation of drift with that
    below. Of the clips that are shown `real`, `made` and `below` (n,T,H,W,C) are stored, of one
    size.

    Raises:
        UserError: the predictor is no cascade, it is not asked for whole clips from nothing or for
            one clip alone or of a few frames, or it cannot make clips of such a length.
    """
    model, options = subject.predictor, subject.options
    whole = isinstance(options, Clips) and options.clips == "whole"
    if not isinstance(model, Cascade) or not whole:
        raise UserError(
            f"{model.name} is asked how it keeps to the level below, which whole clips of a "
            "cascade tell. Name another predictor, or a sampling whose clips are whole."
        )
    if subject.futures.context or len(subject) < 2 or subject.futures.horizon < FEWEST:
        raise UserError(
            f"The protocol has {len(subject)} clips of {subject.futures.horizon} frames after "
            f"{subject.futures.context}, but clips from nothing are compared, two at least, of "
            f"{FEWEST} frames or more. Set its context to 0, take more clips, or raise its horizon."
        )
    parts, stored = [], list[dict[str, Tensor]]()
    for found in _batches(subject, model):
        parts.append(_measured(found))
        stored.append(_shown(found))
    for name, frames in columns.join(stored).items():
        if settings.show:
            subject.store(name, frames[: settings.show])
    return _found(columns.join(parts))


def _batches(subject: Subject, model: Cascade) -> Iterator[Compared]:
    for places in subject.batches():
        numbers = [subject.numbers[place] for place in places]
        labels = {name: label_N[places] for name, label_N in subject.labels.items()}
        draws = Draws.first(subject.futures.seed, numbers)
        made = both(model, labels, subject.futures.horizon, subject.options, draws)
        yield Compared(subject.clips.read(places), *made)


def both(
    model: Cascade, labels: Labels, horizon: int, options: Any, draws: Draws
) -> tuple[Tensor, Tensor | None]:
    """Return clips (B,T,H,W,C) as they are predicted and those (B,t,h,w,C) they are made of, uint8.

    The second is None where there is but one level. Of a horizon that is no whole clip the frames
    below are those of the whole one.
    """
    last = len(model.generators) - 1
    frames = max(model.shapes[0].frames, horizon // model.settings.levels[0].every)
    model.ready(frames, last + 1)
    device = next(model.parameters()).device
    above, below = [], []
    for chosen in filled(len(draws)):
        noise = Drawn(draws.of(chosen), "predict", device)
        label_B = model.told({name: each[chosen].to(device) for name, each in labels.items()})
        *first, own = [options.temperature * each for each in model.latents(noise, last + 1)]
        low = model.made(first, label_B, frames) if first else None
        above.append(model.scaling.outward(model.raised(last, own, label_B, low, frames)).cpu())
        below += [] if low is None else [model.scaling.outward(low).cpu()]
    found = [torch.cat(each)[: len(draws)] for each in (above, below) if each]
    return found[0][:, :horizon], found[1] if below else None


def _measured(found: Compared) -> dict[str, Tensor]:
    """Return what is known of each clip (B,...), and clips of the size below to be compared."""
    half = (found.made.shape[1] + 1) // 2
    first_B, second_B = motion(found.made[:, :half]), motion(found.made[:, -half:])
    values = {MODEL: drift(found.made), REAL: drift(found.real), "slowing": first_B - second_B}
    if found.below is None:
        return values
    frames, size = found.below.shape[1], found.below.shape[2]
    values[BELOW] = drift(found.below)
    values["low"] = _unit(found.below)
    values["lowered"], true_low = (
        lowered(_unit(each), frames, size) for each in (found.made, found.real)
    )
    values["detail"] = _finer(found.made, values["low"])
    values["true_detail"] = _finer(found.real, true_low)
    return values


def _found(values: dict[str, Tensor]) -> Found:
    about = {"samples": MODEL, "quantity": "drift"}
    kinds = [name for name in (MODEL, REAL, BELOW) if name in values]
    series = [row for name in kinds for row in columns.rows(values[name], predictor=name, **about)]
    last_N, real_N = values[MODEL][:, -1], values[REAL][:, -1]
    found = {
        "drift": columns.mean(last_N),
        "real_drift": columns.mean(real_N),
        "beyond": columns.difference(last_N, real_N),
        "slowing": columns.mean(values["slowing"]),
    }
    per_clip = {"drift": last_N}
    if "low" in values:
        own_N = _away(values["lowered"], values["low"])
        other_N = _away(values["lowered"], values["low"].roll(1, dims=0))
        found |= {"away": columns.mean(own_N), "other": columns.mean(other_N)}
        found["kept"] = columns.difference(other_N, own_N)
        found |= {name: columns.mean(values[name]) for name in ("detail", "true_detail")}
        found["tied"] = columns.mean(_standard(last_N) * _standard(values[BELOW][:, -1]))
        per_clip["away"] = own_N
    return Found(found, series, per_clip)


def drift(frames_BTHWC: Tensor) -> Tensor:
    """Return how far the values of each frame are from those of the first one, float64 (B,T).

    The mean over values of |a - b| where both frames' are in order of size: the distance of the
    two distributions (Wasserstein), a mean over colours, from 0 to 1.
    """
    sorted_BTPC = (frames_BTHWC.double() / BRIGHTEST).flatten(2, 3).sort(dim=2).values
    return (sorted_BTPC - sorted_BTPC[:, :1]).abs().mean(dim=(2, 3))


def _finer(frames_BTHWC: Tensor, low_BCtHW: Tensor) -> Tensor:
    """Return by how many octaves clips are finer than what is below them, enlarged, (B,)."""
    size = frames_BTHWC.shape[1:4]
    large = functional.interpolate(low_BCtHW, size=size, mode="trilinear", align_corners=False)
    enlarged_BTHWC = (large * BRIGHTEST).round().to(torch.uint8).permute(0, 2, 3, 4, 1)
    one, other = (spectrum(each) + FLOOR for each in (frames_BTHWC, enlarged_BTHWC))
    octaves_BTK = (one / other).log2()
    return octaves_BTK[..., octaves_BTK.shape[2] // 2 :].mean(dim=(1, 2))


def _shown(found: Compared) -> dict[str, Tensor]:
    """Return frames to be shown, those below as large and as many as those above them."""
    shown = {"real": found.real, "made": found.made}
    if found.below is not None:
        large = found.below
        for axis in (1, 2, 3):
            times = found.made.shape[axis] // found.below.shape[axis]
            large = large.repeat_interleave(times, dim=axis)
        shown[BELOW] = large
    return shown


def _unit(frames_BTHWC: Tensor) -> Tensor:
    return (frames_BTHWC.double() / BRIGHTEST).permute(0, 4, 1, 2, 3)


def _away(one_NCtHW: Tensor, other_NCtHW: Tensor) -> Tensor:
    return root((one_NCtHW - other_NCtHW).square().flatten(1).mean(dim=1))


def _standard(values_N: Tensor) -> Tensor:
    """Return values with mean 0 and variance 1, or 0 where they are all the same."""
    spread = values_N.std(unbiased=False)
    return (values_N - values_N.mean()) / spread if spread > 0 else torch.zeros_like(values_N)
