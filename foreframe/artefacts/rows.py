"""Reading rows of our own HDF5 datasets at the speed of the memory, with every checksum checked.

`artefacts.hdf5.dataset` stores chunks that zlib did not compress, for the sake of its checksum. To
read a few rows HDF5 copies each chunk three times and checks two checksums of all its bytes, every
time anew. Here a chunk's adler32 is checked when it is first met, and then only the rows that are
asked for are read from the file. Whatever looks different from that is left to HDF5, which reads it
or says what is damaged.
"""

import os
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy
from numpy.typing import NDArray

# What h5py raises for a chunk that cannot be read.
DAMAGE = (OSError, RuntimeError, ValueError)

# zlib writes what it does not compress in blocks of so many bytes, each behind a header.
BLOCK, HEADER = 65_535, 5
# Before the first block; adler32 and fletcher32 behind the last one.
BEFORE, BEHIND = 2, 8
# The pieces that a system takes for one reading are few; larger chunks are left to HDF5.
MOST_BLOCKS = 500


class Rows:
    """The rows of a dataset along its first axis.

    `places` says where in the file each chunk lies that has been checked; 0 stands for the others.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        # Kept, because HDF5 takes its time to say it.
        self.shape: tuple[int, ...] = dataset.shape
        properties = dataset.id.get_create_plist()
        filters = [properties.get_filter(place)[0] for place in range(properties.get_nfilters())]
        self.stored = (
            filters == [h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32]
            and dataset.chunks[1:] == self.shape[1:]
            and dataset.file.driver == "sec2"
        )
        if self.stored:
            self.chunk = dataset.chunks[0]
            self.row_bytes = dataset.dtype.itemsize * int(numpy.prod(self.shape[1:]))
            self.places = numpy.zeros(-(-self.shape[0] // self.chunk), numpy.int64)
            self.file = dataset.file.id.get_vfd_handle()
            self.stored = self.chunk * self.row_bytes <= MOST_BLOCKS * BLOCK

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
            if not self.places[number] and not self._check(number):
                return False
            place = (row - start) * self.row_bytes
            target = out[place : place + count * self.row_bytes]
            if not self._copy(int(self.places[number]), first * self.row_bytes, target):
                return False
            row += count
        return True

    def _check(self, number: int) -> bool:
        """Compare a chunk's checksum and remember its place; False if it is not as expected."""
        corner = (number * self.chunk, *(0 for _ in self.shape[1:]))
        try:
            skipped_filters, content = self.dataset.id.read_direct_chunk(corner)
            blocks = list(_blocks(memoryview(content)))
            place = self.dataset.id.get_chunk_info_by_coord(corner).byte_offset
            same = os.pread(self.file, len(content), place) == content
        except DAMAGE:
            return False
        size = sum(len(block) for block in blocks)
        regular = all(len(block) == BLOCK for block in blocks[:-1])
        if skipped_filters or size != self.chunk * self.row_bytes or not regular or not same:
            return False
        if _adler32(blocks) != int.from_bytes(content[-8:-4], "big"):
            return False
        self.places[number] = place
        return True

    def _copy(self, place: int, start: int, target: memoryview) -> bool:
        """Read bytes of the chunk at a place of the file, from `start` of its numbers on."""
        pieces: list[memoryview | bytearray] = []
        done = 0
        while done < len(target):
            if pieces:
                # Between two blocks stands a header.
                pieces.append(bytearray(HEADER))
            size = min(len(target) - done, BLOCK - (start + done) % BLOCK)
            pieces.append(target[done : done + size])
            done += size
        offset = place + BEFORE + HEADER * (start // BLOCK + 1) + start
        expected = sum(len(piece) for piece in pieces)
        return os.preadv(self.file, pieces, offset) == expected


def _blocks(content: memoryview) -> Iterator[memoryview]:
    """Yield the blocks of a zlib stream that is not compressed (RFC 1951, 3.2.4).

    Raises:
        ValueError: it is compressed, or does not end where its checksums begin.
    """
    place, final = BEFORE, 0
    while not final:
        if place + HEADER > len(content) or content[place] > 1:
            raise ValueError("a block is compressed or missing")
        final = content[place]
        size = int.from_bytes(content[place + 1 : place + 3], "little")
        place += HEADER + size
        yield content[place - size : place]
    if place != len(content) - BEHIND:
        raise ValueError("the blocks end elsewhere")


def _adler32(blocks: list[memoryview]) -> int:
    total = 1
    for block in blocks:
        total = zlib.adler32(block, total)
    return total
