"""HDF5 files of the documented layouts are read, and all others refused with their name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreframe.errors import UserError
from foreframe.sources.hdf5 import file as hdf5_file
from foreframe.sources.reading import arrays
from tests.foreframe.sources import containers

FRAMES = containers.random(6)[0].frames
ROWS = numpy.zeros((6, 2))


def collect(folder: Path, **changes: Any) -> list[containers.Collected]:
    return containers.collect("hdf5", folder, **changes)


def save(folder: Path, name: str = "a", **values: Any) -> Path:
    with h5py.File(folder / f"{name}.h5", "w") as file:
        for key, value in values.items():
            file[key] = value
    return folder / f"{name}.h5"


def test_groups_and_files_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("b10", "b9"):
        values = {f"take{number}/frames": FRAMES for number in (10, 9)}
        save(tmp_path, name, **values)
    found = collect(tmp_path)
    assert [each.origin for each in found] == [
        "b9.h5/take9", "b9.h5/take10", "b10.h5/take9", "b10.h5/take10"
    ]  # fmt: skip


def test_a_flat_file_is_one_episode_unless_it_says_more(tmp_path: Path) -> None:
    save(tmp_path, "one", frames=FRAMES)
    save(tmp_path, "two", frames=FRAMES, episode_length=[2, 4], episode_start=[0, 2])
    one, first, second = collect(tmp_path)
    assert numpy.array_equal(one.frames, FRAMES)
    assert numpy.array_equal(numpy.concatenate([first.frames, second.frames]), FRAMES)
    assert [each.origin for each in (one, first, second)] == ["one.h5", "two.h5/0", "two.h5/1"]


def test_official_sets_are_kept(tmp_path: Path) -> None:
    parts = ["train", "test", ""]
    save(tmp_path, frames=FRAMES, episode_length=[2, 2, 2], episode_part=parts)
    assert [each.part for each in collect(tmp_path)] == parts


def test_grey_frames_have_equal_channels(tmp_path: Path) -> None:
    save(tmp_path, frames=FRAMES[..., 1])
    assert numpy.array_equal(collect(tmp_path)[0].frames, FRAMES[..., [1, 1, 1]])


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"video": FRAMES}, "video is no group of this file"),
        ({}, "holds nothing"),
        ({"take/video": FRAMES}, "take has no dataset `frames`"),
        ({"take/frames/video": FRAMES}, "take/frames is no dataset"),
        ({"frames": FRAMES.astype(numpy.float32)}, r"frames is float32 \(6, 16, 24, 3\)"),
        ({"frames": FRAMES.astype(numpy.int8)}, "frames is int8"),
        ({"frames": FRAMES.swapaxes(1, 3)}, r"frames is uint8 \(6, 3, 24, 16\)"),
        ({"frames": FRAMES[:0]}, "there is no frame"),
        ({"frames": FRAMES, "actions": ROWS[:5]}, r"actions is float64 \(5, 2\), but there are 6"),
        ({"frames": FRAMES, "actions": ["a"] * 6}, "actions is object"),
        ({"frames": FRAMES, "states": ROWS - numpy.inf}, "states, row 0, has a number"),
        ({"frames": FRAMES, "episode_length": [2, 3]}, "add up to the 6 frames"),
        ({"frames": FRAMES, "episode_length": [7, -1]}, "must be positive"),
        ({"frames": FRAMES, "episode_length": [2.0, 4.0]}, "not integers"),
        ({"frames": FRAMES, "episode_start": [0, 2]}, "episode_length must be positive"),
        (
            {"frames": FRAMES, "episode_length": [2, 4], "episode_start": [0, 3]},
            "episode_start is not where",
        ),
        (
            {"frames": FRAMES, "episode_length": [2, 4], "episode_part": ["train"]},
            "not a text for each of 2",
        ),
        (
            {"frames": FRAMES, "episode_length": [6], "episode_part": ["dev"]},
            "episode_part has dev",
        ),
    ],
)
def test_other_layouts_are_named(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    save(tmp_path, "drive", **values)
    with pytest.raises(UserError, match=rf"drive\.h5.*{message}"):
        collect(tmp_path)


def soft(file: h5py.File, other: Path) -> None:
    file["real"] = FRAMES
    file["frames"] = h5py.SoftLink("/real")


def external(file: h5py.File, other: Path) -> None:
    file["frames"] = h5py.ExternalLink(str(other), "frames")


def external_group(file: h5py.File, other: Path) -> None:
    file["take"] = h5py.ExternalLink(str(other), "/")


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(FRAMES.shape, numpy.uint8)
    layout[:] = h5py.VirtualSource(str(other), "frames", FRAMES.shape)
    file.create_virtual_dataset("frames", layout)


def outside(file: h5py.File, other: Path) -> None:
    where = [(str(other), 0, FRAMES.nbytes)]
    file.create_dataset("frames", FRAMES.shape, numpy.uint8, external=where)


@pytest.mark.parametrize("link", [soft, external, external_group, virtual, outside])
def test_nothing_outside_the_file_is_read(
    link: Callable[[h5py.File, Path], None], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    other = save(tmp_path, "other", frames=FRAMES)
    with h5py.File(tmp_path / "data" / "a.h5", "w") as file:
        link(file, other)
    with pytest.raises(UserError, match=r"a\.h5: .*(lies in this file|no group of this file)"):
        collect(tmp_path / "data")


def test_what_was_not_written_whole_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        frames = file.create_dataset("frames", FRAMES.shape, numpy.uint8, chunks=(2, 16, 24, 3))
        frames[:4] = FRAMES[:4]
    with pytest.raises(UserError, match="frames has not been written whole"):
        collect(tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("frames", (10**9, 64, 64, 3), numpy.uint8)
    with pytest.raises(UserError, match="frames has not been written whole"):
        collect(tmp_path)


def test_bombs_and_huge_chunks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        black = numpy.zeros((10, 256, 256, 3), numpy.uint8)
        file.create_dataset("frames", data=black, compression="gzip", chunks=black.shape)
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "MOST_UNPACKED", 1_000_000)
        with pytest.raises(UserError, match="claims 1966080 bytes, but only"):
            collect(tmp_path)
    monkeypatch.setattr(hdf5_file, "CACHE", 1_000_000)
    with pytest.raises(UserError, match="frames has chunks of"):
        collect(tmp_path)


def test_the_interval_is_the_one_that_the_file_names(tmp_path: Path) -> None:
    with h5py.File(save(tmp_path, frames=FRAMES), "r+") as file:
        file.attrs["frame_interval"] = 0.2
    with pytest.raises(UserError, match=r"0\.2 s apart, but source\.recorded_interval is 0\.1"):
        collect(tmp_path)
    assert len(collect(tmp_path, recorded_interval=0.2)[0].frames) in (11, 12)


def test_episodes_of_different_channels_are_named(tmp_path: Path) -> None:
    values: dict[str, Any] = {"a/frames": FRAMES, "b/frames": FRAMES, "b/actions": ROWS}
    save(tmp_path, **values)
    with pytest.raises(UserError, match=r"a\.h5: b has the actions action_0, action_1"):
        collect(tmp_path)


@pytest.mark.parametrize("names", ["[1, 2]", '["one"]', "not JSON", [1.0, 2.0], 3])
def test_wrong_names_are_named(names: Any, tmp_path: Path) -> None:
    with h5py.File(save(tmp_path, frames=FRAMES, actions=ROWS), "r+") as file:
        file.attrs["action_names"] = names
    with pytest.raises(UserError, match=r"a\.h5"):
        collect(tmp_path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), change=st.integers(0, 255))
def test_a_damaged_file_is_frames_or_named(share: float, change: int, tmp_path: Path) -> None:
    if not (tmp_path / "whole").exists():
        containers.hdf5_groups(tmp_path / "whole", containers.random(3, 2))
        (tmp_path / "data").mkdir()
    content = bytearray((tmp_path / "whole" / "all.h5").read_bytes())
    place = min(len(content) - 1, int(share * len(content)))
    if change:
        content[place] ^= change
    else:
        del content[place:]
    (tmp_path / "data" / "all.h5").write_bytes(content)
    try:
        found = collect(tmp_path / "data")
    except UserError as error:
        assert "all.h5" in str(error)
        return
    assert all(each.frames.shape[1:] == (16, 24, 3) for each in found)
