"""How fast each engine samples, beside running the network anew per code, and beside the limit.

    python -m benchmarks.sampling OUT.json --sizes laptop 'laptop*4' thesis --clips 1 8
    python -m benchmarks.sampling OUT.json --sizes noisy_codes/thesis --clips 1

Weights are random: the time does not depend on them. Half of each grid is given. Steps are timed
on some of those that are taken, evenly spread, and the mean is taken for all; the naive engine on
four. The limit is the time in which this machine, as measured in the same run, could read the bytes
of a step once and do its arithmetic, whichever takes longer.
"""

import argparse
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import limits, sizes, work
from benchmarks.limits import Limits
from benchmarks.sizes import Size
from foreframe.artefacts import facts
from foreframe.config.sampling import Choice
from foreframe.priors import choosing
from foreframe.priors.engines import Engine, Step
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.schedule import has_attention
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.sampling import fastest, look, sample
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import Draws

ROUNDS = 6  # the fastest counts; steps that take seconds are taken once or twice
DRAW = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
ENGINES: dict[str, type[Engine]] = {
    kind.__name__.lower(): kind for kind in (Naive, Incremental, Rowwise, Wavefront)
}


@dataclass(frozen=True)
class Row:
    """One engine at one size; seconds, operations and bytes are per code unless they say clip.

    `times_naive` is None where the naive engine was not timed in the same run.
    """

    size: str
    level: str
    grid: tuple[int, int, int]
    engine: str
    clips: int
    codes_per_clip: int
    steps: int
    timed_steps: int
    seconds: float
    times_naive: float | None
    operations: float
    bytes: float
    bytes_of_all_live_weights: float
    least_seconds: float  # in which the machine could do it
    condition_seconds_per_clip: float
    given_seconds_per_clip: float

    @property
    def share_of_limit(self) -> float:
        """How near the time is to the least one."""
        return self.least_seconds / self.seconds


@dataclass(frozen=True)
class Whole:
    """All of one call of `sample`: noise, condition, given codes, codes, and the second look.

    How often there is a second look depends on the weights, so one at a single code, the middle one
    of those sampled, is timed apart, in float64 on one clip; beside it the pass over all of it.
    """

    size: str
    level: str
    engine: str
    clips: int
    seconds_per_clip: float
    codes_per_clip: int
    look_seconds: float
    pass_seconds: float

    @property
    def seconds(self) -> float:
        """The time per code, all included."""
        return self.seconds_per_clip / self.codes_per_clip


def compare(
    size: Size, prior: SnailPrior, kinds: Sequence[type[Engine]], clips: int, machine: Limits
) -> Iterator[Row]:
    """Yield a row for each engine that fits a prior."""
    device = prior.trunk.head.weight.device
    above = {name: _random(shape.grid, clips, device) for name, shape in size.shapes().items()}
    found: list[Tensor | None] = []
    condition_seconds = limits.timed(lambda: found.append(prior.condition(above)), device)
    codes_BTHW = above[prior.settings.level]
    naive: float | None = None
    for kind in kinds:
        if kind is Wavefront and has_attention(prior):
            continue
        timing = time_steps(prior, kind, codes_BTHW, found[0])
        naive = timing.seconds if kind is Naive else naive
        needed = [
            (work.counted(prior, kind, step, clips), work.moved(prior, kind, step, clips))
            for step in timing.steps
        ]
        yield Row(
            size=size.name,
            level=prior.settings.level,
            grid=prior.grid,
            engine=kind.__name__.lower(),
            clips=clips,
            codes_per_clip=codes_BTHW[0].numel() - codes_BTHW[0].numel() // 2,
            steps=timing.planned,
            timed_steps=len(timing.steps),
            seconds=timing.seconds,
            times_naive=None if naive is None else naive / timing.seconds,
            operations=sum(operations for operations, _ in needed) / timing.codes,
            bytes=sum(size for _, size in needed) / timing.codes,
            bytes_of_all_live_weights=work.FLOAT * work.live_weights(prior),
            least_seconds=sum(machine.seconds(*each) for each in needed) / timing.codes,
            condition_seconds_per_clip=condition_seconds / clips,
            given_seconds_per_clip=timing.given / clips,
        )


@dataclass(frozen=True)
class Timing:
    """Seconds per code, and for reading the given codes; which steps of how many were timed."""

    seconds: float
    given: float
    codes: int
    steps: list[Step]
    planned: int


def time_steps(
    prior: SnailPrior, kind: type[Engine], codes_BTHW: Tensor, condition: Tensor | None
) -> Timing:
    """Time some of the steps that an engine takes after half of the codes."""
    device = codes_BTHW.device
    blank = torch.full((len(codes_BTHW), 1), prior.codebook_size, device=device)
    codes_BM = torch.cat([codes_BTHW.flatten(1), blank], dim=1)
    start = (codes_BM.shape[1] - 1) // 2
    noise = torch.zeros(len(codes_BM), 1, prior.codebook_size, device=device)
    empty = limits.timed(lambda: kind(prior, codes_BM, 0, condition), device)
    made: list[Engine] = []
    given = limits.timed(lambda: made.append(kind(prior, codes_BM, start, condition)), device)
    plan = made[0].schedule()

    def take(steps: Sequence[Step]) -> None:
        for step in steps:
            codes = choosing.pick(made[0].logits(step), DRAW, noise)
            codes_BM.index_copy_(1, step.positions, codes)

    passages = parts(plan, kind, prior.grid[2])
    # In turn, so that a row is begun anew each time that it is timed.
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS and sum(map(sum, rounds)) < limits.LONG * len(passages):
        rounds.append([limits.timed(lambda: take(each), device) for each in passages])  # noqa: B023
    seconds = sum(min(times) for times in zip(*rounds, strict=True))
    steps = [step for passage in passages for step in passage]
    codes = len(codes_BM) * sum(len(step.positions) for step in steps)
    return Timing(seconds / codes, max(0.0, given - empty), codes, steps, len(plan))


