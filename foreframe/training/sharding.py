"""A batch in shards: who computes which, and how what they give is added up to the same bytes.

Every shard goes through the network alone, always with the same rows, and sums over shards follow
one binary tree: whether one process computes all of them or several share them changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from foreframe.running.crew import Crew
from foreframe.training.samples import Batch

Layout = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Shards:
    """The shards of each batch, `count` of them, a power of two, over the processes of a run."""

    count: int
    crew: Crew

    @property
    def own(self) -> range:
        """The numbers of those that this process computes."""
        return self.crew.own(self.count)

    def rows(self, indices: Tensor) -> Tensor:
        """Return which of a batch's samples (B,) this process reads."""
        edges = self._edges(len(indices))
        return indices[edges[self.own.start] : edges[self.own.stop]]

    def cut(self, samples: int, batch: Batch | None) -> Iterator[tuple[int, Batch | None, int]]:
        """Yield (number, part, its samples) of this process's shards of a batch of `samples`.

        `batch` has the process's own rows; it is None, as is a part, where there are none.
        """
        edges = self._edges(samples)
        for number in self.own:
            start, end = (edges[place] - edges[self.own.start] for place in (number, number + 1))
            yield number, _between(batch, start, end) if end > start else None, end - start

    def filled(self, samples: int) -> int:
        """Return how many shards of a batch have samples; those at a short one's end have none."""
        return min(self.count, samples)

    def _edges(self, samples: int) -> list[int]:
        # As evenly as can be, the larger ones first.
        return [
            number * (samples // self.count) + min(number, samples % self.count)
            for number in range(self.count + 1)
        ]


@dataclass
class Adder:
    """Adds up tensors by name, float32, from shard to shard in their order along the tree.

    Attributes:
        crew: who adds up.
        device: where the sums are.
        whole: whether every process has a shard with samples, so that all know the names.
    """

    crew: Crew
    device: torch.device
    whole: bool
    _layout: Layout | None = None
    _branches: list[tuple[int, list[Tensor] | None]] = field(default_factory=list)

    def add(self, values: Mapping[str, Tensor] | None) -> None:
        """Add what the next shard gives, or that it gives nothing; all give the same names."""
        if values is not None:
            self._layout = {name: tuple(value.shape) for name, value in values.items()}
        height, branch = 0, None if values is None else [each.detach() for each in values.values()]
        while self._branches and self._branches[-1][0] == height:
            _, before = self._branches.pop()
            branch = _sum(before, branch)
            height += 1
        self._branches.append((height, branch))

    def total(self) -> dict[str, Tensor]:
        """Return the sums over all shards of all processes, each of its tensors' shape."""
        ((_, own),) = self._branches  # each process has a power of two of them
        layout = self._layout
        if not self.whole:
            layout = self.crew.first(layout)
        assert layout is not None
        if self.crew.count == 1 and own is not None:
            return dict(zip(layout, own, strict=True))
        sizes = [_size(shape) for shape in layout.values()]
        flat = torch.zeros(sum(sizes), device=self.device) if own is None else _flat(own)
        parts = self.crew.total(flat).split(sizes)
        return {
            name: part.view(shape)
            for (name, shape), part in zip(layout.items(), parts, strict=True)
        }


def tree_sum(leaves: Sequence[Any]) -> Any:
    """Return the sum of a power of two of things, neighbours first."""
    while len(leaves) > 1:
        pairs = zip(leaves[::2], leaves[1::2], strict=True)
        leaves = [one + other for one, other in pairs]
    return leaves[0]


def _flat(values: Sequence[Tensor]) -> Tensor:
    return torch.cat([value.reshape(-1) for value in values])


def _sum(one: list[Tensor] | None, other: list[Tensor] | None) -> list[Tensor] | None:
    if one is None or other is None:
        return one if other is None else other
    # Not in place: two weights may have one tensor as their gradient.
    return [each + more for each, more in zip(one, other, strict=True)]


def _size(shape: Sequence[int]) -> int:
    return torch.Size(shape).numel()


def _between(batch: Batch | None, start: int, end: int) -> Batch:
    assert batch is not None, "a process has read the rows of its shards"
    part: object
    if isinstance(batch, dict):
        part = {name: _between(each, start, end) for name, each in batch.items()}
    else:
        assert isinstance(batch, Tensor)
        part = batch[start:end]
    return cast(Batch, part)
