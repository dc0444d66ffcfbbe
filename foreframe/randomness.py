"""The only source of random numbers: a stream is a pure function of a seed and a position.

No global seeding and no generator state anywhere: a training step, a sample or an episode asks for
the numbers of its own position, so nothing depends on order, batch size or worker count. Streams
are those of Philox 4x64 (Salmon et al. 2011), a counter whose key has 128 bits, all of them taken
from the position: n streams have two alike with a chance of n^2 / 2^129.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy
import torch
from torch import Tensor

Shape = Sequence[int]
Position = str | int
# Futures of a clip differ in the number that names their noise; the first has the clip's own.
FUTURES = 2**32


def key(seed: int, *position: Position) -> int:
    """Return a 128-bit key that is a hash of `seed` and `position`, equal on every machine."""
    # repr keeps 1 apart from "1", and the tuple keeps ("ab", "c") apart from ("a", "bc").
    return int.from_bytes(hashlib.sha256(repr((seed, *position)).encode()).digest()[:16], "big")


class Numbers:
    """The random numbers of one position, as tensors on the CPU.

    Move them where they are needed: a CPU and a GPU then see the same ones. torch's own generators
    are not used: the CPU's keeps 32 bits of its seed, so two positions in 2^16 share their stream,
    and how its normal numbers round depends on the processor.
    """

    def __init__(self, source: numpy.random.Generator) -> None:
        self._source = source

    def uniform(
        self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return numbers from `low` to `high`, in steps of 2^-24 of the range (float64: 2^-53)."""
        kind = numpy.float64 if dtype == torch.float64 else numpy.float32
        drawn = torch.from_numpy(self._source.random(tuple(shape), dtype=kind))
        return drawn.mul_(high - low).add_(low)

    def normal(self, shape: Shape) -> Tensor:
        """Return standard normal numbers, float32."""
        return torch.from_numpy(self._source.standard_normal(tuple(shape), dtype=numpy.float32))

    def integers(self, low: int, high: int, shape: Shape) -> Tensor:
        """Return integers from `low` to `high` - 1, int64."""
        return torch.from_numpy(self._source.integers(low, high, tuple(shape)))

    def permutation(self, count: int) -> Tensor:
        """Return a random order of `range(count)`: int64 of shape (count,)."""
        return torch.from_numpy(self._source.permutation(count))


def generator(seed: int, *position: Position) -> Numbers:
    """Return the numbers of one position of one purpose, e.g. `generator(0, "step", 12)`."""
    return Numbers(numpy_generator(seed, *position))


def numpy_generator(seed: int, *position: Position) -> numpy.random.Generator:
    """Return a NumPy generator for one position, for code that has no tensors."""
    return numpy.random.Generator(numpy.random.Philox(key=key(seed, *position)))


def permutation(count: int, seed: int, *position: Position) -> Tensor:
    """Return a random order of `range(count)`: int64 of shape (count,)."""
    return generator(seed, *position).permutation(count)


@dataclass(frozen=True)
class Draws:
    """The random numbers of B futures: row i is the future `futures[i]` of the clip `clips[i]`.

    Numbers are fixed before anything is predicted, and belong to a purpose (such as a level of
    codes), a step and a future: no batch, order or choice of futures can change them.
    """

    seed: int
    clips: Sequence[int]
    futures: Sequence[int]

    @classmethod
    def first(cls, seed: int, clips: Sequence[int]) -> Self:
        """Return the draws of the first future of each clip."""
        return cls(seed, clips, [0] * len(clips))

    @classmethod
    def each(cls, seed: int, clips: Sequence[int], futures: Sequence[int]) -> Self:
        """Return the draws of these futures of every clip, those of a clip in a row."""
        pairs = [(clip, future) for clip in clips for future in futures]
        return cls(seed, [clip for clip, _ in pairs], [future for _, future in pairs])

    def __len__(self) -> int:
        """Return B."""
        return len(self.clips)

    def of(self, rows: Sequence[int]) -> "Draws":
        """Return the draws of some rows."""
        return Draws(
            self.seed, [self.clips[row] for row in rows], [self.futures[row] for row in rows]
        )

    def gumbel(self, purpose: str, step: tuple[int, ...], shape: Shape) -> Tensor:
        """Return standard Gumbel noise, float32 (B, *shape).

        The largest of log-probabilities plus such noise is an exact draw (Gumbel 1954; Maddison
        2014).
        """
        noise = torch.empty(len(self), *shape)
        for row, numbers in zip(noise, self._generators(purpose, step), strict=True):
            # float64 keeps the tail: float32 has no uniform number above 1 - 6e-8.
            uniform = numbers.uniform(shape, dtype=torch.float64)
            row.copy_(-torch.log(-torch.log(uniform)))
        return noise

    def normal(self, purpose: str, step: tuple[int, ...], shape: Shape) -> Tensor:
        """Return standard normal noise, float32 (B, *shape)."""
        found = self._generators(purpose, step)
        return torch.stack([numbers.normal(shape) for numbers in found])

    def _generators(self, purpose: str, step: tuple[int, ...]) -> list[Numbers]:
        numbers = (
            clip + future * FUTURES for clip, future in zip(self.clips, self.futures, strict=True)
        )
        return [generator(self.seed, "sample", purpose, number, *step) for number in numbers]
