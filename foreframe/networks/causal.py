"""Causal 3-D convolution: every output sees only inputs before it (or at it) in raster order.

Raster order is time slowest, then rows, then columns. One class covers both kernels of Xu 2022,
5.3: `corner`, a small kernel with its current position in the last corner (2x2x2, padded by one and
cropped), and `centred`, a large kernel whose later taps are masked (3x7x7).

Shapes: B batch, C channels, T H W grid, O output channels, K codes, kt kh kw kernel.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from foreframe.networks.initialization import draw
from foreframe.randomness import Numbers

Offset = tuple[int, int, int]
Kernel = tuple[int, int, int]


class CausalConv3d(nn.Module):
    """Convolution whose taps after the current position (and, unless `sees_itself`, at it) are 0.

    The mask acts in the forward pass, so no optimiser step can open a masked tap. Masked taps are
    parameters all the same, as in Xu 2022, and count as such.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, origin: Kernel, sees_itself: bool
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.origin = origin
        self.sees_itself = sees_itself
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.register_buffer("mask", self._mask(), persistent=False)

    mask: Tensor

    def draw(self, numbers: Numbers) -> None:
        """Draw weight and bias as PyTorch draws those of a convolution."""
        if parametrize.is_parametrized(self):
            plain = torch.empty_like(self.weight)
            draw(plain, self.bias, numbers)
            # Of a weight's length masked taps must be no part: at 0 their gradient is 0 as well.
            setattr(self, "weight", plain * self.mask)  # noqa: B010
        else:
            draw(self.weight, self.bias, numbers)

    def offsets(self) -> list[Offset]:
        """Return the (time, row, column) steps from an output to the inputs that it sees."""
        return [offset for offset in _offsets(self.kernel, self.origin) if offset < (0, 0, 0)] + (
            [(0, 0, 0)] if self.sees_itself else []
        )

    def forward(self, inputs_BCTHW: Tensor) -> Tensor:
        """Convolve: (B,C,T,H,W) -> (B,O,T,H,W)."""
        (_, kh, kw), (ot, oh, ow) = self.kernel, self.origin
        # The slices after the current one are masked whole: leave them out of the arithmetic.
        weight = self.weight[:, :, : ot + 1] * self.mask[: ot + 1]
        # conv3d pads both sides alike; what the larger side adds too much is cropped.
        padding = (ot, max(oh, kh - 1 - oh), max(ow, kw - 1 - ow))
        outputs = functional.conv3d(inputs_BCTHW, weight, self.bias, padding=padding)
        t, h, w = inputs_BCTHW.shape[2:]
        top, left = padding[1] - oh, padding[2] - ow
        return outputs[:, :, :t, top : top + h, left : left + w]

    def taps(self) -> Tensor:
        """Return the live weights, one matrix for each of `offsets()`: (taps, O, C)."""
        indices = [
            tuple(step + at for step, at in zip(offset, self.origin, strict=True))
            for offset in self.offsets()
        ]
        weight = self.weight  # read once: it may be normalised
        return torch.stack([weight[:, :, t, y, x] for t, y, x in indices])

    def _mask(self) -> Tensor:
        live = set(self.offsets())
        flags = [offset in live for offset in _offsets(self.kernel, self.origin)]
        return torch.tensor(flags, dtype=self.weight.dtype).view(self.kernel)


