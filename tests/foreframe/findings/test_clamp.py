"""Laws of the missing clamp."""

import torch

from foreframe.data.normalization import Normalizer
from foreframe.findings import clamp
from foreframe.randomness import generator
from tests.foreframe.findings.clips import noise

NORMALIZER = Normalizer((0.5, 0.4, 0.6), (0.2, 0.3, 0.25))


def test_values_beyond_the_range_wrap_or_stop() -> None:
    levels = torch.tensor([-2.0, -1, 0, 255, 256, 300])
    assert clamp.wrapped(levels).tolist() == [254, 255, 0, 255, 0, 44]
    assert clamp.clamped(levels).tolist() == [0, 0, 0, 255, 255, 255]


def test_both_forms_are_those_of_the_normalizer() -> None:
    clips = 3 * generator(0, "clips").normal((2, 3, 2, 4, 4))
    levels = clamp.levels(clips, NORMALIZER)
    assert levels.min() < 0 and levels.max() > 255
    assert torch.equal(clamp.clamped(levels), NORMALIZER.denormalize(clips))
    assert torch.equal(clamp.wrapped(levels), NORMALIZER.denormalize(clips, wrap=True))


def test_in_range_nothing_is_lost() -> None:
    real = noise(2, 2, 4, 4, 3)
    values = clamp.measure(real, real.double())
    found = clamp.summarize(values)
    assert found["beyond"]["mean"] == 0 and found["large_errors"] == 0
    assert found["explained"] is None and found["psnr_lost"]["mean"] == 0


def test_white_that_is_one_level_too_bright_turns_black() -> None:
    white = torch.full((2, 1, 4, 4, 3), 255, dtype=torch.uint8)
    levels = white.double()
    levels[:, :, :2] += 1
    found = clamp.summarize(clamp.measure(white, levels))
    assert found["above"]["mean"] == 0.5 and found["below"]["mean"] == 0
    assert found["explained"] == 1 and found["from_bright"] == 1 and found["from_dark"] == 0
    assert found["large_errors"] == 2 * 2 * 4 * 3 and found["large_errors_clamped"] == 0
    assert found["psnr_clamped"]["mean"] == 100 and found["psnr_wrapped"]["mean"] < 4


def test_black_that_is_one_level_too_dark_turns_white() -> None:
    black = torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8)
    found = clamp.summarize(clamp.measure(black, black.double() - 1))
    assert found["below"]["mean"] == 1 and found["from_dark"] == 1


def test_a_plain_large_error_is_not_explained() -> None:
    black = torch.zeros(1, 1, 2, 2, 3, dtype=torch.uint8)
    found = clamp.summarize(clamp.measure(black, black.double() + 200))
    assert found["large_errors"] == 12 and found["explained"] == 0
