"""How many bits the codes of a clip save against its raw 8-bit frames (Xu 2022, 4.2 and 6.1)."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from foreframe.errors import UserError

RAW_BITS = 8  # for each colour of a pixel


@dataclass(frozen=True)
class Compression:
    """Sizes of one clip, before any entropy coding."""

    raw_bits: float
    code_bits: float
    reduction: float  # 1 - code_bits / raw_bits
    factor: float  # raw_bits / code_bits


def compression(
    frames: int,
    height: int,
    width: int,
    grids: Collection[tuple[tuple[int, int, int], int]],
) -> Compression:
    """Return what storing codes saves for RGB clips of `frames` x `height` x `width`.

    Args:
        frames: frames of a clip.
        height: rows of a frame.
        width: columns of a frame.
        grids: for each level, its code grid (code-frames, rows, columns) and its codebook size K;
            a code counts log2 K bits, also where K is no power of two.

    Raises:
        UserError: there are no codes, or a codebook has fewer than two.
    """
    if not grids or any(size < 2 for _, size in grids):
        raise UserError("compression needs at least one level, and codebooks of 2 or more codes.")
    raw_bits = 3 * frames * height * width * RAW_BITS
    code_bits = sum(math.prod(grid) * math.log2(size) for grid, size in grids)
    return Compression(raw_bits, code_bits, 1 - code_bits / raw_bits, raw_bits / code_bits)
