"""How much the true clips of each class move: is what moves more made worse?

Castrejon et al. 2022 (table 6.5) have ten classes, five of much and five of little motion by their
names, and find no link between motion and quality. Here motion is measured, and `class_distances`
says how well each class is made. Nothing is asked of the predictor.

Shapes: N clips, B of a batch, T frames.
"""

from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.predictors.learned import LearnedPredictor

BRIGHTEST = 255


class Settings(AnalysisSettings):
    """By which label clips are sorted."""

    kind: Literal["class_motion"]
    label: str

    @model_validator(mode="after")
    def _shows_numbers(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but numbers are found, and no clip. Set it to 0."
            )
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by class `motion`, how far values move from frame to frame, a mean over its clips.

    Values are from 0 to 1. Only predicted frames count; classes without a clip are left out.

    Raises:
        UserError: the predictor is not told the label, or a single frame is predicted.
    """
    model = subject.predictor
    if not isinstance(model, LearnedPredictor) or settings.label not in model.settings.labels:
        raise UserError(
            f"{model.name} is not told the label {settings.label}. Give a predictor that is, or "
            "name another label."
        )
    if subject.futures.horizon < 2:
        raise UserError("A single frame shows no motion. Raise the protocol's horizon.")
    classes, label_N = model.given.labels[settings.label], subject.labels[settings.label]
    given = subject.futures.context
    parts = [motion(subject.clips.read(places)[:, given:]) for places in subject.batches()]
    motion_N = torch.cat(parts)
    found = {
        name: {"motion": columns.mean(motion_N[label_N == number])}
        for number, name in enumerate(classes)
        if (label_N == number).any()
    }
    return Found(found)


def motion(frames_BTHWC: Tensor) -> Tensor:
    """Return the mean change of a value from frame to frame, float64 (B,)."""
    return (frames_BTHWC.double() / BRIGHTEST).diff(dim=1).abs().flatten(1).mean(dim=1)
