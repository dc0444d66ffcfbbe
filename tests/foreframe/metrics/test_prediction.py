"""Scores of predicted frames: one number for each clip and frame, whatever is measured at once."""

import itertools
from pathlib import Path

import pytest
import torch

from foreframe.config.protocols import ProtocolSettings
from foreframe.errors import UserError
from foreframe.evaluating import metrics
from foreframe.metrics import evaluation
from foreframe.metrics.prediction import Scores
from tests.stages.evaluation_study import PROTOCOL

CPU = torch.device("cpu")


def protocol(**changes: object) -> ProtocolSettings:
    return PROTOCOL.model_copy(update={"context": 2, "horizon": 3, **changes})


def scores(settings: ProtocolSettings, size: int = 10) -> Scores:
    return Scores(settings, metrics(settings, Path("nowhere"), CPU), size)


def frames(*shape: int, side: int = 12) -> torch.Tensor:
    """Return random frames, uint8 (*shape, side, side, 3)."""
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(256, (*shape, side, side, 3), dtype=torch.uint8, generator=numbers)


def test_each_clip_and_frame_has_its_own_number() -> None:
    real = frames(2, 5)
    future = real[:, 2:].clone()
    future[1, 2] = 255 - future[1, 2]
    found = scores(protocol())
    found.update(real, {"mirror": future[:, None]})
    assert found.predictors == ["mirror"]
    assert found.values("mirror", "mse").shape == (2, 3)
    assert (found.values("mirror", "mse") > 0).nonzero().tolist() == [[1, 2]]
    assert found.values("mirror", "psnr")[0].tolist() == pytest.approx([100, 100, 100])


def test_batches_and_how_many_are_measured_at_once_do_not_matter() -> None:
    settings = protocol(best="sequence")
    real, futures = frames(5, 5), frames(5, 4, 3)
    whole = scores(settings, 100)
    whole.update(real, {"noise": futures})
    for size, cut in itertools.product((1, 3), (1, 2)):
        streamed = scores(settings, size)
        for rows in (slice(0, cut), slice(cut, 5)):
            streamed.update(real[rows], {"noise": futures[rows]})
        for name in settings.metrics:
            assert torch.equal(streamed.values("noise", name), whole.values("noise", name))


def test_several_futures_count_as_the_protocol_says() -> None:
    real = frames(1, 5)
    good, bad = real[:, 2:], 255 - real[:, 2:]
    mixed = torch.stack([torch.cat([good[:, :2], bad[:, 2:]], dim=1), bad], dim=1)
    errors = {}
    for best in ("none", "sequence", "frame"):
        found = scores(protocol(best=best, metrics=("mse",)))
        found.update(real, {"mixed": mixed})
        errors[best] = found.values("mixed", "mse")[0].tolist()
    whole = errors["sequence"][2]
    assert errors["sequence"][:2] == errors["frame"][:2] == [0, 0]
    assert errors["frame"][2] == whole
    assert errors["none"][0] > 0 and errors["none"][2] == pytest.approx(whole)


@pytest.mark.parametrize("size", [1, 10])
def test_the_table_has_the_share_of_sharpness_and_motion_that_is_left(size: int) -> None:
    real = frames(3, 5)
    future = real[:, 2:]
    # Half the contrast in the second frame on: half the Laplacian, up to rounding to 8 bits.
    faded = torch.cat([future[:, :1], future[:, 1:] // 4 * 2 + 64], dim=1)
    frozen = future[:, :1].expand(-1, 3, -1, -1, -1)
    found = scores(protocol(metrics=("psnr", "sharpness", "motion")), size)
    found.update(real, {"faded": faded[:, None], "frozen": frozen[:, None]})
    table = evaluation.per_frame(found)
    by_predictor = dict(iter(table.groupby("predictor")))
    sharpness = by_predictor["faded"]["sharpness_ratio"].tolist()
    assert sharpness == pytest.approx([1, 0.5, 0.5], rel=0.02)
    assert by_predictor["frozen"]["motion_ratio"].tolist() == [0, 0, 0]
    assert "psnr_ratio" not in table


@pytest.mark.parametrize(("see", "least"), [("clip", 9), ("future", 7)])
def test_sets_see_the_future_alone_or_the_clip(see: str, least: int) -> None:
    """The same futures are at another distance if true frames stand before them."""
    settings = protocol(horizon=least - 2, sets_see=see, metrics=("random_video_distance",))
    if see == "future":
        settings = protocol(horizon=least, sets_see=see, metrics=("random_video_distance",))
    found = scores(settings)
    real = frames(66, settings.frames, side=20)
    found.update(real, {"true": real[:, None, 2:], "noise": real[:, None, 2:].flip(0)})
    assert found.of_set("true", "random_video_distance").value == pytest.approx(0, abs=1e-6)
    value = found.of_set("noise", "random_video_distance").value
    assert value is not None and (value > 1e-3) == (see == "clip")


def test_too_few_clips_and_missing_weights_give_a_reason_and_no_value() -> None:
    found = scores(protocol(horizon=7, metrics=("random_video_distance", "fvd", "lpips_alex")))
    real = frames(2, 9, side=20)
    found.update(real, {"true": real[:, None, 2:]})
    few = found.of_set("true", "random_video_distance")
    assert few.value is None and "needs 65" in str(few.missing)
    for name in ("fvd", "lpips_alex"):
        absent = found.of_set("true", name)
        assert absent.value is None and "foreframe weights fetch" in str(absent.missing)


def test_frames_too_small_for_a_metric_are_refused() -> None:
    found = scores(protocol(metrics=("ms_ssim",)))
    with pytest.raises(UserError, match="five scales needs"):
        found.update(frames(1, 5), {"noise": frames(1, 1, 3)})
