"""Windows never leave their run; what is read is what is stored, or an error."""

import json
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foreframe.artefacts import facts, hdf5
from foreframe.data import clips, frames, writing
from foreframe.errors import ArtefactError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode


@st.composite
def runs(draw: st.DrawFn) -> list[clips.Run]:
    """Runs that follow each other, some with a gap between them."""
    lengths = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), max_size=6))
    result, place = [], 0
    for gap, length in lengths:
        result.append((place + gap, place + gap + length))
        place += gap + length
    return result


@given(runs=runs(), frames=st.integers(1, 20), stride=st.integers(1, 20))
def test_windows_are_all_those_inside_a_run(
    runs: list[clips.Run], frames: int, stride: int
) -> None:
    starts = clips.windows(runs, frames, stride)
    by_hand = [
        start
        for first, stop in runs
        for start in range(first, stop, stride)
        if start + frames <= stop
    ]
    assert starts.tolist() == by_hand
    assert starts.dtype == numpy.int64


def write(path: Path, lengths: list[int], chunk: int = 4, block: int = 3) -> numpy.ndarray:
    """Write episodes of random frames, 5 x 6 pixels, in blocks, and return all frames."""
    layout = writing.Layout(5, 6, 0.1, "test", ("steer", "gas"), ("speed",), {}, chunk)
    rng = numpy_generator(0)
    everything = []
    with writing.creating(path, layout) as writer:
        for number, length in enumerate(lengths):
            frames_THW3 = rng.integers(0, 256, (length, 5, 6, 3), dtype=numpy.uint8)
            actions_TA = rng.random((length, 2), dtype=numpy.float32)
            states_TS = actions_TA[:, :1] + 1
            everything.append(frames_THW3)
            blocks = (
                Block(frames_THW3[part], actions_TA[part], states_TS[part])
                for part in (slice(first, first + block) for first in range(0, length, block))
            )
            assert sum(writer.add(Episode(f"tape {number}", len(lengths), blocks))) == length
    return numpy.concatenate(everything)


def test_frames_are_stored_episode_by_episode(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    everything = write(path, [10, 7, 20])
    assert frames.episodes(path) == [(0, 10), (10, 17), (17, 37)]
    with frames.opening(path) as file:
        assert numpy.array_equal(file["frames"][:], everything)
        assert file["frames"].chunks == (4, 5, 6, 3)
        assert file["actions"].shape == (37, 2)
        assert numpy.array_equal(file["states"][:], file["actions"][:, :1] + 1)
        assert file.attrs["state_names"] == '["speed"]'
        assert all(file[name].fletcher32 for name in file)
        assert [name.decode() for name in file["episode_origin"][:]] == [
            "tape 0",
            "tape 1",
            "tape 2",
        ]
        assert file.attrs["frame_interval"] == 0.1
        assert file.attrs["source"] == "test"
        assert json.loads(file.attrs["action_names"]) == ["steer", "gas"]


def test_the_file_does_not_depend_on_how_the_frames_arrived(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", [10, 7, 20], block=3)
    write(tmp_path / "two.h5", [10, 7, 20], block=20)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_clips_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    everything = write(path, [40])
    with clips.Clips(path, [0, 3, 5, 35], 5) as chosen:
        assert len(chosen) == 4
        assert chosen.shape == (4, 5, 5, 6, 3)
        read = chosen.read(torch.tensor([3, 0, 3]))
        assert read.dtype == torch.uint8
        expected = numpy.stack([everything[35:40], everything[0:5], everything[35:40]])
        assert numpy.array_equal(read.numpy(), expected)
        assert chosen.read([]).shape == (0, 5, 5, 6, 3)


@pytest.mark.parametrize("start", [-1, 36])
def test_clips_beyond_the_frames_are_refused(start: int, tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    write(path, [40])
    with clips.Clips(path, [start], 5) as chosen, pytest.raises(ArtefactError, match="40 frames"):
        chosen.read([0])


def damage(path: Path, how: str) -> None:
    """Make a file of frames unusable in one of several ways."""
    content = path.read_bytes()
    if how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_text("frames")
    elif how == "missing":
        path.unlink()
    elif how == "other schema":
        with hdf5.creating(path, "latents", {}):
            pass
    elif how == "no frames":
        with hdf5.creating(path, "frames", {}):
            pass
    elif how == "NaN":
        write_with(path, actions=numpy.full((4, 1), numpy.nan, numpy.float32))
    elif how == "float frames":
        write_with(path, frames=numpy.zeros((4, 5, 6, 3), numpy.float32))
    elif how == "short table":
        write_with(path, episode_length=numpy.array([3]))


def write_with(path: Path, **changes: numpy.ndarray) -> None:
    """Write a file of four frames of which some datasets are changed."""
    datasets: dict[str, numpy.ndarray] = {
        "frames": numpy.zeros((4, 5, 6, 3), numpy.uint8),
        "actions": numpy.zeros((4, 1), numpy.float32),
        "episode_start": numpy.array([0]),
        "episode_length": numpy.array([4]),
        "episode_origin": numpy.array(["tape"], dtype=object),
    }
    with hdf5.creating(path, "frames", {}) as file:
        for name, values in {**datasets, **changes}.items():
            hdf5.store(file, name, values)


DAMAGES = (
    "cut short",
    "text",
    "missing",
    "other schema",
    "no frames",
    "NaN",
    "float frames",
    "short table",
)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_is_refused_and_named(how: str, tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    write(path, [40])
    damage(path, how)
    with clips.Clips(path, [0], 2) as chosen, pytest.raises(ArtefactError, match=r"frames\.h5"):
        chosen.read([0])


def test_a_sound_file_of_the_same_making_is_read(tmp_path: Path) -> None:
    write_with(tmp_path / "frames.h5")
    with clips.Clips(tmp_path / "frames.h5", [0], 2) as chosen:
        assert chosen.read([0]).shape == (1, 2, 5, 6, 3)


def test_a_flipped_bit_in_a_frame_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    everything = write(path, [40])
    content = bytearray(path.read_bytes())
    content[content.index(everything[12:16].tobytes()) + 7] ^= 1
    path.write_bytes(content)
    with clips.Clips(path, [0, 12], 4) as chosen:
        assert numpy.array_equal(chosen.read([0])[0], everything[:4])
        with pytest.raises(ArtefactError, match="damaged"):
            chosen.read([1])


SPLIT = clips.SplitRuns(((0, 40), (50, 70)), ((70, 90),), ((90, 99),))


def test_a_split_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    clips.save_split(path, SPLIT)
    assert clips.load_split(path) == SPLIT


@pytest.mark.parametrize(
    "changes",
    [
        {"test": [[80, 99]]},
        {"test": [[99, 90]]},
        {"test": [[95, 95]]},
        {"test": 3},
        {"test": None},
        {"train": [[0]]},
    ],
)
def test_a_damaged_split_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    clips.save_split(path, SPLIT)
    facts.write(path, "split", {**facts.read(path, "split"), **changes})
    with pytest.raises(ArtefactError, match=r"split\.json is damaged"):
        clips.load_split(path)
