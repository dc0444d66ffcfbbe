"""A fingerprint of how a frame looks: 64 bits, each whether a cell is brighter than its neighbour.

The frame is reduced to 8 rows of 9 grey cells by averaging over areas; a bit says whether a cell is
brighter than the one to its left, by more than MARGIN (without it the bits of an even surface would
be noise). Another brightness, size or compression changes few bits, another scene many.
Suffixes: N frames, H height, W width, C = 3 colours, K frames of a clip, Q and M clips,
R rows of cells, X a row of pixels and their colours.
"""

import numpy
from numpy.typing import ArrayLike, NDArray

Hashes = NDArray[numpy.uint64]

ROWS, COLUMNS = 8, 8
BITS = ROWS * COLUMNS
MARGIN = 2  # levels
LUMA = (299.0, 587.0, 114.0)  # of ITU-R BT.601, in thousandths
FRAMES = 8  # of a clip that are compared


def hashes(frames_NHWC: NDArray[numpy.uint8]) -> Hashes:
    """Return the hash of each frame, uint64 (N,).

    All sums are of whole numbers below 2^53, so the bits are the same in blocks of any size.
    """
    height, width = frames_NHWC.shape[1:3]
    # Rows first, since that leaves little for the rest to do.
    values_NHX = frames_NHWC.reshape(len(frames_NHWC), height, -1).astype(numpy.float64)
    rows_NRX = _overlaps(height, ROWS) @ values_NHX
    grey_NRW = rows_NRX.reshape(len(frames_NHWC), ROWS, width, 3) @ numpy.array(LUMA)
    cells_NRC = grey_NRW @ _overlaps(width, COLUMNS + 1).T
    margin = MARGIN * sum(LUMA) * height * width
    bits_NB = (numpy.diff(cells_NRC, axis=2) > margin).reshape(len(frames_NHWC), BITS)
    return numpy.packbits(bits_NB, axis=1).view(numpy.uint64)[:, 0]


def _overlaps(pixels: int, cells: int) -> NDArray[numpy.float64]:
    """Return how much of each cell each pixel covers, (cells, pixels); a cell adds up to `pixels`.

    In units in which a pixel is `cells` long and a cell `pixels`, so that all are whole numbers.
    """
    pixel, cell = numpy.arange(pixels)[None] * cells, numpy.arange(cells)[:, None] * pixels
    inside = numpy.minimum(pixel + cells, cell + pixels) - numpy.maximum(pixel, cell)
    return numpy.maximum(inside, 0).astype(numpy.float64)


def offsets(clip_frames: int) -> NDArray[numpy.int64]:
    """Return which frames of a clip are compared: at most FRAMES, evenly spread, int64 (K,)."""
    spread = numpy.linspace(0, clip_frames - 1, min(FRAMES, clip_frames))
    return numpy.unique(spread.round().astype(numpy.int64))


def signatures(hashes_N: Hashes, starts: ArrayLike, offsets_K: NDArray[numpy.int64]) -> Hashes:
    """Return the hashes of the compared frames of clips that begin at `starts`, uint64 (M, K)."""
    return hashes_N[numpy.asarray(starts)[:, None] + offsets_K]


def distances(first_QK: Hashes, second_MK: Hashes) -> NDArray[numpy.uint16]:
    """Return in how many bits each of Q clips differs from each of M clips, uint16 (Q, M)."""
    result_QM = numpy.zeros((len(first_QK), len(second_MK)), numpy.uint16)
    for first_Q, second_M in zip(first_QK.T, second_MK.T, strict=True):
        result_QM += numpy.bitwise_count(first_Q[:, None] ^ second_M[None])
    return result_QM
