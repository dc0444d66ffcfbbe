"""Laws of the leak, of structure, of good frames, and of how clips are joined."""

import pytest
import torch

from foreframe.evaluation import columns
from foreframe.findings import context_leak, good_frames, structure
from tests.foreframe.findings.clips import noise


def test_equal_futures_leak_nothing() -> None:
    psnr = noise(9, 4).double()
    found = context_leak.summarize(psnr, psnr)
    assert found["gain"]["mean"] == found["gain"]["low"] == found["gain"]["high"] == 0
    assert [frame["mean"] for frame in found["gain_by_frame"]] == [0] * 4


def test_a_constant_gain_is_certain() -> None:
    psnr = noise(9, 4).double()
    found = context_leak.summarize(psnr + 1.5, psnr)
    for frame in [found["gain"], *found["gain_by_frame"]]:
        assert (frame["mean"], frame["low"], frame["high"]) == pytest.approx((1.5, 1.5, 1.5))


def test_codes_that_differ_are_counted_by_code_frame() -> None:
    codes = torch.zeros(2, 3, 2, 2, dtype=torch.int64)
    other = codes.clone()
    other[:, 2] = 1
    other[0, 1, 0, 0] = 1
    assert context_leak.differing(codes, other).tolist() == [[0, 0.25, 1], [0, 0, 1]]
    found = context_leak.summarize_codes(context_leak.differing(codes, other))
    assert [frame["mean"] for frame in found] == [0, 0.125, 1]


def test_structure_sees_no_brightness_and_no_contrast() -> None:
    frames = noise(2, 3, 8, 8, 3)
    half = frames // 2 + 60
    assert structure.correlation(frames, frames).tolist() == [[1.0] * 3] * 2
    assert (structure.correlation(frames, half) > 0.99).all()
    other = noise(2, 3, 8, 8, 3, seed=1)
    assert (structure.correlation(frames, other).abs() < 0.5).all()


def test_structure_is_summed_up_around_the_end_of_the_context() -> None:
    course = torch.tensor([[0.9, 0.8, 0.6, 0.2]]).double()
    found = structure.summarize(course, context=2)
    names = ("last_given", "first_predicted", "last_predicted", "predicted")
    assert [found[name]["mean"] for name in names] == pytest.approx([0.8, 0.6, 0.2, 0.4])


def test_good_frames_end_with_the_first_bad_one() -> None:
    rollout = torch.tensor([[3.0, 3, 1, 3], [1, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2]])
    copied = torch.full_like(rollout, 2)
    assert good_frames.leading(rollout, copied).tolist() == [2, 0, 4, 0]
    found = good_frames.summarize(rollout.double(), copied.double())
    assert found["clips_by_frames"] == [2, 0, 1, 0, 1] and found["in_a_row"]["mean"] == 1.5
    assert found["in_all"]["mean"] == 2.5


def test_batches_are_joined_in_order() -> None:
    values = noise(7, 3).double()
    parts = [{"a": part} for part in values.split(2)]
    assert torch.equal(columns.join(parts)["a"], values)
    assert columns.mean(values[:, 0])["low"] is None  # fewer than eight clips


def test_a_share_is_a_mean_of_yes_and_no() -> None:
    yes = torch.tensor([True] * 6 + [False] * 6)
    found = columns.share(yes)
    assert found["mean"] == 0.5 and found["low"] < 0.5 < found["high"] and found["clips"] == 12
