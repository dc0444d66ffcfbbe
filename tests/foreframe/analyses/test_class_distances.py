"""Distances by class: a model that makes one class truly and another one wrongly."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import class_distances
from foreframe.analyses.subject import Found
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.metrics import catalogue
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Wanted
from foreframe.predictors import Context, Prediction
from foreframe.predictors.cascade import Cascade
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, subject
from tests.foreframe.predictors import cascades

COUNT, FRAMES, SIDE = 15, 7, 17
METRICS = ("random_video_distance", "random_image_distance")


def clips(name: str) -> Tensor:
    """Return clips (N,T,H,W,3) of noise, each with a brightness of its own."""
    base = generator(0, name).integers(0, 128, (COUNT, 1, 1, 1, 1))
    noise = generator(0, name, "noise").integers(0, 128, (COUNT, FRAMES, SIDE, SIDE, 3))
    return (base + noise).to(torch.uint8)


TRUE, OTHER = clips("true"), clips("other")
# Left, right and left again, and none of what is still; two clips have no class.
LABELS = torch.tensor([0, 1, 0] * 4 + [0, -1, -1])


class Honest(Cascade):
    """Makes true clips of what goes left, and others of what goes right."""

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        rows = [number - FIRST for number in draws.clips]
        assert torch.equal(context.labels["way"], LABELS[rows])
        assert list(draws.clips) == list(context.numbers) and not any(draws.futures)
        right = (context.labels["way"] == 1)[:, None, None, None, None]
        return Prediction(torch.where(right, OTHER[rows], TRUE[rows])[:, -horizon:])


def settings(**changes: Any) -> class_distances.Settings:
    known: dict[str, Any] = {"kind": "class_distances", "clips": None, "show": 0, "label": "way"}
    return class_distances.Settings(**(known | {"metrics": METRICS, "few": "allow"} | changes))


def asked(folder: Path, chosen: class_distances.Settings, model: Any = None) -> Found:
    model = model or Honest(cascades.told(), cascades.given(("way",)))
    with hdf5.creating(folder / "a.h5", "analysis", {}) as file:
        known = subject(file, model, TRUE, given=0, options=cascades.WHOLE)
        return class_distances.analyse(replace(known, labels={"way": LABELS}), chosen)


def test_a_class_is_compared_with_itself(tmp_path: Path) -> None:
    found = asked(tmp_path, settings()).values
    assert found.keys() == set(METRICS)
    for name in METRICS:
        assert found[name].keys() == {"left", "right"}
        assert {key: each["clips"] for key, each in found[name].items()} == {"left": 9, "right": 4}
        assert found[name]["left"]["value"] == pytest.approx(0, abs=1e-6)
        alone: Any = catalogue.find(name, Path(), torch.device("cpu")).accumulate
        alone = alone(Wanted(few=True, interval=False))
        alone.update(REAL, TRUE[LABELS == 1])
        alone.update("made", OTHER[LABELS == 1])
        assert found[name]["right"]["value"] == pytest.approx(alone.result("made").value)
        assert found[name]["right"]["value"] > 1
        assert found[name]["right"]["few"] and found[name]["right"]["missing"] is None


def test_without_enough_clips_there_is_a_reason_in_place_of_a_number(tmp_path: Path) -> None:
    found = asked(tmp_path, settings(few="refuse", metrics=METRICS[:1])).values
    for each in found["random_video_distance"].values():
        assert each["value"] is None and "too few" in each["missing"]


@pytest.mark.parametrize("told", [False, True])
def test_a_predictor_that_is_not_told_the_label_is_refused(told: bool, tmp_path: Path) -> None:
    model = cascades.ready(cascades.told()) if told else cascades.model()
    words = r"Cascade is not told the label colour\. Give a predictor that is"
    with pytest.raises(UserError, match=words):
        asked(tmp_path, settings(label="colour"), model)
    with pytest.raises(UserError, match="SimpleNamespace is not told"):
        unnamed: Any = SimpleNamespace(name="SimpleNamespace")
        asked(tmp_path, settings(label="colour"), unnamed)


def test_no_clip_is_shown() -> None:
    with pytest.raises(ValueError, match=r"show is 2, but numbers are found, .* Set it to 0"):
        settings(show=2)
