"""Laws of recorded actions: each belongs to the frame that it led to, within its own episode."""

import json
from pathlib import Path

import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.data import actions

LENGTHS = (7, 4, 9)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Write episodes whose action at frame n is (n, -n)."""
    count = sum(LENGTHS)
    path = tmp_path / "frames.h5"
    attributes = {"action_names": json.dumps(["steer", "gas"])}
    with hdf5.creating(path, "frames", attributes) as file:
        hdf5.store(file, "frames", numpy.zeros((count, 8, 8, 3), numpy.uint8))
        hdf5.store(file, "episode_start", numpy.cumsum(LENGTHS) - LENGTHS)
        hdf5.store(file, "episode_length", numpy.array(LENGTHS))
        hdf5.store(file, "episode_origin", ["a", "b", "c"])
        hdf5.store(file, "episode_part", ["", "", ""])
        numbers_N = numpy.arange(count, dtype=numpy.float32)
        hdf5.store(file, "actions", numpy.stack([numbers_N, -numbers_N], axis=1))
    return path


def test_a_row_is_the_action_of_the_frame_before(frames: Path) -> None:
    starts = [0, 1, 3, 7, 11, 12, 17]
    found = actions.read(frames, starts, 3)
    assert found.shape == (7, 3, 2) and found.dtype == torch.float32
    for clip_TA, start in zip(found, starts, strict=True):
        for step, row in enumerate(clip_TA.tolist()):
            before = 0 if start + step in (0, 7, 11) else start + step - 1
            assert row == [before, -before]


def test_clips_of_one_frame_and_no_clips_have_actions_too(frames: Path) -> None:
    assert actions.read(frames, [11, 12], 1)[:, 0, 0].tolist() == [0, 11]
    assert actions.read(frames, [], 5).shape == (0, 5, 2)


def test_names_are_none_where_there_are_no_actions(frames: Path, tmp_path: Path) -> None:
    with hdf5.creating(tmp_path / "none.h5", "frames", {"action_names": "[]"}):
        pass
    with hdf5.opening(tmp_path / "none.h5", "frames") as file:
        assert actions.names(file) == ()
    with hdf5.opening(frames, "frames") as file:
        assert actions.names(file) == ("steer", "gas")
