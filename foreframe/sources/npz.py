"""Frames from .npz files of NumPy, each one episode, read as a stream and without any pickle.

A file holds `frames`, uint8 (N, H, W, 3) or (N, H, W); it may hold `actions` (N, A) and `states`
(N, S) with their names as arrays of text, `action_names` (A,) and `state_names` (S,).
"""

import contextlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import numpy
from numpy.lib import format as npy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block, Episode, Stream, in_blocks, parallel
from foreframe.sources.reading import arrays, listing
from foreframe.sources.reading.arrays import Header
from foreframe.sources.reading.resampling import RecordedSettings

Names = tuple[str, ...]

# Bytes of an array of names.
LONGEST_NAMES = 1 << 20

# What damage in a zip file or in the header of an array raises.
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, OverflowError, RuntimeError, SyntaxError,
    tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


class Settings(RecordedSettings):
    """Size and frame interval of the frames, and the time between two frames of an array."""

    kind: Literal["npz"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the .npz files of a folder in the natural order of their names.

    The headers of all files are looked at before any frame is read. Nothing here is random: `seed`
    is not used.

    Raises:
        UserError: the folder is missing or empty, or a file is damaged or holds other arrays.
    """
    paths = listing.files(videos, (".npz",))
    names = _names(paths[0])
    for path in paths[1:]:
        arrays.same_names(names, _names(path), str(path))
    return Stream(*names, _episodes(settings, paths, workers, first))


def _episodes(settings: Settings, paths: list[Path], workers: int, first: int) -> Iterator[Episode]:
    rest = paths[first:]
    episodes = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for path, blocks in zip(rest, episodes, strict=True):
        yield Episode(path.name, len(paths), blocks)


def _names(path: Path) -> tuple[Names, Names]:
    """Check the headers of a file and return the names of its actions and of its states."""
    with _opening(path) as archive:
        headers = _headers(path, archive)
        return tuple(
            arrays.named(
                kind,
                _texts(path, archive, f"{kind}_names"),
                headers[f"{kind}s"].shape[1] if f"{kind}s" in headers else 0,
                str(path),
            )
            for kind in ("action", "state")
        )  # type: ignore[return-value]  # there are two kinds


def _read(settings: Settings, path: Path) -> Iterator[Block]:
    with _opening(path) as archive:
        headers = _headers(path, archive)
        frames, actions, states = (
            _rows(path, archive, name) if name in headers else None
            for name in ("frames", "actions", "states")
        )
        assert frames is not None, "its header has been checked"
        yield from in_blocks(arrays.rows(str(path), settings, frames, actions, states))


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[zipfile.ZipFile]:
    with _naming(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield archive


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what damage raises into an error that names the file."""
    try:
        yield
    except UserError:
        raise
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged or no .npz file: {error}. Write it again with "
            "numpy.savez_compressed, or remove it."
        ) from None


def _headers(path: Path, archive: zipfile.ZipFile) -> dict[str, Header]:
    """Return the headers of a file's frames, actions and states, as far as there are any."""
    headers = {}
    for name in ("frames", "actions", "states"):
        if f"{name}.npy" in archive.namelist():
            with _naming(path), archive.open(f"{name}.npy") as member:
                headers[name] = _header(path, archive, name, member)
    if "frames" not in headers:
        held = ", ".join(archive.namelist()[:10])
        raise UserError(f"{path} has no array `frames`, but: {held}. Save it under that name.")
    arrays.check_frames(f"{path}: frames", headers["frames"])
    for name, header in headers.items():
        if name != "frames":
            arrays.check_numbers(f"{path}: {name}", header, headers["frames"].shape[0])
    return headers


def _header(path: Path, archive: zipfile.ZipFile, name: str, member: IO[bytes]) -> Header:
    """Read the header of an array, and check that the array has the size that the file declares."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(member)
    if version not in read:
        raise ValueError(f"{name} is of the unknown version {version}")
    shape, fortran, dtype = read[version](member)
    if dtype.hasobject:
        raise UserError(f"{path}: {name} holds Python objects, not numbers. Save it as numbers.")
    if fortran and len(shape) > 1:
        raise UserError(
            f"{path}: {name} is stored column by column. Save numpy.ascontiguousarray({name})."
        )
    header, info = Header(shape, dtype), archive.getinfo(f"{name}.npy")
    if not shape or member.tell() + header.size != info.file_size:
        raise ValueError(
            f"{name} says {dtype} {shape}, which is not what {info.file_size} bytes are"
        )
    arrays.check_unpacked(f"{path}: {name}", info.compress_size, info.file_size)
    return header


def _rows(path: Path, archive: zipfile.ZipFile, name: str) -> Iterator[NDArray[Any]]:
    """Yield the rows of an array one by one; the checksum is checked before the last one."""
    with _naming(path), archive.open(f"{name}.npy") as member:
        header = _header(path, archive, name, member)
        for left in reversed(range(header.shape[0])):
            content = member.read(header.row_bytes)
            # Reading past the end makes zipfile compare the checksum.
            if len(content) != header.row_bytes or (left == 0 and member.read(1)):
                raise ValueError(f"{name} has another size than it says")
            yield numpy.frombuffer(content, header.dtype).reshape(header.shape[1:])


def _texts(path: Path, archive: zipfile.ZipFile, name: str) -> Names:
    """Return an array of text, or nothing if there is none of this name."""
    if f"{name}.npy" not in archive.namelist():
        return ()
    with _naming(path), archive.open(f"{name}.npy") as member:
        header = _header(path, archive, name, member)
        if header.dtype.kind != "U" or len(header.shape) != 1 or header.size > LONGEST_NAMES:
            raise UserError(f"{path}: {name} is no list of text. Correct it or leave it out.")
        content = member.read(header.size + 1)
        return tuple(str(text) for text in numpy.frombuffer(content, header.dtype))
