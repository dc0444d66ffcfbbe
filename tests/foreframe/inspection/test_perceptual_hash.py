"""A hash stays where a picture stays the same to the eye, and moves where it does not."""

import numpy
import pytest

from foreframe.inspection import perceptual_hash
from foreframe.inspection.perceptual_hash import BITS, distances, hashes, offsets, signatures
from tests.foreframe.inspection.recordings import Frames, compressed, noise, scene


def changed(first: Frames, second: Frames) -> numpy.ndarray:
    """Return how many bits of each frame's hash differ."""
    return numpy.bitwise_count(hashes(first) ^ hashes(second))


@pytest.mark.parametrize("factors", [(2, 2), (1, 3), (5, 2)])
def test_repeating_pixels_changes_no_bit(factors: tuple[int, int]) -> None:
    frames = scene(1, 6, 20)
    large = frames.repeat(factors[0], axis=1).repeat(factors[1], axis=2)
    assert changed(frames, large).max() == 0


def test_halving_changes_few_bits() -> None:
    frames = scene(2, 8, 64)
    half = frames.reshape(8, 32, 2, 32, 2, 3).mean((2, 4)).round().astype(numpy.uint8)
    assert changed(frames, half).max() <= 2


def test_brightness_changes_no_bit_and_compression_few() -> None:
    frames = scene(3, 8, 64)
    assert changed(frames, frames + 2).max() == 0
    assert changed(frames, frames - 20).max() == 0
    assert changed(frames, compressed(frames, 60)).max() <= 4


def test_other_scenes_differ_in_many_bits() -> None:
    first = [hashes(scene(number, 1))[0] for number in range(30)]
    found = distances(numpy.array(first)[:, None], numpy.array(first)[:, None])
    apart = found[~numpy.eye(30, dtype=bool)]
    assert apart.min() > 8 and 20 < apart.mean() < 44


def test_an_even_surface_has_no_bits_whatever_its_noise() -> None:
    even = numpy.full((3, 24, 24, 3), 100, numpy.uint8)
    assert hashes(even).tolist() == [0, 0, 0]
    assert hashes(even + noise(1, even.shape) % 2).tolist() == [0, 0, 0]


def test_a_bit_says_whether_it_brightens_to_the_right() -> None:
    slope = numpy.broadcast_to(numpy.arange(36, dtype=numpy.uint8)[:, None], (1, 16, 36, 3))
    assert hashes(slope)[0] == 2**BITS - 1
    assert hashes(slope[:, :, ::-1])[0] == 0
    assert hashes(slope // 2)[0] == 0  # a step from cell to cell that is no more than the margin


def test_a_frame_keeps_its_hash_in_any_block() -> None:
    frames = noise(4, (9, 13, 11, 3))
    one_by_one = numpy.concatenate([hashes(frames[n : n + 1]) for n in range(9)])
    numpy.testing.assert_array_equal(hashes(frames), one_by_one)


def test_distances_count_bits() -> None:
    values = numpy.random.Generator(numpy.random.Philox(1)).integers(
        0, 2**64, (7, 3), dtype=numpy.uint64
    )
    found = distances(values[:4], values)
    for i in range(4):
        for j in range(7):
            pairs = zip(values[i].tolist(), values[j].tolist(), strict=True)
            assert found[i, j] == sum((a ^ b).bit_count() for a, b in pairs)


def test_a_clip_is_compared_at_frames_from_first_to_last() -> None:
    for length in (1, 2, 7, 8, 16, 100):
        chosen = offsets(length)
        assert chosen[0] == 0 and chosen[-1] == length - 1
        assert len(chosen) == min(length, perceptual_hash.FRAMES)
    found = signatures(numpy.arange(50, dtype=numpy.uint64), [3, 20], offsets(8))
    numpy.testing.assert_array_equal(found, [range(3, 11), range(20, 28)])