class LookUp(ABC):
    """Causal convolution of one-hot codes, computed by looking the weights of codes up.

    Codes that are not known (and those outside the grid) are all-zero vectors, not code 0.
    """

    codes: int  # K

    @abstractmethod
    def offsets(self) -> list[Offset]:
        """Return the (time, row, column) steps from an output to the codes that it sees."""

    @abstractmethod
    def tables(self) -> Tensor:
        """Return a table of vectors for each offset, the last of them zero: (taps, K+1, O)."""

    @property
    @abstractmethod
    def shift(self) -> Tensor:
        """What is added to every output (O,)."""

    def look_up(self, codes_BTHW: Tensor, known: Tensor | None) -> Tensor:
        """Convolve codes 0..K-1: (B,T,H,W) int64 -> (B,O,T,H,W).

        `known`, broadcastable to the codes, is nonzero where a code may be used; None: everywhere.
        """
        codes = self.blank(codes_BTHW, known)
        t, h, w = codes.shape[1:]
        before, after = self._borders()
        padded = functional.pad(
            codes,
            (before[2], after[2], before[1], after[1], before[0], after[0]),
            value=self.codes,
        )
        outputs = self.shift.expand(*codes.shape, -1)
        for (dt, dy, dx), table_KO in zip(self.offsets(), self.tables(), strict=True):
            at = (before[0] + dt, before[1] + dy, before[2] + dx)
            seen = padded[:, at[0] : at[0] + t, at[1] : at[1] + h, at[2] : at[2] + w]
            outputs = outputs + functional.embedding(seen, table_KO)
        return outputs.movedim(-1, 1)

    def blank(self, codes: Tensor, known: Tensor | None) -> Tensor:
        """Return codes (B,T,H,W) with those that are not known replaced by K, the zero vector."""
        return codes if known is None else torch.where(known.bool(), codes, self.codes)

    def _borders(self) -> tuple[Offset, Offset]:
        columns = list(zip(*self.offsets(), strict=True))
        before = tuple(max(0, -min(column)) for column in columns)
        after = tuple(max(0, max(column)) for column in columns)
        return (before[0], before[1], before[2]), (after[0], after[1], after[2])


class CausalEmbedding(CausalConv3d, LookUp):
    """A causal convolution over one-hot codes."""

    def __init__(
        self, codes: int, outputs: int, kernel: Kernel, origin: Kernel, sees_itself: bool
    ) -> None:
        super().__init__(codes, outputs, kernel, origin, sees_itself)
        self.codes = codes

    def tables(self) -> Tensor:
        """Return a table of vectors for each offset, the last of them zero: (taps, K+1, O)."""
        return functional.pad(self.taps().transpose(1, 2), (0, 0, 0, 1))

    @property
    def shift(self) -> Tensor:
        """The bias (O,)."""
        return self.bias


class SummedEmbeddings(nn.Module, LookUp):
    """The sum of causal convolutions over the same one-hot codes, with kernels of their own."""

    def __init__(self, parts: Sequence[CausalEmbedding]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.codes = parts[0].codes

    def offsets(self) -> list[Offset]:
        """Return the steps of all parts, each once."""
        return sorted({offset for part in self._each() for offset in part.offsets()})

    def tables(self) -> Tensor:
        """Return for each offset the sum of its tables: (taps, K+1, O)."""
        found: dict[Offset, Tensor] = {}
        for part in self._each():
            for offset, table_KO in zip(part.offsets(), part.tables(), strict=True):
                found[offset] = found[offset] + table_KO if offset in found else table_KO
        return torch.stack([found[offset] for offset in self.offsets()])

    @property
    def shift(self) -> Tensor:
        """The sum of all biases (O,)."""
        return torch.stack([part.bias for part in self._each()]).sum(dim=0)

    def _each(self) -> list[CausalEmbedding]:
        return [part for part in self.parts if isinstance(part, CausalEmbedding)]


def corner(inputs: int, outputs: int, kernel: Kernel) -> CausalConv3d:
    """Return a convolution that sees the current position and those up, left and back of it."""
    return CausalConv3d(inputs, outputs, kernel, _corner(kernel), sees_itself=True)


def centred(inputs: int, outputs: int, kernel: Kernel) -> CausalConv3d:
    """Return a masked convolution around the current position (mask type B)."""
    origin = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return CausalConv3d(inputs, outputs, kernel, origin, sees_itself=True)


def code_input(codes: int, outputs: int, kernel: Kernel) -> CausalEmbedding:
    """Return the first layer of a prior: a corner kernel without its own position (type A)."""
    return CausalEmbedding(codes, outputs, kernel, _corner(kernel), sees_itself=False)


def _corner(kernel: Kernel) -> Kernel:
    return (kernel[0] - 1, kernel[1] - 1, kernel[2] - 1)


def _offsets(kernel: Kernel, origin: Kernel) -> list[Offset]:
    times, rows, columns = (range(-at, size - at) for size, at in zip(kernel, origin, strict=True))
    return list(itertools.product(times, rows, columns))
