"""Predictors of several evaluations, clip by clip: laws of differences, and what is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.errors import ArtefactError, UserError
from foreframe.evaluation import pairs, results
from foreframe.evaluation.drawing import BOUND
from foreframe.evaluation.statistics import interval, won
from foreframe.randomness import generator
from tests.foreframe.evaluation.test_prediction import frames, protocol, scores, update

Evaluations = dict[str, tuple[Path, dict[str, Any]]]
CLIPS = 12


def evaluation(**futures: torch.Tensor) -> dict[str, Any]:
    """Return the facts of an evaluation of some futures (n,h,H,W,C), beside a baseline."""
    real = frames(CLIPS, 5)
    found = scores(protocol(metrics=("psnr", "mse")))
    every = {"mean_frame": torch.full_like(real[:, 2:], 128), **futures}
    update(found, real, {name: each[:, None] for name, each in every.items()})
    fields = {
        "dataset": "d", "split": "s", "set": "test", "clip_choice": "all", "clip_starts": [0],
        "context": 2, "horizon": 3, "context_encoding": "context_only", "frame_size": [12, 12],
        "resizing": "none", "value_range": "[0, 1]", "metrics": {}, "features": {}, "samples": 1,
        "best": "none", "sets": {}, "likelihood": None, "seed": 0,
    }  # fmt: skip
    return {"name": "tiny", "protocol": fields, "clips": CLIPS, **results.summarize(found)}


def noisy(name: str, most: int) -> torch.Tensor:
    """Return the true futures with whole numbers up to `most` added, more in some clips."""
    numbers = generator(0, name).integers(0, most, (CLIPS, 3, 12, 12, 3))
    much = torch.arange(1, CLIPS + 1)[:, None, None, None, None]
    return (frames(CLIPS, 5)[:, 2:] + numbers * much // CLIPS).clamp(max=255).to(torch.uint8)


@pytest.fixture(scope="module")
def both() -> Evaluations:
    near, far = evaluation(drawn=noisy("near", 8)), evaluation(drawn=noisy("far", 80))
    return {"near": (Path("near.json"), near), "far": (Path("far.json"), far)}


def test_a_difference_is_that_of_the_clips_values_with_their_interval(both: Evaluations) -> None:
    found = pairs.compare(both)
    assert (found["name"], found["clips"]) == ("tiny", CLIPS)
    one, other = (
        torch.tensor(both[run][1]["per_clip"]["drawn"]["psnr"], dtype=torch.float64)
        for run in ("near", "far")
    )
    wanted = interval(one - other, 0)
    there = found["differences"]["near/drawn"]["far/drawn"]["psnr"]
    assert (there["mean"], there["low"], there["high"]) == (wanted.mean, wanted.low, wanted.high)
    assert there["won"] == won(one, other, "higher") == 1.0
    # The mean of differences is the difference of the means that each evaluation states itself.
    means = [both[run][1]["predictors"]["drawn"]["psnr"]["mean"] for run in ("near", "far")]
    assert there["mean"] == pytest.approx(means[0] - means[1])


def test_the_other_way_round_it_is_turned(both: Evaluations) -> None:
    found = pairs.compare(both)["differences"]
    for one, others in found.items():
        for other, metrics in others.items():
            for metric, there in metrics.items():
                back = found[other][one][metric]
                assert there["mean"] == -back["mean"] and there["won"] == 1 - back["won"]
                assert (there["low"], there["high"]) == (-back["high"], -back["low"])


def test_rows_are_baselines_once_and_what_each_run_draws(both: Evaluations) -> None:
    with_bound = copy.deepcopy(both)
    values = with_bound["near"][1]["per_clip"]
    values[BOUND] = values["drawn"]
    found = pairs.compare(with_bound)["differences"]
    assert list(found) == ["mean_frame", "near/drawn", "far/drawn"]
    assert all(set(others) == set(found) - {one} for one, others in found.items())


def test_lower_is_better_where_a_metric_says_so(both: Evaluations) -> None:
    there = pairs.compare(both)["differences"]["near/drawn"]["far/drawn"]["mse"]
    assert there["mean"] < 0 and there["won"] == 1.0


def test_evaluations_of_two_protocols_are_refused(both: Evaluations) -> None:
    other = copy.deepcopy(both)
    other["far"][1]["protocol"]["horizon"] = 4
    with pytest.raises(UserError, match=r"near\.json and far\.json .* differ in horizon"):
        pairs.compare(other)


def test_baselines_that_do_not_agree_are_refused(both: Evaluations) -> None:
    other = copy.deepcopy(both)
    other["far"][1]["per_clip"]["mean_frame"]["psnr"][3] += 1e-9
    with pytest.raises(ArtefactError, match=r"do not agree on mean_frame"):
        pairs.compare(other)


def test_an_evaluation_without_values_by_clip_is_refused(both: Evaluations) -> None:
    path, found = both["far"]
    old = {key: value for key, value in found.items() if key != "per_clip"}
    with pytest.raises(ArtefactError, match=r"far\.json has no values by clip"):
        pairs.compare({**both, "far": (path, old)})


def test_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="no evaluation to compare"):
        pairs.compare({})


def analysis(values: list[float], **of: str) -> dict[str, Any]:
    return {"about": {"clips": len(values), "of": of}, "per_clip": {"bound": values}}


def test_analyses_are_compared_clip_by_clip_and_less_is_better() -> None:
    values = {run: torch.tensor([1.0, 4, 2, 8, 5, 7, 1, 3]) * k for run, k in (("a", 1), ("b", 3))}
    given = {run: (Path(run), analysis(each.tolist(), split="s")) for run, each in values.items()}
    found = pairs.compare_analyses("tiny", given)
    wanted = interval(values["a"] - values["b"], 0)
    there = found["differences"]["a"]["b"]["bound"]
    assert (found["name"], found["clips"]) == ("tiny", 8)
    assert (there["mean"], there["low"], there["high"]) == (wanted.mean, wanted.low, wanted.high)
    assert there["won"] == 1.0


def test_analyses_without_values_or_of_other_clips_are_refused() -> None:
    one, other = analysis([1.0] * 8, split="s"), analysis([2.0] * 8, split="t")
    without = {"about": one["about"], "per_clip": {}}
    for given in ({}, {"a": (Path("a"), without)}):
        with pytest.raises(UserError, match="no analysis tiny has values by clip"):
            pairs.compare_analyses("tiny", given)
    with pytest.raises(UserError, match="not of the same clips"):
        pairs.compare_analyses("tiny", {"a": (Path("a"), one), "b": (Path("b"), other)})
