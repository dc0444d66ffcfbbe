"""Distances of whole sets: over the k-th futures of all clips, and where the clips are few."""

from functools import partial
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from foreframe.config.protocols import ProtocolSettings
from foreframe.evaluation import results
from foreframe.evaluation.prediction import Scores
from foreframe.metrics.metric import Found, Metric
from foreframe.metrics.video_sets import FrechetSets
from tests.foreframe.evaluation.test_prediction import frames, protocol, update

CLIPS, FUTURES = 6, 4


class Colours:
    """A feature network: the mean of each colour of a clip."""

    size = 3

    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        return frames_BTHWC.double().mean(dim=(1, 2, 3))[:, None] / 255


DISTANCE = Metric("distance", "", "lower", "", accumulate=partial(FrechetSets, Colours()))
REAL, DRAWN = frames(CLIPS, 5), frames(CLIPS, FUTURES, 3).flip(0)


def scored(real: Tensor, drawn: Tensor, size: int = 10, **changes: Any) -> Scores:
    """Return the scores of futures (n,S,h,H,W,C), `size` at a time, and of a rule with one."""
    found = Scores(protocol(samples=FUTURES, **changes), [DISTANCE])
    update(found, real, {"model": drawn, "rule": drawn[:, :1]}, size)
    return found


def distance(real: Tensor, drawn: Tensor, size: int = 10, **changes: Any) -> Found:
    """Return the distance of the model."""
    return scored(real, drawn, size, **changes).of_set("model", "distance")


@pytest.mark.parametrize("size", [1, 2, 10])
def test_repeats_are_as_many_evaluations_with_one_future_each(size: int) -> None:
    apart = [distance(REAL, DRAWN[:, [number]]).value for number in range(FUTURES)]
    for repeats in (2, 3, FUTURES):
        values = [value for value in apart[:repeats] if value is not None]
        found = distance(REAL, DRAWN, size, repeats=repeats)
        assert (found.value, found.std, found.repeats) == (mean(values), stdev(values), repeats)
        assert (found.low, found.high) == (None, None)
    assert len(set(apart)) == FUTURES
    alone = distance(REAL, DRAWN[:, :1])
    assert distance(REAL, DRAWN, size, repeats=1) == alone and alone.low is not None


def test_repeats_of_equal_futures_are_the_single_value() -> None:
    single = distance(REAL, DRAWN[:, :1])
    found = distance(REAL, DRAWN[:, :1].expand_as(DRAWN), repeats=3)
    assert (found.value, found.std, found.repeats) == (single.value, 0, 3)


def test_the_order_of_clips_does_not_matter() -> None:
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    one = distance(REAL, DRAWN, repeats=3)
    other = distance(REAL[order], DRAWN[order], repeats=3)
    assert (other.value, other.std) == pytest.approx((one.value, one.std))


def test_what_has_one_future_is_not_repeated() -> None:
    found = results.summarize(scored(REAL, DRAWN, repeats=3))["predictors"]
    one = {"low": None, "high": None, "std": None, "repeats": 1, "few": False}
    assert found["rule"]["distance"] == {"mean": distance(REAL, DRAWN[:, :1]).value, **one}
    assert found["model"]["distance"]["repeats"] == 3


@pytest.mark.parametrize("repeats", [1, 2])
def test_few_clips_are_refused_or_marked_as_the_setting_that_is_named_says(repeats: int) -> None:
    few, enough = slice(Colours.size), slice(Colours.size + 1)
    refused = distance(REAL[few], DRAWN[few], repeats=repeats)
    assert refused.value is None and "needs 4: continue more clips" in str(refused.missing)
    assert "set measures.sets.few of the protocol to allow" in str(refused.missing)
    allowed = distance(REAL[few], DRAWN[few], repeats=repeats, few="allow")
    assert allowed.value is not None and allowed.few and allowed.missing is None
    for setting in ("refuse", "allow"):
        found = distance(REAL[enough], DRAWN[enough], repeats=repeats, few=setting)
        assert found.value is not None and not found.few


def test_one_clip_has_no_covariance_even_where_few_are_allowed() -> None:
    found = distance(REAL[:1], DRAWN[:1], few="allow")
    assert found.value is None and "1 rows of features" in str(found.missing)
    assert "allow" not in str(found.missing)


def test_more_repeats_than_futures_are_refused() -> None:
    settings = protocol(samples=FUTURES, repeats=FUTURES).model_dump()
    settings["measures"]["sets"]["repeats"] += 1
    said = r"measures\.sets\.repeats is 5, but futures\.samples is 4: .* Lower repeats, or raise"
    with pytest.raises(ValidationError, match=said):
        ProtocolSettings.model_validate(settings)
