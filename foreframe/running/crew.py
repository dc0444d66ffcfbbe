"""The processes that compute one run together: how they add up to the bytes of one.

What they compute is cut into shards whose number the study fixes, and sums over shards are taken
along one binary tree, whoever holds its leaves. A process has neighbouring shards, so it adds up a
branch by itself; branches are added up between processes, each of which completes a part of the
numbers and hands it on. So a process sends 2 (W-1)/W times the numbers, as a ring all-reduce of W
processes does. The first process (rank 0) alone writes.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed import P2POp, ProcessGroup

from foreframe.errors import UserError
from foreframe.running import processes
from foreframe.running.processes import Process

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Crew:
    """The processes of a run, of which this one is `rank` of `count`.

    Attributes:
        rank: from 0.
        count: a power of two.
        others: those that this one has started.
    """

    rank: int = 0
    count: int = 1
    others: Sequence[Process] = ()
    # Of short messages, on the CPU: the host does not wait for what the device has yet to do.
    _control: ProcessGroup | None = field(default=None, repr=False)

    def own(self, shards: int) -> range:
        """Return the shards of this process."""
        each = shards // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def total(self, own: Tensor) -> Tensor:
        """Return the sum over all processes of a vector (N,), along the tree; `own` is used up."""
        if self.count == 1:
            return own
        with self._together():
            return self._total(own)

    def each(self, thing: Thing) -> list[Thing]:
        """Return the thing of every process, by rank."""
        if self.count == 1:
            return [thing]
        found: list[Any] = [None] * self.count
        with self._together():
            distributed.all_gather_object(found, thing, group=self._control)
        return found

    def first(self, thing: Thing) -> Thing:
        """Return the thing of the first process."""
        if self.count == 1:
            return thing
        found = [thing]
        with self._together():
            distributed.broadcast_object_list(found, src=0, group=self._control)
        return found[0]

    def largest(self, *numbers: int) -> tuple[int, ...]:
        """Return the largest of all processes for each of some numbers."""
        if self.count == 1:
            return numbers
        found = torch.tensor(numbers)
        with self._together():
            distributed.all_reduce(found, distributed.ReduceOp.MAX, group=self._control)
        return tuple(found.tolist())

    def require_equal(self, what: Mapping[str, object]) -> None:
        """Refuse processes that differ in something that the result depends on.

        Raises:
            UserError: they do; it says in what, and who.
        """
        for other, found in enumerate(self.each(dict(what))):
            for name, value in what.items():
                if found[name] != value:
                    raise UserError(
                        f"Processes {self.rank} and {other} of this run differ in their {name}: "
                        f"{value} and {found[name]}. Give all nodes the same, and start again."
                    )

    def _total(self, own: Tensor) -> Tensor:
        low, high = 0, len(own)
        halves: list[tuple[int, slice, slice]] = []
        distance = 1
        while distance < self.count:
            middle = (low + high) // 2
            kept, given = slice(low, middle), slice(middle, high)
            if self.rank & distance:
                kept, given = given, kept
            partner = self.rank ^ distance
            received = torch.empty_like(own[kept])
            _swap(partner, own[given], received)
            # Of two numbers the sum is the same either way round, so both sides have the tree's.
            own[kept] += received
            halves.append((partner, kept, given))
            low, high = kept.start, kept.stop
            distance *= 2
        for partner, kept, given in reversed(halves):
            _swap(partner, own[kept], own[given])
        return own

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise UserError(
                f"Another process of this run has been lost{self._last_words()}. Start the run "
                "again, with as many processes or with others: it goes on from its last checkpoint."
            ) from error

    def _last_words(self) -> str:
        said = [f"{each} {words}" for each in self.others if (words := each.ended())]
        return f" ({', '.join(said)})" if said else ""


ALONE = Crew()


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Crew]:
    """Yield the processes of this run, once all are there; those that this one starts end with it.

    Raises:
        UserError: their number is no power of two.
    """
    count = processes.wanted()
    if count == 1:
        yield ALONE
        return
    with contextlib.ExitStack() as stack:
        others: Sequence[Process] = ()
        if processes.is_idle():
            raise SystemExit(0)
        method = processes.meeting()
        if method is None and not processes.started_by_torchrun():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            others, method = processes.start(count, folder)
            stack.callback(processes.end, others)
        if method is None:
            method = "env://"
        elif method.startswith("file:") and sys.platform == "linux":
            # They are all on this machine, which need not know its own name.
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        rank, backend = processes.rank(), "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, init_method=method, rank=rank, world_size=count)
        stack.callback(distributed.destroy_process_group)
        yield Crew(rank, count, others, distributed.new_group(backend="gloo"))


def own_gpu(device: torch.device) -> torch.device:
    """Return the device of this process: where a node's processes compute on GPUs, one for each.

    Raises:
        UserError: there are fewer GPUs than processes.
    """
    if device.type != "cuda" or processes.wanted() == 1:
        return device
    number = processes.on_node()
    there = torch.cuda.device_count()
    if number >= there:
        raise UserError(
            f"Process {number} of this node has no GPU: there are {there}. Start as many processes "
            "as there are GPUs, or set compute.device to cpu."
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _swap(partner: int, given: Tensor, received: Tensor) -> None:
    operations = [
        P2POp(distributed.isend, given, partner),
        P2POp(distributed.irecv, received, partner),
    ]
    for work in distributed.batch_isend_irecv(operations):
        work.wait()
