"""Opening the HDF5 files of others: no data outside the file, and damage named.

Unlike `foreframe.artefacts.hdf5`, which reads what this project wrote, this takes any attribute,
type and version; what it hands out has been looked at first.
"""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy

from foreframe.errors import UserError
from foreframe.sources.reading import arrays
from foreframe.sources.reading.arrays import Header

# What h5py raises for a file whose structure is damaged.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)

# A chunk is read whole; a cache of this size, in bytes, means that it is read once.
CACHE = 1 << 28

# Episodes in one file whose names and lengths are read whole.
MOST_TEXT = 1 << 26


@contextlib.contextmanager
def opening(path: Path) -> Iterator[h5py.File]:
    """Yield a file, open for reading; what goes wrong inside the block is named as damage.

    Raises:
        UserError: the file is no HDF5 file, or damaged.
    """
    try:
        with h5py.File(path, "r", rdcc_nbytes=CACHE) as file:
            yield file
    except UserError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged or no HDF5 file: {error}. Copy it again, write it again, or remove "
            "it."
        ) from None


def dataset(path: Path, file: h5py.File, group: str, name: str) -> h5py.Dataset | None:
    """Return a dataset whose numbers all lie in this file, or None if there is none of the name.

    Raises:
        UserError: it is no dataset, a link, lies in other files, or has not been written whole.
    """
    link = file[group].get(name, getlink=True)
    if link is None:
        return None
    where = f"{path}: {'' if group == '/' else f'{group}/'}{name}"
    found = file[group][name] if isinstance(link, h5py.HardLink) else None
    if found is None or not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise UserError(
            f"{where} is no dataset that lies in this file. Links, external storage and virtual "
            "datasets are not followed: copy the numbers into the file."
        )
    _check_stored(where, found)
    return found


def _check_stored(where: str, values: h5py.Dataset) -> None:
    """Refuse what has not been written whole, since HDF5 reads the rest as zeros."""
    size = values.size * values.dtype.itemsize
    stored = values.id.get_storage_size()
    if values.chunks is None:
        # All or nothing: storage in one piece is set aside at once.
        whole = stored > 0 or size == 0
    else:
        sides = zip(values.shape, values.chunks, strict=True)
        chunks = math.prod(-(-side // chunk) for side, chunk in sides)
        whole = values.id.get_num_chunks() == chunks
        if math.prod(values.chunks) * values.dtype.itemsize > CACHE:
            raise UserError(
                f"{where} has chunks of {values.chunks}, more than {CACHE >> 20} MiB each. Write "
                "it with smaller ones: h5repack -l frames:CHUNK=16x64x64x3 OLD NEW"
            )
    if not whole:
        raise UserError(f"{where} has not been written whole. Write it again, or remove it.")
    arrays.check_unpacked(where, stored, size)


def header(values: h5py.Dataset) -> Header:
    """Return the shape and type of a dataset."""
    return Header(values.shape, values.dtype)


def names(path: Path, file: h5py.File, name: str) -> tuple[str, ...]:
    """Return names from an attribute of the file: a list of text, or JSON; () if there is none.

    Raises:
        UserError: the attribute is something else.
    """
    value = file.attrs.get(name)
    if value is None:
        return ()
    if isinstance(value, bytes | str):
        value = json.loads(value)
    plain = [text.decode() if isinstance(text, bytes) else text for text in value]
    if not all(isinstance(text, str) for text in plain):
        raise UserError(f"{path}: the attribute {name} is no list of text. Correct it.")
    return tuple(plain)


def texts(path: Path, file: h5py.File, name: str, count: int) -> list[str] | None:
    """Return a dataset of `count` texts, or None if there is none of the name.

    Raises:
        UserError: it has another length or type.
    """
    values = dataset(path, file, "/", name)
    if values is None:
        return None
    text = h5py.check_string_dtype(values.dtype) is not None
    if not text or values.shape != (count,) or header(values).size > MOST_TEXT:
        raise UserError(
            f"{path}: {name} is {values.dtype} {values.shape}, not a text for each of {count} "
            "episodes. Correct it or leave it out."
        )
    return [str(entry) for entry in numpy.asarray(values.asstr()[:])]
