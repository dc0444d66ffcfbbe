"""What the steps of a flow cost: time and memory, by how many there are and what is kept of them.

    python -m benchmarks.flows [OUT.json] [--steps 4 8 16 32] [--batch 16] [--channels 12]
                               [--side 32] [--hidden 64] [--repeats 4] [--rounds 1]

One level of a flow with a condition map, trained with Adam. Each measurement is a process of its
own; the ways to keep take turns, so that a machine that slows down slows all of them. Memory is
measured where the C library gives what is freed back at once, so that it is the memory needed; time
where it keeps all, so that it is not that of fresh pages: by its own rule, between the two, undoing
steps takes up to twice as long. Printed: `saved`, the bytes that autograd keeps for the way back of
a row of the batch (weights do not count: they are there anyway); `peak`, the largest resident
memory of the process, and `above`, what of it the training steps added; `step`, the processor time
of the quickest one. Then the growth from the fewest steps to the most, and the time as a multiple
of that of `stored`. OUT.json gets all of it.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from benchmarks import apart, limits
from benchmarks.apart import MIB
from foreframe.artefacts import facts
from foreframe.networks.flows.level import Level, Memory
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

CONDITION = 16


@dataclass(frozen=True)
class Size:
    """What is measured: K steps of pictures (batch, channels, side, side)."""

    memory: Memory
    steps: int
    batch: int
    channels: int
    side: int
    hidden: int
    repeats: int

    def level(self) -> Level:
        level = Level(self.channels, self.steps, self.hidden, CONDITION, self.memory)
        initialize(level, generator(0, "weights"))
        return level

    def inputs(self, rows: int) -> tuple[Tensor, Tensor]:
        numbers, place = generator(0, "inputs"), (self.side, self.side)
        condition = numbers.normal((rows, CONDITION, *place)).requires_grad_()
        return numbers.normal((rows, self.channels, *place)), condition


def loss(level: Level, x_BCHW: Tensor, condition: Tensor) -> Tensor:
    y_BCHW, log_B = level(x_BCHW, condition)
    return 0.5 * y_BCHW.square().flatten(1).sum(dim=1).mean() - log_B.mean()


def saved(size: Size, rows: int) -> int:
    """Return the bytes that are kept for the way back, each piece of memory once."""
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        # Held, so that its address is not given away again.
        kept.setdefault(value.untyped_storage().data_ptr(), value)
        return value

    level, (x_BCHW, condition) = size.level(), size.inputs(rows)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        loss(level, x_BCHW, condition)
    return sum(value.untyped_storage().nbytes() for value in kept.values())


def measure(size: Size) -> dict[str, float]:
    """Return what the module's text says of one size, in this process."""
    torch.set_num_threads(1)
    level, (x_BCHW, condition) = size.level(), size.inputs(size.batch)
    optimizer = torch.optim.Adam(level.parameters(), lr=1e-4)
    before, times = apart.peak(), []
    for _ in range(size.repeats):
        start = time.process_time()
        optimizer.zero_grad()
        loss(level, x_BCHW, condition).backward()
        optimizer.step()
        times.append(time.process_time() - start)
    peak = apart.peak()
    row = saved(size, 2) - saved(size, 1)
    return {"saved": row, "peak": peak, "above": peak - before, "step": min(times)}


def _line(memory: str, steps: int, found: dict[str, float]) -> str:
    sizes = "".join(f"{found[name] / MIB:>10.2f}" for name in ("saved", "peak", "above"))
    return f"{memory:<13}{steps:>4}{sizes} MiB{1000 * found['step']:>9.0f} ms"


def main() -> None:
    """Print a line for each measurement, and one for each way to keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.json")
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 8, 16, 32])
    for name, default in (
        ("batch", 16), ("channels", 12), ("side", 32), ("hidden", 64), ("repeats", 4),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", help="measure this size in this process")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(Size(**json.loads(options.only)))))
        return
    best: dict[tuple[str, int], dict[str, float]] = {}
    for steps in sorted(options.steps) * options.rounds:
        for memory in get_args(Memory):
            size = Size(
                memory, steps, options.batch, options.channels, options.side, options.hidden,
                options.repeats,
            )  # fmt: skip
            found = apart.measured("benchmarks.flows", size)
            known = best.setdefault((memory, steps), found)
            best[memory, steps] = {name: min(known[name], found[name]) for name in found}
    growth = _growth(best, min(options.steps), max(options.steps))
    _print(best, growth)
    if options.out:
        rows = [{"memory": kind, "steps": count, **row} for (kind, count), row in best.items()]
        machine = limits.machine(torch.device("cpu")) | {"threads": 1}
        values = {"machine": machine, "sizes": _sizes(options), "rows": rows, "growth": growth}
        facts.write(options.out, "benchmark_flows", values)


def _sizes(options: argparse.Namespace) -> dict[str, int]:
    names = ("batch", "channels", "side", "hidden", "repeats", "rounds")
    return {name: getattr(options, name) for name in names}


def _growth(
    best: dict[tuple[str, int], dict[str, float]], fewest: int, most: int
) -> dict[str, Any]:
    """Return the growth of each way's memory from the fewest steps to the most, and its time."""
    found: dict[str, Any] = {"from": fewest, "to": most}
    for memory in get_args(Memory):
        few, many = best[memory, fewest], best[memory, most]
        found[memory] = {name: many[name] / few[name] for name in ("saved", "peak", "above")}
        found[memory]["step"] = many["step"] / best["stored", most]["step"]
    return found


def _print(best: dict[tuple[str, int], dict[str, float]], growth: dict[str, Any]) -> None:
    print(f"{'memory':<13}{'K':>4}{'saved/row':>10}{'peak':>10}{'above':>10}{'step':>13}")
    for (memory, steps), found in sorted(best.items(), key=lambda item: item[0][1]):
        print(_line(memory, steps, found))
    fewest, most = growth["from"], growth["to"]
    print(f"K = {most} / K = {fewest}, and step / stored step at K = {most}:")
    for memory in get_args(Memory):
        row = growth[memory]
        print(f"{memory:<17}" + "".join(f"{row[name]:>10.2f}" for name in row))


if __name__ == "__main__":
    main()
