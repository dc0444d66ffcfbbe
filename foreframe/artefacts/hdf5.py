"""Arrays are HDF5 files: byte-stable, every part with a checksum, published when complete.

HDF5 has checksums, if it is asked to: for numbers by filters, for the rest by its format of version
1.10. Only text of variable length has none, so there is no such text here.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy
from numpy.typing import ArrayLike, DTypeLike

from foreframe.artefacts import atomic, facts
from foreframe.errors import ArtefactError

# A fixed version keeps the bytes equal under newer HDF5 libraries. Before 1.10 the index that says
# where a dataset's chunks lie had no checksum: a chunk could get lost and read as zeros.
LIBRARY = ("v110", "v110")

# What h5py raises for a file whose structure is damaged.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)


class _Sink(io.FileIO):
    """A new file whose writing never fails: it keeps the first error and drops what comes after.

    HDF5 crashes the process (a segmentation fault, no message) when a write fails while it closes
    a dataset or a file, as on a full disk. So it is left in the belief that all is well.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data` unless an earlier write failed."""
        rest = memoryview(data)
        size = rest.nbytes
        try:
            while self.error is None and rest.nbytes:
                # One call may write a part only.
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the file's size unless an earlier write failed."""
        try:
            return super().truncate(size) if self.error is None else size or 0
        except OSError as error:
            self.error = error
            return size or 0


class File(h5py.File):  # type: ignore[misc]  # h5py has no annotations
    """An HDF5 file that is being written."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, "w", libver=LIBRARY)
        self._sink = sink

    def check(self) -> None:
        """Stop early when the disk is full, in a long loop of writes; closing looks in any case.

        Raises:
            OSError: a write has failed.
        """
        if self._sink.error is not None:
            raise self._sink.error


@contextlib.contextmanager
def creating(path: Path, schema: str, attributes: Mapping[str, Any]) -> Iterator[File]:
    """Yield a new HDF5 file that replaces `path` once the block ends without an error.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    with atomic.writing(path) as temporary, _Sink(temporary, "w+") as sink:
        with File(sink) as file:
            _describe(file, "schema", f"foreframe/{schema}")
            _describe(file, "version", facts.version(schema))
            for name in sorted(attributes):
                _describe(file, name, attributes[name])
            yield file
        if sink.error is not None:
            raise sink.error


def _describe(file: h5py.File, name: str, value: Any) -> None:
    if isinstance(value, str):
        content = value.encode()
        dtype = h5py.string_dtype("utf-8", max(1, len(content)))
        file.attrs.create(name, numpy.array(content, dtype))
    else:
        file.attrs[name] = value


def dataset(
    file: h5py.File | h5py.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    chunks: tuple[int, ...],
    maxshape: tuple[int | None, ...] | None = None,
) -> h5py.Dataset:
    """Create an empty dataset with two checksums on every chunk, fletcher32 and adler32.

    To fletcher32 alone bytes of 255 are as good as zeros, so a white frame could turn black unseen.
    """
    return file.create_dataset(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        maxshape=maxshape,
        fletcher32=True,
        compression="gzip",
        compression_opts=0,  # not compressed, which is quick; but it comes with adler32
        track_times=False,
    )


def store(
    file: h5py.File | h5py.Group,
    name: str,
    array: ArrayLike,
    chunks: tuple[int, ...] | None = None,
) -> h5py.Dataset:
    """Create a dataset that holds `array`, in one chunk unless `chunks` says otherwise.

    Text is stored as UTF-8; read it with `asstr()`.
    """
    values = numpy.asarray(array)
    dtype = values.dtype
    if dtype.kind in "UO":
        # Of fixed length: strings of variable length cannot carry a checksum.
        values = numpy.char.encode(values.astype(str), "utf-8")
        dtype = h5py.string_dtype("utf-8", max(1, values.dtype.itemsize))
        values = values.astype(dtype)
    whole = tuple(max(1, size) for size in values.shape)
    # A chunk may not be larger than the largest shape, and no chunk has a side of 0.
    maxshape = tuple(size or None for size in values.shape)
    result = dataset(file, name, values.shape, dtype, chunks or whole, maxshape)
    result[...] = values
    return result


class Reader(h5py.File):  # type: ignore[misc]  # h5py has no annotations
    """An HDF5 file that is being read; all of it but the numbers in the chunks has been checked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self._attributes = {name: _plain(value) for name, value in super().attrs.items()}
        # Visiting an object makes HDF5 check the header that describes it.
        foreign = self.visititems(_foreign) or self.visititems_links(_linked)
        if foreign is not None:
            raise ValueError(foreign)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the file, text as str."""
        return self._attributes


def _foreign(name: str, item: h5py.HLObject) -> str | None:
    """Return what is wrong with numbers that lie outside the file, or None."""
    outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
    return f"{name} lies in other files" if outside else None


def _linked(name: str, link: object) -> str | None:
    return None if isinstance(link, h5py.HardLink) else f"{name} is a link to another place"


def _plain(value: Any) -> Any:
    """Return text as str, and a number as it is; ValueError for anything else."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, numpy.number | numpy.bool):
        raise ValueError(f"an attribute is of the type {type(value).__name__}")
    return value


@contextlib.contextmanager
def opening(path: Path, schema: str) -> Iterator[Reader]:
    """Yield the file, open for reading, after a look at its schema, version and structure.

    Raises:
        ArtefactError: the file is missing, cut short, not HDF5, of another schema or version, or
            damaged; numbers are checked, chunk by chunk, while they are read.
    """
    try:
        file = Reader(path)
    except FileNotFoundError:
        raise facts.missing(path) from None
    except DAMAGE as error:
        raise ArtefactError(f"{path} cannot be opened: {error}. {facts.CURE}") from None
    with file:
        version = file.attrs.get("version")
        version = int(version) if version is not None else None
        facts.check_schema(path, schema, file.attrs.get("schema"), version)
        try:
            yield file
        except OSError as error:
            if "read data" not in str(error):
                raise
            raise ArtefactError(f"{path} is damaged: {error}. {facts.CURE}") from error
