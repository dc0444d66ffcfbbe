"""What a network is fitted to: samples read by index, in an order that the epoch alone decides."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

from foreframe.randomness import permutation

Batch = TypeVar("Batch")  # a tensor, or a dictionary of tensors, with the samples first


@dataclass(frozen=True)
class Samples(Generic[Batch]):
    """A set of `count` samples; `read(indices (B,) int64)` returns B of them as one batch."""

    count: int
    read: Callable[[Tensor], Batch]

    def batches(self, indices: Iterable[Tensor]) -> Iterator[tuple[int, Batch]]:
        """Yield (number of samples, batch) for each group of indices, reading one ahead."""
        for count, batch in self.parts(indices, lambda group: group):
            assert batch is not None, "no group is empty"
            yield count, batch

    def parts(
        self, indices: Iterable[Tensor], own: Callable[[Tensor], Tensor]
    ) -> Iterator[tuple[int, Batch | None]]:
        """Yield the same, but of each batch the samples that `own` chooses; None if it has none."""

        def read(group: Tensor) -> Batch | None:
            chosen = own(group)
            return self.read(chosen) if len(chosen) > 0 else None

        with ThreadPoolExecutor(max_workers=1) as reader:
            waiting = None
            for group in indices:
                following = (len(group), reader.submit(read, group))
                if waiting is not None:
                    yield waiting[0], waiting[1].result()
                waiting = following
            if waiting is not None:
                yield waiting[0], waiting[1].result()


def shuffled(
    count: int, batch_size: int, seed: int, purpose: str, epoch: int
) -> tuple[Tensor, ...]:
    """Return one epoch as groups of indices (B,); every sample once, the last may be short."""
    return permutation(count, seed, purpose, "order", epoch).split(batch_size)


def in_order(count: int, batch_size: int) -> tuple[Tensor, ...]:
    """Return groups of indices (B,) that go through a set from its first sample to its last."""
    return torch.arange(count).split(batch_size)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return a tensor, or a dictionary of tensors, on the device."""
    moved: object
    if isinstance(batch, dict):
        moved = {name: to_device(part, device) for name, part in batch.items()}
    else:
        assert isinstance(batch, Tensor)
        moved = batch.to(device, non_blocking=True)
    return cast(Batch, moved)
