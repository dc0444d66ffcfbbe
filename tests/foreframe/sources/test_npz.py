"""Files of NumPy arrays are read as streams, without pickles, or refused with their name."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreframe.errors import UserError
from foreframe.sources.reading import arrays
from tests.foreframe.sources import containers

FRAMES = containers.random(5)[0].frames


def collect(folder: Path) -> list[containers.Collected]:
    return containers.collect("npz", folder)


def save(folder: Path, name: str = "a", **values: Any) -> Path:
    numpy.savez_compressed(folder / f"{name}.npz", **values)
    return folder / f"{name}.npz"


def test_grey_frames_have_equal_channels(tmp_path: Path) -> None:
    save(tmp_path, "flat", frames=FRAMES[..., 0])
    save(tmp_path, "thin", frames=FRAMES[..., :1])
    flat, thin = collect(tmp_path)
    assert numpy.array_equal(flat.frames, FRAMES[..., [0, 0, 0]])
    assert numpy.array_equal(thin.frames, flat.frames)
    assert flat.actions.shape == (5, 0)


def test_numbers_of_any_kind_become_float32(tmp_path: Path) -> None:
    whole = numpy.arange(10).reshape(5, 2)
    save(tmp_path, frames=FRAMES, actions=whole.astype(">i8"), states=whole > 3)
    (found,) = collect(tmp_path)
    assert found.actions.dtype == found.states.dtype == numpy.float32
    assert numpy.array_equal(found.actions, whole)
    assert numpy.array_equal(found.states, whole > 3)


def test_channels_have_the_names_of_the_file_or_numbers(tmp_path: Path) -> None:
    rows = numpy.zeros((5, 2))
    save(tmp_path, frames=FRAMES, actions=rows, states=rows, action_names=["steer", "gas"])
    found = containers.stream("npz", tmp_path)
    assert found.actions == ("steer", "gas")
    assert found.states == ("state_0", "state_1")


# Mistakes ---------------------------------------------------------------------------------------

ROWS = numpy.zeros((5, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"video": FRAMES}, r"has no array `frames`, but: video\.npy"),
        ({"frames": FRAMES.astype(numpy.float32)}, r"frames is float32 \(5, 16, 24, 3\)"),
        ({"frames": FRAMES.astype(numpy.uint16)}, "frames is uint16"),
        ({"frames": FRAMES.swapaxes(1, 3).copy()}, r"frames is uint8 \(5, 3, 24, 16\)"),
        ({"frames": FRAMES[0, 0]}, r"frames is uint8 \(24, 3\)"),
        ({"frames": FRAMES[:0]}, "there is no frame"),
        ({"frames": numpy.asfortranarray(FRAMES)}, "stored column by column"),
        ({"frames": FRAMES.astype(object)}, "Python objects"),
        ({"frames": FRAMES, "actions": ROWS[:4]}, r"float64 \(4, 2\), but there are 5 frames"),
        ({"frames": FRAMES, "states": ROWS[:, 0]}, r"float64 \(5,\), but there are 5 frames"),
        ({"frames": FRAMES, "actions": ROWS.astype(str)}, "actions is <U"),
        ({"frames": FRAMES, "actions": ROWS + numpy.nan}, "actions, row 0, has a number"),
        ({"frames": FRAMES, "actions": ROWS + 1e300}, "not finite as float32"),
        ({"frames": FRAMES, "actions": ROWS, "action_names": ["one"]}, "names 1 actions"),
        ({"frames": FRAMES, "actions": ROWS, "action_names": [1, 2]}, "no list of text"),
        ({"frames": FRAMES, "action_names": ["one"]}, "names 1 actions"),
    ],
)
def test_other_arrays_are_named(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    save(tmp_path, "drive", **values)
    with pytest.raises(UserError, match=rf"drive\.npz.*{message}"):
        collect(tmp_path)


def test_files_of_different_channels_are_named(tmp_path: Path) -> None:
    save(tmp_path, "a", frames=FRAMES)
    save(tmp_path, "b", frames=FRAMES, actions=ROWS)
    with pytest.raises(UserError, match=r"b\.npz has the actions action_0, action_1, .* none"):
        containers.stream("npz", tmp_path)


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no files to read"):
        collect(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"notes\.txt is no \.npz file"):
        collect(tmp_path)
    with pytest.raises(UserError, match="nowhere does not exist"):
        collect(tmp_path / "nowhere")


def test_a_header_may_not_claim_other_bytes_than_are_there(tmp_path: Path) -> None:
    content = io.BytesIO()
    numpy.save(content, FRAMES)
    lying = content.getvalue().replace(b"(5, 16,", b"(9, 16,")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("frames.npy", lying)
    with pytest.raises(UserError, match=r"a\.npz is damaged .* frames says uint8 \(9, 16, 24, 3\)"):
        collect(tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MOST_UNPACKED", 1_000_000)
    save(tmp_path, frames=numpy.zeros((10, 256, 256, 3), numpy.uint8))
    with pytest.raises(UserError, match="claims 1966208 bytes, but only"):
        containers.stream("npz", tmp_path)


WHOLE = io.BytesIO()
numpy.savez_compressed(WHOLE, frames=FRAMES, actions=ROWS)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), change=st.integers(0, 255))
def test_a_damaged_file_is_read_right_or_named(place: int, change: int, tmp_path: Path) -> None:
    content = bytearray(WHOLE.getvalue())
    place %= len(content)
    if change:
        content[place] ^= change
    else:
        del content[place:]
    (tmp_path / "a.npz").write_bytes(content)
    try:
        (found,) = collect(tmp_path)
    except UserError as error:
        assert "a.npz" in str(error)
        return
    assert numpy.array_equal(found.frames, FRAMES)
    # The name of an array that may be missing has no checksum.
    assert found.actions.shape in ((5, 2), (5, 0))


@pytest.mark.parametrize("name", ["npz", "hdf5 flat"])
def test_the_memory_does_not_grow_with_the_array(name: str, tmp_path: Path) -> None:
    write, kind = containers.CONTAINERS[name]
    peaks = []
    for length in (40, 600):
        recordings = containers.random(length, height=160, width=240)
        peaks.append(containers.peak(kind, write(tmp_path / str(length), recordings))[1])
    # The larger array has 69 MB.
    assert peaks[1] - peaks[0] < 15_000
