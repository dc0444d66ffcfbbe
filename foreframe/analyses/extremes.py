"""The futures that came out best and worst, by the similarity of their structure to the truth.

One future of each clip; what SSIM calls best is often what shows least (Glissov and Konradsen 2021,
figures 9.12, 9.13 and A.11 to A.14), which the motion of both groups tells.

Shapes: N clips, k of them, T frames, h predicted ones, H rows, W columns, C = 3 colours.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics.ssim import ssim
from foreframe.predictors import Context
from foreframe.randomness import Draws


class Settings(AnalysisSettings):
    """`each`: how many clips are best, and how many worst."""

    kind: Literal["extremes"]
    each: Annotated[int, Field(ge=1)]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return SSIM and true motion of both groups; store their clips and futures, and their SSIM.

    Raises:
        UserError: there are fewer clips than both groups need.
    """
    if len(subject) < 2 * settings.each:
        raise UserError(
            f"the analysis has {len(subject)} clips, but {settings.each} are to be best and as "
            "many worst. Raise clips, or lower each."
        )
    given, scores, motions = subject.futures.context, [], []
    for places in subject.batches():
        real_BTHWC = subject.clips.read(places)
        scores.append(ssim(real_BTHWC[:, given:], _future(subject, places)).mean(dim=1))
        motions.append(_motion(real_BTHWC[:, given:]))
    score_N, motion_N = torch.cat(scores), torch.cat(motions)
    order = score_N.argsort(descending=True, stable=True).tolist()
    groups = {"best": order[: settings.each], "worst": order[::-1][: settings.each]}
    values = {}
    for name, places in groups.items():
        subject.store(f"{name}/real", subject.clips.read(places))
        subject.store(f"{name}/future", _future(subject, places))
        subject.store(f"{name}/ssim", score_N[places])
        values[name] = {
            "ssim": columns.mean(score_N[places]),
            "motion": columns.mean(motion_N[places]),
        }
    return Found({**values, "motion": columns.mean(motion_N)})


def _future(subject: Subject, places: list[int]) -> Tensor:
    """Return the first future (B,h,H,W,C) of some clips."""
    numbers = [subject.numbers[place] for place in places]
    given = subject.futures.context
    context = Context(subject.clips.read(places)[:, :given], numbers)
    draws = Draws.first(subject.futures.seed, numbers)
    horizon = subject.futures.horizon
    return subject.predictor.predict(context, horizon, subject.options, draws).frames


def _motion(frames_BhHWC: Tensor) -> Tensor:
    """Return the mean absolute change (B,) from frame to frame, in grey levels."""
    grey = frames_BhHWC.double()
    return (grey[:, 1:] - grey[:, :-1]).abs().flatten(1).mean(dim=1)
