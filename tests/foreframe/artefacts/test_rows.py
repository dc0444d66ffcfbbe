"""Rows read from chunks as they lie are those that HDF5 reads, and no damage goes unnoticed."""

from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.artefacts.rows import Rows

LENGTH, CHUNK, SIDE = 45, 8, 60
QUIET = [HealthCheck.function_scoped_fixture]


def numbers() -> NDArray[numpy.uint8]:
    rng = numpy.random.Generator(numpy.random.Philox(0))
    # A chunk is larger than one block of zlib, which has at most 65,535 bytes.
    return rng.integers(0, 256, (LENGTH, SIDE, SIDE, 3), dtype=numpy.uint8)


NUMBERS = numbers()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chunks") / "a.h5"
    with hdf5.creating(path, "test", {}) as file:
        hdf5.store(file, "frames", NUMBERS, (CHUNK, SIDE, SIDE, 3))
        hdf5.store(file, "few", numpy.arange(20, dtype=numpy.float32), (8,))
    return path


def read(rows: Rows, start: int, count: int) -> NDArray[Any]:
    out = numpy.empty((count, *rows.dataset.shape[1:]), rows.dataset.dtype)
    rows.read(out, start)
    return out


@given(st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_any_run_of_rows_is_read(whole: Path, one: int, two: int) -> None:
    start, stop = sorted((one, two))
    with h5py.File(whole, "r") as file:
        rows = Rows(file["frames"])
        for _ in range(2):
            assert numpy.array_equal(read(rows, start, stop - start), NUMBERS[start:stop])
        touched = numpy.unique(numpy.arange(start, stop) // CHUNK)
        assert numpy.array_equal(numpy.flatnonzero(rows.places), touched)


def test_rows_of_numbers_are_read_too(whole: Path) -> None:
    with h5py.File(whole, "r") as file:
        assert read(Rows(file["few"]), 3, 14).tolist() == list(range(3, 17))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "gzip"},
        {"compression": "gzip", "compression_opts": 9, "fletcher32": True},
        {"compression": "gzip", "compression_opts": 0, "fletcher32": True, "shuffle": True},
        {"fletcher32": True},
    ],
)
def test_what_is_stored_in_another_way_is_left_to_hdf5(
    options: dict[str, Any], tmp_path: Path
) -> None:
    black = numpy.zeros_like(NUMBERS)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in (("busy", NUMBERS), ("black", black)):
            chunk = (CHUNK, SIDE, SIDE, 3)
            frames = file.create_dataset(name, data=values, chunks=chunk, **options)
            rows = Rows(frames)
            assert numpy.array_equal(read(rows, 3, 30), values[3:33])
            assert not rows.stored or not rows.places.any() or name == "busy"


@settings(deadline=None, suppress_health_check=QUIET)
@given(share=st.floats(0, 1), change=st.integers(1, 255), run=st.integers(1, 4096))
def test_damage_is_an_error_or_changes_nothing(
    share: float, change: int, run: int, whole: Path, tmp_path: Path
) -> None:
    content = bytearray(whole.read_bytes())
    place = min(int(share * len(content)), len(content) - run)
    # One byte flipped, or a run of them lost.
    content[place : place + run] = bytes(run) if run > 1 else bytes([content[place] ^ change])
    path = tmp_path / "damaged.h5"
    path.write_bytes(content)
    try:
        with h5py.File(path, "r") as file:
            found = read(Rows(file["frames"]), 0, LENGTH)
    except (*hdf5.DAMAGE, AttributeError):
        return
    assert numpy.array_equal(found, NUMBERS)
