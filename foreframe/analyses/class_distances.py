"""How far clips of each class are from true ones of that class, as sets.

Castrejon et al. 2022, table 6.5, has Inception score and FID of 1000 clips of ten classes. What
analyses can measure is without trained weights: the random distances. Only a class is compared with
itself; of classes with different clips the numbers differ for that alone.

Shapes: N clips, B of a batch, T frames.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import BATCH, Found, Subject
from foreframe.errors import UserError
from foreframe.metrics import catalogue
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Accumulator, Wanted
from foreframe.predictors import Context
from foreframe.predictors.learned import LearnedPredictor
from foreframe.randomness import Draws

MADE = "made"


class Settings(AnalysisSettings):
    """By which label clips are sorted, and which distances are taken.

    few: whether a distance is taken of fewer clips than features, which biases it upwards.
    """

    kind: Literal["class_distances"]
    label: str
    metrics: Annotated[
        tuple[Literal["random_video_distance", "random_image_distance"], ...], Field(min_length=1)
    ]
    few: Literal["refuse", "allow"]

    @model_validator(mode="after")
    def _shows_numbers(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but numbers are found, and no clip. Set it to 0."
            )
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by metric and class the distance as `value`, or why it is `missing`, and `clips`.

    Only predicted frames count. `few` marks a distance of fewer rows than features.

    Raises:
        UserError: the predictor is not told the label, or a metric cannot take such clips.
    """
    model = subject.predictor
    if not isinstance(model, LearnedPredictor) or settings.label not in model.settings.labels:
        raise UserError(
            f"{model.name} is not told the label {settings.label}. Give a predictor that is, or "
            "name another label."
        )
    classes, label_N = model.given.labels[settings.label], subject.labels[settings.label]
    device = next(model.parameters()).device
    wanted = Wanted(few=settings.few == "allow", interval=False)
    values: dict[str, dict[str, Any]] = {name: {} for name in settings.metrics}
    for number, class_name in enumerate(classes):
        chosen = (label_N == number).nonzero().flatten().tolist()
        if not chosen:
            continue
        found: dict[str, Accumulator] = {
            name: _accumulator(name, wanted, device) for name in settings.metrics
        }
        for first in range(0, len(chosen), BATCH):
            _add(subject, chosen[first : first + BATCH], found)
        for name, each in found.items():
            result = each.result(MADE)
            about = {"value": result.value, "missing": result.missing, "few": result.few}
            values[name][class_name] = {**about, "clips": len(chosen)}
    return Found(values)


def _accumulator(name: str, wanted: Wanted, device: torch.device) -> Accumulator:
    # These have no weights, so no folder is looked into.
    metric = catalogue.find(name, Path(), device)
    assert metric.accumulate is not None
    return metric.accumulate(wanted)


def _add(subject: Subject, places: Sequence[int], found: dict[str, Accumulator]) -> None:
    """Add true and made clips of some places to each metric's sets."""
    given, horizon = subject.futures.context, subject.futures.horizon
    real_BTHWC: Tensor = subject.clips.read(places)
    numbers = [subject.numbers[place] for place in places]
    labels = {name: label_N[list(places)] for name, label_N in subject.labels.items()}
    context = Context(real_BTHWC[:, :given], numbers, labels=labels)
    draws = Draws.first(subject.futures.seed, numbers)
    made = subject.predictor.predict(context, horizon, subject.options, draws).frames
    for each in found.values():
        each.update(REAL, real_BTHWC[:, given:])
        each.update(MADE, made)
