"""Optical flow finds known motions, and what is kept of it is the same on every processor."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy
import pytest
from numpy.typing import NDArray

from foreframe.config.flow import FlowSettings
from foreframe.data import flow, writing
from foreframe.randomness import numpy_generator
from foreframe.sources import BLOCK, Block, Episode
from tests.smoke import ROOT

SIDE = 64
MIDDLE = numpy.s_[20:44, 20:44]


def settings(**changes: Any) -> FlowSettings:
    known: dict[str, Any] = {
        "pyramid_scale": 0.5,
        "levels": 3,
        "window": 15,
        "iterations": 3,
        "neighbourhood": 5,
        "deviation": 1.2,
        "subtract_mean": False,
        "largest": 5.0,
        "scale": 25.0,
        "pairs": "consecutive",
    }
    return FlowSettings(**(known | changes))


def texture(right: float, down: float) -> NDArray[numpy.uint8]:
    """Return a picture (H,W,C) of waves of many lengths, moved by so many pixels."""
    random = numpy_generator(0, "texture")
    rows, columns = numpy.mgrid[:SIDE, :SIDE].astype(float)
    total = numpy.zeros((SIDE, SIDE))
    for _ in range(40):
        angle, phase = random.uniform(0, 2 * math.pi, 2)
        pace = 2 * math.pi / random.uniform(8, 30)
        across = (columns - right) * math.cos(angle) + (rows - down) * math.sin(angle)
        total += numpy.sin(pace * across + phase)
    grey = (127.5 + 12 * total).clip(0, 255).round().astype(numpy.uint8)
    return numpy.repeat(grey[..., None], 3, axis=2)


def film(*places: tuple[float, float]) -> NDArray[numpy.uint8]:
    return numpy.stack([texture(*place) for place in places])


# ------------------------------------------------------------------ motions


@pytest.mark.parametrize("motion", [(1.0, 0.0), (0.0, -1.0), (-1.5, 0.75), (3.0, 2.0), (0.3, -0.2)])
def test_a_known_motion_is_found_in_pixels_to_the_right_and_down(
    motion: tuple[float, float],
) -> None:
    frames_THWC = flow.of(film((0.0, 0.0), motion), settings())
    pixels = (frames_THWC[0].astype(float) - 128)[..., :2] / 25
    assert abs(pixels[MIDDLE] - motion).max() < 0.1


def test_every_pair_has_its_own_flow() -> None:
    frames_PHWC = flow.of(film((0, 0), (1, 0), (1, 2), (1, 2)), settings())
    assert frames_PHWC.shape == (3, SIDE, SIDE, 3)
    middles = (frames_PHWC[(slice(None), *MIDDLE)][..., :2].mean(axis=(1, 2)) - 128) / 25
    numpy.testing.assert_allclose(middles, [(1, 0), (0, 2), (0, 0)], atol=0.05)


def test_where_nothing_moves_all_is_128_and_blue_is_0_everywhere() -> None:
    finest = settings(scale=127.0, largest=1.0)
    blank = flow.of(numpy.full((2, SIDE, SIDE, 3), 90, numpy.uint8), finest)
    assert (blank[..., :2] == 128).all()
    still = flow.of(film((0, 0), (0, 0)), finest)[..., :2].astype(int) - 128
    # Next to the border the method takes what is outside for something else.
    assert not still[0, 10:-10, 10:-10].any()
    assert abs(still).max() / 127 < 0.15
    moving = flow.of(film((0, 0), (2, 1)), settings())
    assert not moving[..., 2].any() and not blank[..., 2].any()


# ----------------------------------------------------------------- numbers


def test_what_is_kept_is_within_half_a_level_of_the_flow_up_to_the_largest() -> None:
    pixels = numpy_generator(0, "flow").uniform(-7, 7, (9, 8, 2)).astype(numpy.float32)
    kept = flow.kept(pixels, settings())[..., :2].astype(float)
    assert abs((kept - 128) / 25 - pixels.clip(-5, 5)).max() <= 0.5 / 25 + 1e-6
    assert kept.min() == 128 - 125 and kept.max() == 128 + 125


def test_the_mean_of_a_frame_is_taken_away_before_anything_is_cut_off() -> None:
    pixels = numpy_generator(0, "flow").uniform(-3, 3, (9, 8, 2)).astype(numpy.float32)
    pixels -= pixels.mean(axis=(0, 1))
    moved = pixels + numpy.array([40, -40], numpy.float32)
    kept = flow.kept(moved, settings(subtract_mean=True)).astype(int)
    assert abs(kept - flow.kept(pixels, settings())).max() <= 1
    assert set(numpy.unique(flow.kept(moved, settings())[..., :2])) == {3, 253}


def test_grey_is_the_mean_of_three_colours() -> None:
    colours = numpy_generator(0, "colours").integers(0, 256, (2, 5, 6, 3), numpy.uint8)
    wanted = numpy.floor(colours.astype(float).mean(axis=3) + 0.5)
    assert numpy.array_equal(flow.grey(colours, settings()), wanted)


# ------------------------------------------------------------------ legacy


def test_the_control_leaves_out_every_other_pair() -> None:
    assert list(flow.firsts(7, settings())) == [0, 1, 2, 3, 4, 5]
    assert list(flow.firsts(7, settings(pairs="legacy"))) == [0, 2, 4]
    assert list(flow.firsts(8, settings(pairs="legacy"))) == [0, 2, 4, 6]


def test_the_control_takes_frames_from_minus_1_to_1_for_such_from_0_to_1_and_wraps() -> None:
    levels = numpy.arange(256)
    frames_THWC = numpy.broadcast_to(levels[None, :, None, None], (1, 256, 1, 3))
    stretched = numpy.rint((2 * (levels / 127.5 - 1) - 1) * 255).astype(int)
    found = flow.grey(frames_THWC.astype(numpy.uint8), settings(pairs="legacy"))
    assert numpy.array_equal(found[0, :, 0], stretched % 256)
    assert abs(numpy.diff(found[0, :, 0].astype(int))).max() > 200


# ---------------------------------------------------------------- episodes


def test_an_episode_in_blocks_is_the_flow_of_the_whole(tmp_path: Path) -> None:
    random, count = numpy_generator(0, "episode"), 2 * BLOCK + 5
    frames = random.integers(0, 256, (count + 3, 16, 16, 3), numpy.uint8)
    numbers = random.random((count + 3, 2), numpy.float32)
    path = tmp_path / "frames.h5"
    layout = writing.Layout(16, 16, 0.1, "test", ("steer", "gas"), ("x", "y"), {}, 8)
    with writing.creating(path, layout) as writer:
        for rows in (slice(0, 3), slice(3, None)):
            block = Block(frames[rows], numbers[rows], 2 * numbers[rows])
            list(writer.add(Episode("tape", 2, iter([block]))))
    for chosen in (settings(), settings(pairs="legacy")):
        with h5py.File(path) as file:
            found = list(flow.blocks(file, 3, count, chosen))
        firsts = list(flow.firsts(count, chosen))
        whole = numpy.concatenate([block.frames for block in found])
        assert numpy.array_equal(whole, flow.of(frames[3:], chosen))
        assert {len(block.frames) for block in found[:-1]} == {BLOCK}
        actions = numpy.concatenate([block.actions for block in found])
        assert numpy.array_equal(actions, numbers[3:][firsts])
        states = numpy.concatenate([block.states for block in found])
        assert numpy.array_equal(states, 2 * actions)


# ------------------------------------------------------------------ machines


def digest() -> str:
    frames = numpy.stack([texture(0.7 * time, -0.4 * time) for time in range(6)])
    noise = numpy_generator(0, "noise").integers(0, 40, frames.shape, numpy.uint8)
    return hashlib.sha256(flow.of(frames // 2 + noise, settings()).tobytes()).hexdigest()


def test_a_processor_without_newer_instructions_gives_the_same_bytes() -> None:
    program = f"from {__name__} import digest; print(digest())"
    environment = {**os.environ, "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,AVX2,FMA3,AVX512_SKX"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == digest()


def test_one_thread_computes() -> None:
    assert cv2.getNumThreads() == 1
    assert not cv2.useOptimized()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": 26.0}, r"there are 127 levels to each side\. Lower scale to 25\.4 or less"),
        ({"pyramid_scale": 1.0}, "less than 1"),
        ({"neighbourhood": 6}, "5 or 7"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)
