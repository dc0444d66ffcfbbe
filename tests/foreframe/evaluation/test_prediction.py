"""Scores of predicted frames: one number for each clip and frame, whatever is measured at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from foreframe.config.protocols import ProtocolSettings
from foreframe.errors import UserError
from foreframe.evaluation import results as evaluation
from foreframe.evaluation import tables
from foreframe.evaluation.prediction import Scores
from foreframe.evaluation.scoring import metrics
from foreframe.metrics.metric import Accumulator, Found, Metric
from tests.stages.evaluation_study import protocol as changed

CPU = torch.device("cpu")


def protocol(**changes: object) -> ProtocolSettings:
    return changed(**{"context": 2, "horizon": 3, **changes})


def scores(settings: ProtocolSettings) -> Scores:
    return Scores(settings, metrics(settings, Path("nowhere"), CPU))


def update(
    found: Scores,
    real_nTHWC: torch.Tensor,
    futures: Mapping[str, torch.Tensor],
    size: int = 10,
) -> None:
    """Add clips and their futures (n,S,h,H,W,C), some futures at a time."""
    for place, real_THWC in enumerate(real_nTHWC):
        found.update(real_THWC, {name: each[place].split(size) for name, each in futures.items()})


def frames(*shape: int, side: int = 12) -> torch.Tensor:
    """Return random frames, uint8 (*shape, side, side, 3)."""
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(256, (*shape, side, side, 3), dtype=torch.uint8, generator=numbers)


def test_each_clip_and_frame_has_its_own_number() -> None:
    real = frames(2, 5)
    future = real[:, 2:].clone()
    future[1, 2] = 255 - future[1, 2]
    found = scores(protocol())
    update(found, real, {"mirror": future[:, None]})
    assert found.predictors == ["mirror"]
    assert found.values("mirror", "mse").shape == (2, 3)
    assert (found.values("mirror", "mse") > 0).nonzero().tolist() == [[1, 2]]
    assert found.values("mirror", "psnr")[0].tolist() == pytest.approx([100, 100, 100])


def test_how_many_are_measured_at_once_does_not_matter() -> None:
    settings = protocol(best="sequence")
    real, futures = frames(5, 5), frames(5, 4, 3)
    whole = scores(settings)
    update(whole, real, {"noise": futures})
    for size in (1, 3):
        streamed = scores(settings)
        update(streamed, real, {"noise": futures}, size)
        for name in settings.measures.metrics:
            assert torch.equal(streamed.values("noise", name), whole.values("noise", name))


def test_several_futures_count_as_the_protocol_says() -> None:
    real = frames(1, 5)
    good, bad = real[:, 2:], 255 - real[:, 2:]
    mixed = torch.stack([torch.cat([good[:, :2], bad[:, 2:]], dim=1), bad], dim=1)
    errors = {}
    for best in ("none", "sequence", "frame"):
        found = scores(protocol(best=best, metrics=("mse",)))
        update(found, real, {"mixed": mixed})
        errors[best] = found.values("mixed", "mse")[0].tolist()
    whole = errors["sequence"][2]
    assert errors["sequence"][:2] == errors["frame"][:2] == [0, 0]
    assert errors["frame"][2] == whole
    assert errors["none"][0] > 0 and errors["none"][2] == pytest.approx(whole)


@pytest.mark.parametrize("clips", [1, 2, 5])
def test_the_deviation_over_clips_is_that_of_whole_numbers_in_a_row(clips: int) -> None:
    """Clip i is i levels too bright: the unbiased variance of 1 to n is n (n + 1) / 12."""
    real = frames(clips, 5) // 2
    levels = torch.arange(1, clips + 1, dtype=torch.uint8)[:, None, None, None, None]
    found = scores(protocol(metrics=("mae",)))
    futures = (real[:, 2:] + levels)[:, None]
    update(found, real, {"mean_frame": futures})
    std = evaluation.summarize(found)["predictors"]["mean_frame"]["mae"]["std"]
    expected = (clips * (clips + 1) / 12) ** 0.5 / 255
    assert std == (None if clips == 1 else pytest.approx(expected, rel=1e-5))


@pytest.mark.parametrize("strongest", ["copy_last_frame", "mean_frame"])
def test_differences_are_those_to_the_strongest_baseline_and_who_is_better_wins(
    strongest: str,
) -> None:
    (weakest,) = {"copy_last_frame", "mean_frame"} - {strongest}
    found = scores(protocol(metrics=("psnr", "mse")))
    real = frames(3, 5)
    true = real[:, None, 2:]
    futures = {"copy_last_frame": true, "mean_frame": true, "model": true}
    update(found, real, {**futures, weakest: 255 - true, strongest: true // 2})
    facts = evaluation.summarize(found)
    assert facts["reference"] == {"psnr": strongest, "mse": strongest}
    assert facts["differences"][strongest] == {}
    for metric, sign in (("psnr", 1), ("mse", -1)):
        means = {name: each[metric]["mean"] for name, each in facts["predictors"].items()}
        for name, ahead in (("model", 1), (weakest, -1)):
            each = facts["differences"][name][metric]
            assert each["mean"] == pytest.approx(means[name] - means[strongest])
            assert ahead * sign * each["mean"] > 0 and each["won"] == max(ahead, 0)


@pytest.mark.parametrize("size", [1, 10])
def test_the_table_has_the_share_of_sharpness_and_motion_that_is_left(size: int) -> None:
    real = frames(3, 5)
    future = real[:, 2:]
    # Half the contrast in the second frame on: half the Laplacian, up to rounding to 8 bits.
    faded = torch.cat([future[:, :1], future[:, 1:] // 4 * 2 + 64], dim=1)
    frozen = future[:, :1].expand(-1, 3, -1, -1, -1)
    both = {"faded": faded, "frozen": frozen}
    found = scores(protocol(metrics=("psnr", "sharpness", "motion")))
    twice = {name: torch.stack([each, each], dim=1) for name, each in both.items()}
    update(found, real, twice, size)
    table = tables.table({"per_frame": evaluation.per_frame(found)})
    by_predictor = dict(iter(table.groupby("predictor")))
    sharpness = by_predictor["faded"]["sharpness_ratio"].tolist()
    assert sharpness == pytest.approx([1, 0.5, 0.5], rel=0.02)
    assert by_predictor["frozen"]["motion_ratio"].tolist() == [0, 0, 0]
    assert "psnr_ratio" not in table


@pytest.mark.parametrize(("see", "least"), [("clip", 9), ("future", 7)])
def test_sets_see_the_future_alone_or_the_clip(see: str, least: int) -> None:
    """The same futures are at another distance if true frames stand before them."""
    settings = protocol(horizon=least - 2, see=see, metrics=("random_video_distance",))
    if see == "future":
        settings = protocol(horizon=least, see=see, metrics=("random_video_distance",))
    found = scores(settings)
    real = frames(66, settings.futures.frames, side=20)
    update(found, real, {"true": real[:, None, 2:], "noise": real[:, None, 2:].flip(0)})
    assert found.of_set("true", "random_video_distance").value == pytest.approx(0, abs=1e-6)
    value = found.of_set("noise", "random_video_distance").value
    assert value is not None and (value > 1e-3) == (see == "clip")


def test_too_few_clips_and_missing_weights_give_a_reason_and_no_value() -> None:
    found = scores(protocol(horizon=7, metrics=("random_video_distance", "fvd", "lpips_alex")))
    real = frames(2, 9, side=20)
    update(found, real, {"true": real[:, None, 2:]})
    few = found.of_set("true", "random_video_distance")
    assert few.value is None and "needs 65" in str(few.missing)
    for name in ("fvd", "lpips_alex"):
        absent = found.of_set("true", name)
        assert absent.value is None and "foreframe weights fetch" in str(absent.missing)


def test_frames_too_small_for_a_metric_are_refused() -> None:
    found = scores(protocol(metrics=("ms_ssim",)))
    with pytest.raises(UserError, match="five scales needs"):
        update(found, frames(1, 5), {"noise": frames(1, 1, 3)})


class Noted(Accumulator):
    """Keeps what a metric of whole sets is shown."""

    def __init__(self) -> None:
        self.seen: dict[str, list[torch.Tensor]] = {}

    def update(self, name: str, frames_BTHWC: torch.Tensor) -> None:
        self.seen.setdefault(name, []).append(frames_BTHWC)

    def result(self, name: str) -> Found:
        return Found(float(len(self.seen[name])))


@pytest.mark.parametrize("size", [1, 2, 10])
def test_sets_take_the_first_future_of_each_clip(size: int) -> None:
    noted = Noted()
    metric = Metric("noted", "", "lower", "", accumulate=lambda _: noted)
    found = Scores(protocol(see="future"), [metric])
    futures = frames(4, 3, 3)
    update(found, frames(4, 5), {"noise": futures}, size)
    assert torch.equal(torch.cat(noted.seen["noise"]), futures[:, 0])
    assert found.of_set("noise", "noted").value == 4
