"""What SciPy writes to MATLAB's files is read back, piece by piece; what is no bytes is not."""

from pathlib import Path

import numpy
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources.reading import mat_arrays

SHAPES = st.lists(st.integers(1, 5), min_size=2, max_size=4)


def random(*shape: int) -> NDArray[numpy.uint8]:
    return numpy.random.default_rng(0).integers(0, 256, shape, dtype=numpy.uint8)


def read(path: Path, name: str, first: int = 0) -> list[NDArray[numpy.uint8]]:
    """Return the pieces of an array as arrays of the shape that they have in MATLAB."""
    found = mat_arrays.arrays(path)[name]
    return [
        numpy.frombuffer(piece, numpy.uint8).reshape(found.sides[:-1], order="F")
        for piece in found.pieces(first)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(shape=SHAPES, packed=st.booleans(), first=st.integers(0, 6))
def test_what_another_program_writes_is_read_by_pieces(
    shape: list[int], packed: bool, first: int, tmp_path: Path
) -> None:
    written = {"X": random(*shape), "a_longer_name": random(3, 1), "y": random(1, 2)}
    scipy.io.savemat(tmp_path / "a.mat", written, do_compression=packed)
    found = mat_arrays.arrays(tmp_path / "a.mat")
    assert {name: array.sides for name, array in found.items()} == {
        name: array.shape for name, array in written.items()
    }
    for name, array in written.items():
        pieces = read(tmp_path / "a.mat", name, first)
        assert len(pieces) == max(0, array.shape[-1] - first)
        for number, piece in enumerate(pieces, start=first):
            assert numpy.array_equal(piece, array[..., number])


def test_a_stream_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    array = random(300, 300, 30)
    array[:, :, :15] = 0  # which packs to next to nothing, and unpacks to more than a buffer
    scipy.io.savemat(tmp_path / "a.mat", {"X": array}, do_compression=True)
    assert numpy.array_equal(numpy.stack(read(tmp_path / "a.mat", "X"), axis=-1), array)


def test_what_is_no_array_of_bytes_is_passed_over(tmp_path: Path) -> None:
    others = {
        "real": numpy.ones((2, 3)),
        "complex": random(2, 3) * 1j,
        "text": "digits",
        "cells": numpy.array(["a", 1], dtype=object),
        "structure": {"a": random(2, 2)},
        "empty": numpy.empty((0, 3), numpy.uint8),
    }
    for packed in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", others | {"y": random(2, 2)}, do_compression=packed)
        assert list(mat_arrays.arrays(tmp_path / "a.mat")) == ["y"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_refused(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": random(5, 4, 3)}, do_compression=packed)
    content = path.read_bytes()
    for length in [*range(0, 128, 16), *range(129, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"a\.mat is (damaged or cut short|no MATLAB file)"):
            read(path, "X")


@pytest.mark.parametrize("place", [-100, -1])
def test_a_stream_whose_bytes_were_changed_is_refused(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": random(8, 8, 50)}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[place] ^= 1  # random bytes are stored as they are: the checksum alone tells
    path.write_bytes(content)
    # The four bytes of the checksum are what is left when all values are there.
    monkeypatch.setattr(mat_arrays, "BLOCK", len(content) - mat_arrays.HEAD - 8 - 4)
    with pytest.raises(UserError, match="is damaged or cut short"):
        read(path, "X")


def test_complex_bytes_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": random(8, 8)}, do_compression=False)
    content = bytearray(path.read_bytes())
    assert content[mat_arrays.HEAD + 16] == mat_arrays.BYTE_CLASS
    content[mat_arrays.HEAD + 17] |= mat_arrays.COMPLEX >> 8
    path.write_bytes(content)
    assert mat_arrays.arrays(path) == {}


def test_files_of_other_levels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": random(2, 2)}, format="4")
    with pytest.raises(UserError, match="no MATLAB file of level 5"):
        mat_arrays.arrays(path)
    path.write_bytes(b"MATLAB 7.3".ljust(124) + b"\x00\x02IM" + bytes(100))
    with pytest.raises(UserError, match="no MATLAB file of level 5"):
        mat_arrays.arrays(path)
    path.write_bytes(b"MATLAB 5".ljust(124) + mat_arrays.LEVEL_5 + bytes(100))
    with pytest.raises(UserError, match="no array where one begins"):
        mat_arrays.arrays(path)
