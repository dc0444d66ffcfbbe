"""What it costs that several processes train to the same bytes; and a model of many more of them.

    python -m benchmarks.elastic OUT.json [--kinds svg rfn] [--shards 4] [--steps 12] [--rounds 5]

Predictors at the sizes of a laptop on batches of 16 clips of noise (`recurrent_models`), one thread
a process, portable instructions. Each way of training is a program that takes turns with the
others; a step's time is the median of a program's steps, each ratio the median over rounds.

`recomputed` is a batch in one piece whose activations are computed again (`networks.recomputed`).
`plain` adds up the gradients of the same shards as PyTorch does, and moves the weights; against it
stands what the shards cost one process. `whole` is a batch in one piece. `exchange` is the time in
which a process sends and receives sums, and waits for the others; `sent` is what each one sends.

`model` is no measurement: for W processes with a shard each it has the time of one shard and of
moving the weights as measured, and for the sums 2 (W-1)/W of their bytes at a bandwidth, and
2 log2 W delays. It leaves out reading of data, and assumes that no process is slower than others.
"""

import argparse
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks import limits, recurrent_models  # noqa: E402
from benchmarks.recurrent_models import BATCH, CPU  # noqa: E402
from foreframe.artefacts import facts  # noqa: E402
from foreframe.config.compute import Compute  # noqa: E402
from foreframe.config.training import MODEL, Plan  # noqa: E402
from foreframe.networks.recomputed import recomputing  # noqa: E402
from foreframe.randomness import generator  # noqa: E402
from foreframe.running import memory, processes  # noqa: E402
from foreframe.running.crew import Crew, joined  # noqa: E402
from foreframe.training.checkpoints import Checkpoints  # noqa: E402
from foreframe.training.loop import fit  # noqa: E402
from foreframe.training.objective import Losses, Moment, Objective, Turn  # noqa: E402
from foreframe.training.samples import Samples  # noqa: E402
from foreframe.training.step import Run  # noqa: E402

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
Batch = dict[str, Tensor]
TIMED = "benchmark_timed"
# Named, not measured: bytes a second and seconds of delay of two kinds of network.
NETWORKS = {"10 Gbit/s": (1.25e9, 50e-6), "400 Gbit/s": (50e9, 5e-6)}
MODELLED = [4**power for power in range(1, 7)]  # 4 to 4,096


@dataclass(frozen=True)
class Timed:
    """Seconds of a step and of the exchange in it, and bytes that a process sends in it."""

    step: float
    exchange: float
    sent: int


@dataclass(frozen=True)
class Watching(Crew):
    """A crew that notes how long its sums take, and how many bytes they have."""

    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def total(self, own: Tensor) -> Tensor:
        start = time.perf_counter()
        found = super().total(own)
        self.seconds.append(time.perf_counter() - start)
        self.sizes.append(own.numel() * own.element_size())
        return found


