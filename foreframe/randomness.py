"""The only source of random numbers: a generator is a pure function of a seed and a position.

No global seeding and no generator state anywhere: a training step, a sample or an episode asks for
the numbers of its own position, so nothing depends on order, batch size or worker count.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy
import torch
from torch import Tensor

Position = str | int
# Futures of a clip differ in the number that names their noise; the first has the clip's own.
FUTURES = 2**32


def key(seed: int, *position: Position) -> int:
    """Return a 64-bit key that is a hash of `seed` and `position`, equal on every machine."""
    # repr keeps 1 apart from "1", and the tuple keeps ("ab", "c") apart from ("a", "bc").
    return int.from_bytes(hashlib.sha256(repr((seed, *position)).encode()).digest()[:8], "big")


def generator(seed: int, *position: Position) -> torch.Generator:
    """Return a CPU generator for one position of one purpose, e.g. `generator(0, "step", 12)`.

    Draw on the CPU and move the numbers: a CPU and a GPU then see the same ones.
    """
    result = torch.Generator()
    # torch.manual_seed takes a signed 64-bit integer.
    result.manual_seed(key(seed, *position) >> 1)
    return result


def numpy_generator(seed: int, *position: Position) -> numpy.random.Generator:
    """Return a NumPy generator for one position, for code that has no tensors."""
    return numpy.random.Generator(numpy.random.Philox(key=key(seed, *position)))


def permutation(count: int, seed: int, *position: Position) -> torch.Tensor:
    """Return a random order of `range(count)`: int64 of shape (count,)."""
    return torch.randperm(count, generator=generator(seed, *position))


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

    def gumbel(self, purpose: str, step: tuple[int, ...], shape: Sequence[int]) -> Tensor:
        """Return standard Gumbel noise, float32 (B, *shape).

        The largest of log-probabilities plus such noise is an exact draw (Gumbel 1954; Maddison
        2014).
        """
        noise = torch.empty(len(self), *shape)
        for row, numbers in zip(noise, self._generators(purpose, step), strict=True):
            # float64 keeps the tail: float32 has no uniform number above 1 - 6e-8.
            uniform = torch.rand(tuple(shape), dtype=torch.float64, generator=numbers)
            row.copy_(-torch.log(-torch.log(uniform)))
        return noise

    def normal(self, purpose: str, step: tuple[int, ...], shape: Sequence[int]) -> Tensor:
        """Return standard normal noise, float32 (B, *shape)."""
        found = self._generators(purpose, step)
        return torch.stack([torch.randn(tuple(shape), generator=numbers) for numbers in found])

    def _generators(self, purpose: str, step: tuple[int, ...]) -> list[torch.Generator]:
        numbers = (
            clip + future * FUTURES for clip, future in zip(self.clips, self.futures, strict=True)
        )
        return [generator(self.seed, "sample", purpose, number, *step) for number in numbers]
