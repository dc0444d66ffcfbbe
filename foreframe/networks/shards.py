"""What a module follows of a batch that comes in shards: sums over all of them, taken in once.

A batch may be cut into shards that go through a network one by one, each perhaps in a process of
its own. A module whose averages follow sums over the batch, as a codebook's do, must not move
between them. So it hands what it saw to `note`: outside of `gathering` that is taken in at once,
inside of it once the sums of all shards are there.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


class Follower(Protocol):
    """A module with averages that follow sums over a batch."""

    def follow(self, sums: Sequence[Tensor]) -> None:
        """Take in what `note` was given, summed over the shards."""


@dataclass(frozen=True)
class Notes:
    """What was noted of the shard `number` (from 0) of `count` shards that have samples."""

    number: int
    count: int
    pages: list[tuple[Follower, tuple[Tensor, ...]]] = field(default_factory=list)


_open: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextlib.contextmanager
def gathering(notes: Notes) -> Iterator[None]:
    """While entered, what modules note goes there and is not taken in."""
    token = _open.set(notes)
    try:
        yield
    finally:
        _open.reset(token)


def note(follower: Follower, sums: Sequence[Tensor]) -> None:
    """Let a module follow these sums over the present shard, now or with those of the others."""
    notes = _open.get()
    if notes is None:
        follower.follow(sums)
    else:
        notes.pages.append((follower, tuple(sums)))


def chosen(count: int, device: torch.device) -> Tensor:
    """Return which of `count` random choices are the present shard's to make, bool (count,).

    The shards take turns, so that choices from the whole batch come from all of it.
    """
    notes = _open.get()
    number, shards = (0, 1) if notes is None else (notes.number, notes.count)
    return torch.arange(count, device=device) % shards == number
