"""Laws of codes that are drawn place by place: how often each is, and what lies between."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.metrics import random_image_distance
from foreframe.metrics.metric import Wanted
from foreframe.questions import scattered_codes
from foreframe.questions.scattered_codes import scattered
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

COUNT = 70  # more than the features of the distance


def pictures(name: str) -> torch.Tensor:
    """Return pictures of an even slope, each from another grey level on."""
    start_N = generator(0, name).integers(0, 120, (COUNT,))
    rows = torch.arange(hand_made.SIDE // 4)
    slope = start_N[:, None, None] + 8 * rows[:, None] + 8 * rows
    return hand_made.blocks(slope)


def test_codes_are_as_frequent_as_they_were_and_none_is_new() -> None:
    share_K = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0], dtype=torch.float64)
    codes = scattered(share_K, (1, 300, 300), generator(0, "codes"))
    counts_K = codes.flatten().bincount(minlength=6) / codes.numel()
    torch.testing.assert_close(counts_K.double(), share_K, atol=0.005, rtol=0.0)
    assert counts_K[[0, 2, 5]].tolist() == [0, 0, 0]


def test_a_code_that_never_occurs_is_not_drawn_by_the_least_number_either() -> None:
    class Least:
        def uniform(self, shape: tuple[int, ...], **_: Any) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64)

    numbers: Any = Least()
    share_K = torch.tensor([0.0, 0.0, 0.4, 0.6], dtype=torch.float64)
    assert scattered(share_K, (1, 1, 2), numbers).tolist() == [[[2, 2]]]


def test_codes_are_as_frequent_as_in_training_clips(tmp_path: Path) -> None:
    _, arrays = hand_made.asked(
        tmp_path / "arrays.h5",
        scattered_codes,
        {"show": 3},
        hand_made.model(),
        pictures("test"),
        train=hand_made.flat(*[40] * 5),
    )
    assert arrays["scattered"].unique().tolist() == [40]
    assert len(arrays["scattered"]) == len(arrays["decoded"]) == 3


def test_the_distances_are_those_of_what_is_shown(tmp_path: Path) -> None:
    test_NTHWC = pictures("test")
    answer, arrays = hand_made.asked(
        tmp_path / "arrays.h5",
        scattered_codes,
        {"show": COUNT},
        hand_made.model(),
        test_NTHWC,
        train=pictures("train"),
    )
    metric = random_image_distance.metric(Path(), hand_made.CPU)
    assert metric.accumulate is not None
    distance = metric.accumulate(Wanted(few=False, interval=True))
    distance.update("real", test_NTHWC)
    for name in ("scattered", "decoded"):
        distance.update(name, arrays[name])
        found, own = distance.result(name), answer.values[name]
        expected = {"mean": found.value, "low": found.low, "high": found.high}
        assert own == pytest.approx(expected, rel=1e-6, abs=1e-6)
    # The autoencoder gives these pictures back; that their codes belong together is lost.
    assert answer.values["decoded"]["mean"] == pytest.approx(0, abs=1e-6)
    assert answer.values["scattered"]["low"] > 1
    assert torch.equal(arrays["decoded"], test_NTHWC)


def test_too_few_clips_are_refused(tmp_path: Path) -> None:
    few = pictures("test")[:20]
    with pytest.raises(UserError, match="20 rows of features are too few"):
        hand_made.asked(
            tmp_path / "arrays.h5", scattered_codes, {"show": 0}, hand_made.model(), few
        )