def parts(plan: Sequence[Step], kind: type[Engine], columns: int) -> list[Sequence[Step]]:
    """Return stretches of steps, evenly spread: single steps, waves, or rows of the grid."""
    length, count = {Naive: (1, 4), Wavefront: (1, 40)}.get(kind, (columns, 4))
    rows = [plan[first : first + length] for first in range(0, len(plan), length)]
    count = min(count, len(rows))
    return [rows[(2 * part + 1) * len(rows) // (2 * count)] for part in range(count)]


def whole(size: Size, prior: SnailPrior, clips: int) -> Whole:
    """Return the time of a call of `sample` with the fastest engine, after half of the code-frames.

    A single map has one, and so nothing is given.
    """
    device = prior.trunk.head.weight.device
    above = {name: _random(shape.grid, clips, device) for name, shape in size.shapes().items()}
    given = above[prior.settings.level][:, : prior.grid[0] // 2]
    kind = fastest(prior)
    seconds = limits.timed(
        lambda: sample(prior, given, above, DRAW, Draws.first(0, range(clips)), 0, kind), device
    )
    exact, one = copy.deepcopy(prior).double(), {name: codes[:1] for name, codes in above.items()}
    codes_1THW, count = one[prior.settings.level], given[0].numel()
    codes = codes_1THW.numel() - count
    middle = torch.tensor([count + codes // 2], device=device)
    return Whole(
        size=size.name,
        level=prior.settings.level,
        engine=kind.__name__.lower(),
        clips=clips,
        seconds_per_clip=seconds / clips,
        codes_per_clip=codes,
        look_seconds=_least(lambda: look(exact, codes_1THW, one, middle), device),
        pass_seconds=_least(lambda: exact.logits(codes_1THW, exact.condition(one)), device),
    )


def _least(call: Callable[[], object], device: torch.device) -> float:
    first = limits.timed(call, device)
    again = 0 if first > limits.LONG else ROUNDS - 1
    return min([first, *(limits.timed(call, device) for _ in range(again))])


def _random(grid: tuple[int, int, int], clips: int, device: torch.device) -> Tensor:
    # Every codebook has at least this many codes.
    return torch.randint(8, (clips, *grid), device=device)


def show(rows: Sequence[Row], calls: Sequence[Whole]) -> None:
    """Print the rows as tables."""
    print(
        f"{'size':20}{'level':8}{'engine':13}{'clips':>5}{'steps':>7}{'ms/code':>11}{'x naive':>10}"
        f"{'MFLOP/code':>12}{'kB/code':>9}{'limit':>7}{'condition':>11}{'given':>8}"
    )
    for row in rows:
        ratio = "-" if row.times_naive is None else f"{row.times_naive:.0f}"
        print(
            f"{row.size:20}{row.level:8}{row.engine:13}{row.clips:5}{row.steps:7}"
            f"{1e3 * row.seconds:11.4f}{ratio:>10}{row.operations / 1e6:12.2f}"
            f"{row.bytes / 1e3:9.0f}{row.share_of_limit:7.0%}"
            f"{row.condition_seconds_per_clip:9.2f} s{row.given_seconds_per_clip:6.2f} s"
        )
    if calls:
        print("\nwhole calls (noise, condition, given codes, codes); a second look at one code:")
    for call in calls:
        which = f"{call.size:20}{call.level:8}{call.engine:13}{call.clips:5}"
        print(
            f"{which}{call.seconds_per_clip:10.3f} s/clip{1e3 * call.seconds:11.4f} ms/code"
            f"{1e3 * call.look_seconds:11.1f} ms a look{1e3 * call.pass_seconds:11.1f} ms a pass"
        )


def main() -> None:
    """Print the tables and write their numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--sizes", nargs="+", default=["laptop", "thesis"], type=str)
    parser.add_argument("--levels", nargs="+", default=["top", "bottom"], type=str)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--clips", nargs="+", default=[1, 8], type=int)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--calls", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = options.device
    machine = limits.measure(device)
    rows: list[Row] = []
    calls: list[Whole] = []
    kinds = [ENGINES[name] for name in options.engines]
    with torch.inference_mode():
        for size in map(sizes.parse, options.sizes):
            for level, prior in size.priors().items():
                for clips in options.clips if level in options.levels else []:
                    machine = machine.or_better(limits.measure(device))
                    rows += compare(size, prior.to(device), kinds, clips, machine)
                    calls += [whole(size, prior, clips)] if options.calls else []
    print(
        f"limits: {machine.bandwidth / 1e9:.1f} GB/s read, "
        f"{machine.arithmetic / 1e9:.0f} GFLOP/s float32, {options.threads} threads\n"
    )
    show(rows, calls)
    values = {
        "limits": asdict(machine),
        "machine": limits.machine(device),
        "rows": [asdict(row) | {"share_of_limit": row.share_of_limit} for row in rows],
        "calls": [asdict(call) | {"seconds_per_code": call.seconds} for call in calls],
    }
    facts.write(options.out, "benchmark_sampling", values)


if __name__ == "__main__":
    main()
