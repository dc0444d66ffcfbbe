"""The baseline that moves: blocks go on by the displacement they had between the last two frames.

Every block of the last frame is searched for in the frame before it, by the sum of absolute
differences over whole pixels. Still blocks stay, moving ones are drawn over them; what nothing
covers shows the median of the given frames, so that a thing does not also stay where it left.

Shapes: B clips, t given frames, h predicted frames, H rows, W columns, C = 3 colours; N = H W
pixels, K blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws

# Noise alone makes the best of many displacements look a little better than staying; a block counts
# as moving only if less than this part of the difference is left.
LEFT = 0.75
NOBODY = -1
Place = tuple[slice, ...]


@dataclass(frozen=True)
class Field:
    """How the blocks of each clip's last frame move.

    Attributes:
        rows: rows downwards a frame, int64 (B, K).
        columns: columns to the right a frame, int64 (B, K).
        order: the block that is drawn at each place of the order, the last one on top, int64
            (B, K).
    """

    rows: Tensor
    columns: Tensor
    order: Tensor


class LinearMotion(Predictor):
    """Moves blocks of the last frame on, whatever is drawn.

    Attributes:
        block: pixels along a side of a block; blocks at the lower and right border may be smaller.
        radius: pixels that a block can move from frame to frame in each direction.
    """

    def __init__(self, block: int, radius: int) -> None:
        """Take the size of blocks and how far to search.

        Raises:
            UserError: one of them is below 1.
        """
        if block < 1 or radius < 1:
            raise UserError(f"block {block} and radius {radius} must both be 1 pixel or more.")
        self.block = block
        self.radius = radius

    def _predict(
        self, context: Context, horizon: int, options: Options, draws: Draws
    ) -> Prediction:
        """Return the given motion, continued: uint8 (B,h,H,W,C).

        Raises:
            UserError: fewer than two frames are given, or they are not uint8.
        """
        context_BtHWC = context.frames[context.places(draws)]
        if context_BtHWC.shape[1] < 2 or context_BtHWC.dtype != torch.uint8:
            raise UserError(
                f"{context_BtHWC.shape[1]} frames of {context_BtHWC.dtype} show no motion that "
                "could go on: give at least two frames of uint8."
            )
        field = self.measure(context_BtHWC[:, -2], context_BtHWC[:, -1])
        # The lower of the two in the middle, so that the median is a value that occurs.
        middle = (context_BtHWC.shape[1] - 1) // 2
        behind_BHWC = context_BtHWC.sort(dim=1).values[:, middle]
        last_BHWC = context_BtHWC[:, -1]
        steps = range(1, horizon + 1)
        moved = [self._moved(last_BHWC, behind_BHWC, field, k) for k in steps]
        return Prediction(torch.stack(moved, dim=1))

    def measure(self, earlier_BHWC: Tensor, later_BHWC: Tensor) -> Field:
        """Return how each block of the later frames moved since the earlier ones, uint8 both.

        Of equally good displacements the shortest is taken.
        """
        earlier_BHWC, later_BHWC = earlier_BHWC.int(), later_BHWC.int()
        changed_BHW = (later_BHWC - earlier_BHWC).abs().sum(dim=-1)
        stay_BK = self._sums(changed_BHW)
        error_BK, rows_BK, columns_BK = stay_BK, *torch.zeros_like(stay_BK).expand(2, -1, -1)
        for move in self._moves():
            to, start = _overlap(move, later_BHWC.shape[1:3])
            difference_BHW = (later_BHWC[to] - earlier_BHWC[start]).abs().sum(dim=-1)
            found_BK = self._sums(self._inside(difference_BHW, to, changed_BHW.shape))
            left_BK = self._sums(self._inside(changed_BHW[start], to, changed_BHW.shape))
            # It must also have changed where the block came from: a place that a passing thing
            # uncovers looks like its surroundings, but nothing has come from there.
            better_BK = (found_BK < error_BK) & (found_BK < LEFT * torch.minimum(stay_BK, left_BK))
            error_BK = torch.where(better_BK, found_BK, error_BK)
            rows_BK = torch.where(better_BK, move[0], rows_BK)
            columns_BK = torch.where(better_BK, move[1], columns_BK)
        # Still blocks first; then the better a moving block was found, the later it is drawn.
        still_BK = (rows_BK == 0) & (columns_BK == 0)
        rank_BK = torch.where(still_BK, torch.iinfo(torch.int64).min, -error_BK)
        return Field(rows_BK, columns_BK, rank_BK.argsort(dim=1, stable=True))

    def _moves(self) -> list[tuple[int, int]]:
        """Return all displacements but none, the shortest first."""
        span = range(-self.radius, self.radius + 1)
        every = [(row, column) for row in span for column in span if (row, column) != (0, 0)]
        return sorted(every, key=lambda move: (move[0] ** 2 + move[1] ** 2, move))

    def _inside(self, values: Tensor, to: Place, shape: torch.Size) -> Tensor:
        """Return the values at their places in frames (B, H, W), elsewhere more than any sum."""
        frames_BHW = torch.full(shape, 3 * 255 * self.block**2 + 1, device=values.device)
        frames_BHW[to] = values.long()
        return frames_BHW

    def _sums(self, values_BHW: Tensor) -> Tensor:
        """Return the sums over blocks, int64 (B, K)."""
        height, width = values_BHW.shape[1:]
        padded = functional.pad(values_BHW, (0, -width % self.block, 0, -height % self.block))
        tiles = padded.unflatten(2, (-1, self.block)).unflatten(1, (-1, self.block))
        return tiles.sum(dim=(2, 4)).flatten(1)

    def _moved(self, last_BHWC: Tensor, behind_BHWC: Tensor, field: Field, steps: int) -> Tensor:
        """Return the last frames with their blocks moved `steps` times: (B, H, W, C)."""
        height, width = last_BHWC.shape[1:3]
        pixels_N = torch.arange(height * width, device=last_BHWC.device)
        row_N, column_N = pixels_N // width, pixels_N % width
        block_N = row_N // self.block * -(-width // self.block) + column_N // self.block
        to_row_BN = row_N + steps * field.rows[:, block_N]
        to_column_BN = column_N + steps * field.columns[:, block_N]
        inside_BN = (to_row_BN >= 0) & (to_row_BN < height)
        inside_BN &= (to_column_BN >= 0) & (to_column_BN < width)
        # What leaves the frame goes to a pixel behind its last one.
        to_BN = torch.where(inside_BN, to_row_BN * width + to_column_BN, len(pixels_N))
        place_BN = field.order.argsort(dim=1)[:, block_N]
        top_BN = torch.full((len(to_BN), len(pixels_N) + 1), NOBODY, device=to_BN.device)
        top_BN = top_BN.scatter_reduce(1, to_BN, place_BN, "amax")[:, :-1]
        block_BN = field.order.gather(1, top_BN.clamp(min=0))
        shift_BK = field.rows * width + field.columns
        from_BN = pixels_N - steps * shift_BK.gather(1, block_BN)
        shown_BNC = last_BHWC.flatten(1, 2).gather(
            1, from_BN.clamp(0, len(pixels_N) - 1)[..., None].expand(-1, -1, last_BHWC.shape[-1])
        )
        behind_BNC = behind_BHWC.flatten(1, 2)
        return torch.where(top_BN[..., None] == NOBODY, behind_BNC, shown_BNC).reshape(
            last_BHWC.shape
        )


def _overlap(move: tuple[int, int], size: Sequence[int]) -> tuple[Place, Place]:
    """Return where pixels of a frame can have come to by a displacement, and where from."""
    to, start = [slice(None)], [slice(None)]
    for shift, length in zip(move, size, strict=True):
        low = min(max(0, shift), length)
        high = max(low, min(length, length + shift))
        to.append(slice(low, high))
        # A displacement beyond the frame leaves no pixel: both slices are empty.
        start.append(slice(low - shift, high - shift) if low < high else slice(0, 0))
    return tuple(to), tuple(start)
