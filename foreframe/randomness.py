"""The only source of random numbers: a generator is a pure function of a seed and a position.

No global seeding and no generator state anywhere: a training step, a sample or an episode asks for
the numbers of its own position, so nothing depends on order, batch size or worker count.
"""

import hashlib

import numpy
import torch

Position = str | int


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
