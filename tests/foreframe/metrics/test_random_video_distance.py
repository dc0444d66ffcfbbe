"""The random video distance: weights that never change, and what it can and cannot see."""

import pytest
import torch
from torch import Tensor

from benchmarks.random_video_distance import scenes, sizes, table
from foreframe.errors import UserError
from foreframe.metrics.random_video_distance import RandomVideoFeatures

CPU = torch.device("cpu")
# Part of the metric's definition: another digest is another metric and needs another name.
DIGEST = "32fe07a6a53ead629f517d7f37c38527502f6f8be1465ef33f88c35bccbfd6a8"


@pytest.fixture(scope="module")
def distances() -> dict[str, float]:
    """Return the table of the benchmark, on fewer clips."""
    return table(scenes(80, 0), scenes(80, 1))


def test_the_weights_never_change() -> None:
    assert RandomVideoFeatures(CPU).digest == DIGEST


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    clips = scenes(3, 0, length=8, side=24)
    network = RandomVideoFeatures(CPU)
    alone = torch.cat([network(clip[None]) for clip in clips])
    assert alone.shape == (3, 1, network.size)
    torch.testing.assert_close(network(clips), alone, rtol=0, atol=1e-4)


def test_both_value_ranges_give_the_same_features() -> None:
    clips = scenes(2, 0, length=8, side=24)
    network = RandomVideoFeatures(CPU)
    torch.testing.assert_close(network(clips), network(clips.double() / 255), rtol=0, atol=1e-4)


def test_a_black_video_has_features() -> None:
    features = RandomVideoFeatures(CPU)(torch.zeros(1, 7, 17, 17, 3, dtype=torch.uint8))
    assert bool(torch.isfinite(features).all())
    assert float(features.min()) >= -40 - 1e-9


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (torch.zeros(1, 6, 32, 32, 3), "6 frames are too short"),
        (torch.zeros(1, 8, 16, 32, 3), "16 x 32 pixels are too small"),
        (torch.zeros(1, 8, 32, 32, 1), "repeat a grey one"),
        (torch.zeros(8, 32, 32, 3), "clips, frames, rows"),
        (torch.full((1, 8, 32, 32, 3), 255.0), "span"),
        (torch.full((1, 8, 32, 32, 3), float("nan")), "NaN"),
        (torch.zeros(1, 8, 32, 32, 3, dtype=torch.int64), "floating point"),
    ],
)
def test_frames_it_cannot_take_are_refused(frames: Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        RandomVideoFeatures(CPU)(frames)


def test_the_same_clips_have_no_distance(distances: dict[str, float]) -> None:
    assert distances["the same clips"] < 1e-6


def test_more_noise_is_further(distances: dict[str, float]) -> None:
    values = [distances[name] for name in ("noise, 2 grey levels", "noise, 5", "noise, 10")]
    assert values == sorted(values)
    assert distances["noise, 20"] > values[-1] > distances["other clips"] > values[0] > 0


def test_more_blur_and_more_tint_are_further(distances: dict[str, float]) -> None:
    assert 0 < distances["blur over 3 x 3 pixels"] < distances["blur over 5 x 5"]
    assert 0 < distances["red brighter by 10"] < distances["red brighter by 20"]


def test_it_sees_motion(distances: dict[str, float]) -> None:
    """Frozen videos, half the speed and frames out of order are further than chance."""
    for name in ("first frame repeated", "frames in random order"):
        assert distances[name] > 2 * distances["other clips"]
    assert distances["first frame repeated"] > distances["half the speed"] > 0


def test_it_does_not_see_time_reversed_or_clips_twice(distances: dict[str, float]) -> None:
    """Both stay within what other clips of the same kind give, so they pass unnoticed."""
    for name in ("time reversed", "half of the clips twice"):
        assert 0 < distances[name] < 1.5 * distances["other clips"]


def test_the_bias_of_few_clips_falls_as_the_sets_grow() -> None:
    def draw(count: int, seed: int) -> Tensor:
        return scenes(count, seed, length=8, side=24)

    values = list(sizes(draw, [70, 140, 280]).values())
    assert values == sorted(values, reverse=True)
    assert values[0] > 2 * values[-1]
