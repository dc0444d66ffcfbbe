"""Reading rows of our own HDF5 datasets at the speed of the memory, with every checksum checked.

`artefacts.hdf5.dataset` stores chunks that zlib did not compress, for the sake of its checksum. To
read a few rows HDF5 copies each chunk three times and checks two checksums of all its bytes, every
time anew. Here a chunk's adler32 is checked when it is first read, and then only the rows that are
asked for are copied. Whatever looks different from that is left to HDF5, which reads it or says
what is damaged.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy
from numpy.typing import NDArray

# What h5py raises for a chunk that cannot be read.
DAMAGE = (OSError, RuntimeError, ValueError)


class Rows:
    """The rows of a dataset along its first axis; `checked` says which chunks have been checked."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        # Kept, because HDF5 takes its time to say it.
        self.shape: tuple[int, ...] = dataset.shape
        properties = dataset.id.get_create_plist()
        filters = [properties.get_filter(place)[0] for place in range(properties.get_nfilters())]
        chunks = dataset.chunks
        self.stored = (
            filters == [h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32]
            and chunks[1:] == self.shape[1:]
        )
        if self.stored:
            self.chunk = chunks[0]
            self.row_bytes = dataset.dtype.itemsize * int(numpy.prod(chunks[1:]))
            self.checked = numpy.zeros(-(-self.shape[0] // self.chunk), bool)

    def read(self, out_N: NDArray[Any], start: int) -> None:
        """Fill `out_N` (n, ...), which is contiguous, with the rows [start, start + n).

        Raises:
            OSError: a chunk is damaged.
        """
        if not (self.stored and self._quickly(out_N, start)):
            self.dataset.read_direct(out_N, numpy.s_[start : start + len(out_N)])

    def _quickly(self, out_N: NDArray[Any], start: int) -> bool:
        """Read the rows without HDF5's own checks; False if any chunk is not as expected."""
        out = out_N.reshape(-1).view(numpy.uint8).data
        row, stop = start, start + len(out_N)
        while row < stop:
            number, first = divmod(row, self.chunk)
            count = min(self.chunk - first, stop - row)
            place = (row - start) * self.row_bytes
            target = out[place : place + count * self.row_bytes]
            if not self._copied(number, first * self.row_bytes, target):
                return False
            row += count
        return True

    def _copied(self, number: int, start: int, target: memoryview) -> bool:
        corner = (number * self.chunk, *(0 for _ in self.shape[1:]))
        try:
            skipped_filters, content = self.dataset.id.read_direct_chunk(corner)
            blocks = list(_blocks(memoryview(content)))
        except DAMAGE:
            return False
        size = sum(len(block) for block in blocks)
        if skipped_filters or size != self.chunk * self.row_bytes:
            return False
        if not self.checked[number]:
            # Behind the blocks there are adler32 and fletcher32, of four bytes each.
            if _adler32(blocks) != int.from_bytes(content[-8:-4], "big"):
                return False
            self.checked[number] = True
        stop, place = start + len(target), 0
        for block in blocks:
            first, last = max(start, place), min(stop, place + len(block))
            if first < last:
                target[first - start : last - start] = block[first - place : last - place]
            place += len(block)
        return True


def _blocks(content: memoryview) -> Iterator[memoryview]:
    """Yield the blocks of a zlib stream that is not compressed (RFC 1951, 3.2.4).

    Raises:
        ValueError: it is compressed, or does not end eight bytes before the content does.
    """
    place, final = 2, 0
    while not final:
        if place + 5 > len(content) or content[place] > 1:
            raise ValueError("a block is compressed or missing")
        final = content[place]
        size = int.from_bytes(content[place + 1 : place + 3], "little")
        place += 5 + size
        yield content[place - size : place]
    if place != len(content) - 8:
        raise ValueError("the blocks end elsewhere")


def _adler32(blocks: list[memoryview]) -> int:
    total = 1
    for block in blocks:
        total = zlib.adler32(block, total)
    return total