class Watched(Objective[Batch]):
    """Another objective; notes when it is asked for losses."""

    def __init__(self, of: Objective[Batch]) -> None:
        self._of = of
        self.model, self.players, self.turns = of.model, of.players, of.turns
        self.asked: list[float] = []

    def losses(self, batch: Batch, moment: Moment, turn: Turn) -> Losses:
        self.asked.append(time.perf_counter())
        return self._of.losses(batch, moment, turn)

    def measure(self, batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        return self._of.measure(batch, moment)


class Lesson:
    """A predictor with its starting weights, and the clips of a batch."""

    def __init__(self, kind: str) -> None:
        self.model = recurrent_models.predictor(kind)
        self.clips = recurrent_models.clips(self.model, BATCH)

    def read(self, rows: Tensor) -> Batch:
        return {name: values[rows % BATCH] for name, values in self.clips.items()}


def sharded(kind: str, shards: int, steps: int) -> Timed:
    """Return what the project's own training takes one of its processes."""
    lesson = Lesson(kind)
    objective = Watched(lesson.model.objective())
    plan = lesson.model.settings.training.plan()
    phase = plan.phases[0].model_copy(update={"steps": steps})
    plan = Plan(**{**dict(plan), "phases": (phase,), "shards": shards})
    data = Samples(steps * BATCH, lesson.read)  # one epoch: each ends with a checkpoint
    with joined(CPU) as crew, tempfile.TemporaryDirectory() as folder:
        watching = Watching(crew.rank, crew.count, crew.others, crew._control)
        run = Run(0, "benchmark", COMPUTE, CPU, Checkpoints(Path(folder), 1e9), watching)
        with recomputing(asked=memory.recomputes()):
            fit(objective, lambda _: data, None, plan, run)
    begins = objective.asked[:: shards // crew.count]
    pairs = itertools.pairwise(begins[1:])  # the first step sets up the optimiser
    return Timed(
        statistics.median(after - before for before, after in pairs),
        statistics.median(watching.seconds) if watching.seconds else 0.0,
        round(2 * (crew.count - 1) / crew.count * max(watching.sizes, default=0)),
    )


def plain(kind: str, shards: int, steps: int) -> Timed:
    """Return what adding up gradients as PyTorch does takes."""
    lesson = Lesson(kind)
    model = lesson.model.train()
    objective = model.objective()
    weights = [*model.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-3, fused=True)
    times = []
    for step in range(steps):
        start = time.perf_counter()
        for number, rows in enumerate(torch.arange(BATCH).chunk(shards)):
            moment = Moment(step, steps, 0, step, steps, generator(0, "plain", step, number))
            losses = objective.losses(lesson.read(rows), moment, objective.turns[0])
            (losses[MODEL]["loss"] / shards).backward()
        torch.nn.utils.get_total_norm(
            [weight.grad for weight in weights if weight.grad is not None]
        )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - start)
    return Timed(statistics.median(times[1:]), 0.0, 0)


WAYS = {"plain": plain, "sharded": sharded}


def measured(
    way: str, kind: str, shards: int, steps: int, count: int, activations: str = memory.KEPT
) -> Timed:
    """Return what a program with so many processes finds."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        words = ["--worker", way, kind, str(shards), str(steps)]
        command = [sys.executable, "-m", "benchmarks.elastic", str(out), *words]
        environment = {
            **os.environ,
            processes.WANTED: str(count),
            memory.NAME: activations,
            "OMP_NUM_THREADS": "1",
        }
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
        known = facts.read(out, TIMED)
        return Timed(known["step"], known["exchange"], known["sent"])


@dataclass(frozen=True)
class Row:
    """One kind: medians over rounds, in seconds; ratios of single rounds."""

    kind: str
    weights: int
    whole: float
    one: float
    two: float
    exchange: float
    sent: int
    over_plain: float
    over_whole: float
    speedup: float
    recomputed: float


def row(kind: str, shards: int, steps: int, rounds: int) -> Row:
    """Return what a kind takes: in one piece, in shards by one process and by two."""
    found: dict[str, list[Timed]] = {}
    for _ in range(rounds):
        for name, way, cut, count, activations in (
            ("whole", "sharded", 1, 1, memory.KEPT),
            ("recomputed", "sharded", 1, 1, memory.RECOMPUTED),
            ("plain", "plain", shards, 1, memory.KEPT),
            ("one", "sharded", shards, 1, memory.KEPT),
            ("two", "sharded", shards, 2, memory.KEPT),
        ):
            found.setdefault(name, []).append(measured(way, kind, cut, steps, count, activations))
    seconds = {name: [each.step for each in times] for name, times in found.items()}

    def ratio(name: str, other: str) -> float:
        pairs = zip(seconds[name], seconds[other], strict=True)
        return statistics.median(one / two for one, two in pairs)

    middle = {name: statistics.median(times) for name, times in seconds.items()}
    return Row(
        kind,
        recurrent_models.predictor(kind).trainable(),
        middle["whole"],
        middle["one"],
        middle["two"],
        statistics.median(each.exchange for each in found["two"]),
        found["two"][0].sent,
        ratio("one", "plain"),
        ratio("one", "whole"),
        ratio("one", "two"),
        ratio("recomputed", "whole"),
    )


def modelled(row: Row, shards: int) -> list[dict[str, Any]]:
    """Return by network and processes how much faster than one process a step would be.

    The batch grows with the processes, a shard of the same size for each; the efficiency is the
    time of a shard alone as a share of the step.
    """
    shard, size = row.one / shards, 2 * row.sent  # two processes send half of the bytes each
    return [
        {
            "network": network,
            "processes": count,
            "seconds": shard + exchange,
            "efficiency": shard / (shard + exchange),
        }
        for network, (bandwidth, delay) in NETWORKS.items()
        for count in MODELLED
        for exchange in [2 * (count - 1) / count * size / bandwidth + 2 * math.log2(count) * delay]
    ]


def main() -> None:
    """Measure, and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--kinds", nargs="+", default=["rfn", "svg", "hierarchical_vrnn"])
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", nargs=4, metavar=("WAY", "KIND", "SHARDS", "STEPS"))
    given = parser.parse_args()
    recurrent_models.prepare(COMPUTE.threads)
    if given.worker:
        way, kind, shards, steps = given.worker
        found = WAYS[way](kind, int(shards), int(steps))
        if processes.rank() == 0:
            facts.write(given.out, TIMED, asdict(found))
        return
    rows = [row(kind, given.shards, given.steps, given.rounds) for kind in given.kinds]
    facts.write(
        given.out,
        "elastic",
        {
            "machine": limits.machine(CPU),
            "shards": given.shards,
            "rounds": given.rounds,
            "rows": [asdict(each) for each in rows],
            "model": {each.kind: modelled(each, given.shards) for each in rows},
        },
    )


if __name__ == "__main__":
    main()
