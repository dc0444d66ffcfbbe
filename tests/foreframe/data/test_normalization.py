"""Statistics are exact, and standardizing loses nothing."""

import math
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from foreframe.artefacts import facts
from foreframe.data import normalization
from foreframe.data.normalization import Normalizer
from foreframe.errors import ArtefactError
from foreframe.randomness import numpy_generator

# As found for the frames of Xu 2022.
MEAN, STD = (0.5526, 0.5384, 0.5170), (0.2135, 0.2026, 0.1969)


def all_values() -> torch.Tensor:
    """Return one clip in which every channel takes every value: (1, 4, 8, 8, 3)."""
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 4, 8, 8)
    return torch.stack([values, values.flip(1), values.roll(7, -1)], dim=-1)


@given(
    arrays.arrays(numpy.uint8, st.tuples(st.integers(1, 9), st.just(4), st.just(5), st.just(3))),
    st.integers(1, 9),
)
def test_the_statistics_are_those_of_all_pixels_at_once(frames: numpy.ndarray, cut: int) -> None:
    measured = normalization.measure([frames[:cut], frames[cut:]])
    scaled = frames.astype(numpy.longdouble) / 255
    numpy.testing.assert_allclose(measured.mean, scaled.mean((0, 1, 2)).astype(float), rtol=1e-15)
    deviation = numpy.maximum(scaled.std((0, 1, 2)).astype(float), 1 / 255)
    numpy.testing.assert_allclose(measured.std, deviation, rtol=1e-12)
    assert measured.pixels == frames.size // 3
    assert measured == normalization.measure([frames[cut:], frames[:cut]])


def test_a_constant_channel_counts_as_one_step_of_deviation() -> None:
    frames = numpy_generator(0).integers(0, 256, (4, 8, 8, 3), dtype=numpy.uint8)
    frames[..., 1] = 77
    measured = normalization.measure([frames])
    assert measured.std[1] == 1 / 255
    assert measured.std[0] > 0.2
    clips = Normalizer(measured.mean, measured.std).normalize(torch.from_numpy(frames[None]))
    assert clips[:, 1].abs().max() < 1e-4


@given(
    mean=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    std=st.lists(st.floats(1 / 255, 0.5), min_size=3, max_size=3),
)
def test_every_value_survives_the_round_trip(mean: list[float], std: list[float]) -> None:
    normalizer = Normalizer(mean, std)
    clips = normalizer.normalize(all_values())
    assert clips.shape == (1, 3, 4, 8, 8)
    assert clips.dtype == torch.float32
    assert clips.is_contiguous()
    assert torch.equal(normalizer.denormalize(clips), all_values())
    assert torch.equal(normalizer.denormalize(clips, wrap=True), all_values())


def test_standardized_values_follow_the_formula() -> None:
    clips = Normalizer(MEAN, STD).normalize(all_values())
    expected = (all_values().double() / 255 - torch.tensor(MEAN).double()) / torch.tensor(STD)
    torch.testing.assert_close(clips.movedim(1, -1).double(), expected, rtol=1e-5, atol=1e-5)


def test_standardized_training_frames_have_mean_0_and_deviation_1() -> None:
    frames = numpy_generator(1).integers(20, 90, (4, 8, 8, 3), dtype=numpy.uint8)
    measured = normalization.measure([frames])
    clips = Normalizer(measured.mean, measured.std).normalize(torch.from_numpy(frames[None]))
    deviation, mean = torch.std_mean(clips.double(), dim=(0, 2, 3, 4), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(3).double(), atol=1e-5, rtol=0)


def test_values_outside_are_clamped_or_wrap_round() -> None:
    normalizer = Normalizer((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    values = torch.tensor([-3, -0.4, 0.6, 254.6, 255.4, 260, 5000]) / 255
    clips = values.reshape(1, 1, 1, 1, -1).expand(1, 3, 1, 1, -1)
    clamped = normalizer.denormalize(clips)[0, 0, 0, :, 0]
    assert clamped.tolist() == [0, 0, 1, 255, 255, 255, 255]
    wrapped = normalizer.denormalize(clips, wrap=True)[0, 0, 0, :, 0]
    assert wrapped.tolist() == [253, 0, 1, 255, 255, 4, 5000 % 256]


def test_what_is_no_number_is_black() -> None:
    clips = torch.full((1, 3, 1, 1, 3), math.nan)
    clips[..., 1], clips[..., 2] = math.inf, -math.inf
    shown = Normalizer(MEAN, STD).denormalize(clips)
    assert shown[0, 0, 0, :, 0].tolist() == [0, 255, 0]


def test_statistics_come_back_as_they_were_saved(tmp_path: Path) -> None:
    path = tmp_path / "normalization.json"
    normalization.save(path, normalization.Statistics(MEAN, STD, 9))
    assert torch.equal(
        Normalizer.load(path).normalize(all_values()), Normalizer(MEAN, STD).normalize(all_values())
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"std": [0.2, 0.0, 0.2]},
        {"std": [0.2, -0.1, 0.2]},
        {"mean": [0.5, 0.5]},
        {"mean": "grey"},
        {"std": None},
    ],
)
def test_damaged_statistics_are_refused(changes: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "normalization.json"
    normalization.save(path, normalization.Statistics(MEAN, STD, 9))
    facts.write(path, normalization.SCHEMA, {**facts.read(path, normalization.SCHEMA), **changes})
    with pytest.raises(ArtefactError, match=r"normalization\.json is damaged"):
        Normalizer.load(path)
