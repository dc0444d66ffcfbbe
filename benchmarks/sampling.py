"""How fast each engine samples, beside running the network anew per code, and beside the limit.

    python -m benchmarks.sampling OUT.json --sizes laptop 'laptop*4' thesis --clips 1 8

Weights are random: the time does not depend on them. Steps are timed on some of those that are
taken, evenly spread, and the mean is taken for all; the naive engine on very few. The limit is the
time in which this machine, as measured at the start of the same run, could read the bytes of a step
once and do its arithmetic, whichever takes longer.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import limits, sizes
from benchmarks.limits import Limits
from benchmarks.sizes import Size
from foreframe.artefacts import facts
from foreframe.config.sampling import Choice
from foreframe.networks.attention import CausalAttention
from foreframe.networks.causal import CausalConv3d
from foreframe.priors import choosing
from foreframe.priors.engines import Engine, Step
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.schedule import has_attention
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.noise import Noise
from foreframe.priors.sampling import fastest, sample
from foreframe.priors.snail import SnailPrior

DRAW = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
FLOAT = torch.float32.itemsize
TIMED = {Naive: 3, Incremental: 60, Wavefront: 60}  # steps


@dataclass(frozen=True)
class Row:
    """One engine at one size; seconds, operations and bytes are per code unless they say clip."""

    size: str
    level: str
    grid: tuple[int, int, int]
    engine: str
    clips: int
    codes_per_clip: int
    steps: int
    timed_steps: int
    seconds: float
    times_naive: float
    operations: float
    bytes: float
    share_of_limit: float
    condition_seconds_per_clip: float
    given_seconds_per_clip: float


@dataclass(frozen=True)
class Whole:
    """All of one call of `sample`: noise, condition, given codes, codes, and the second look."""

    size: str
    level: str
    engine: str
    clips: int
    seconds_per_clip: float


def compare(size: Size, clips: int, machine: Limits, device: torch.device) -> Iterator[Row]:
    """Yield a row for each engine that fits each level's prior."""
    grids = size.shapes()
    with torch.device("meta"):
        shadows = size.untrained()
    for prior in size.priors().values():
        prior.to(device)
        above = {name: _random(shape.grid, clips, device) for name, shape in grids.items()}
        naive = 0.0
        for engine in (Naive, Incremental, Wavefront):
            if engine is Wavefront and has_attention(prior):
                continue
            row = measure(size, prior, shadows[prior.settings.level], engine, above, machine, naive)
            naive = naive or row.seconds
            yield row


def measure(
    size: Size,
    prior: SnailPrior,
    shadow: SnailPrior,
    kind: type[Engine],
    above: dict[str, Tensor],
    machine: Limits,
    naive: float,
) -> Row:
    """Time the steps of one engine; `naive` is the naive engine's time per code, if known.

    `shadow` is the prior without numbers, to count operations with.
    """
    codes_BTHW = above[prior.settings.level]
    clips, device = len(codes_BTHW), codes_BTHW.device
    blank = torch.full((clips, 1), prior.codebook_size, device=device)
    codes_BM = torch.cat([codes_BTHW.flatten(1), blank], dim=1)
    start = (codes_BM.shape[1] - 1) // 2
    condition = prior.condition(above)
    condition_seconds = limits.timed(lambda: prior.condition(above), device)
    empty = limits.best(lambda: kind(prior, codes_BM, 0, condition), device, 1)
    given_seconds = limits.timed(lambda: kind(prior, codes_BM, start, condition), device) - empty
    engine = kind(prior, codes_BM, start, condition)
    plan = engine.schedule()
    steps = spread(plan, TIMED[kind])
    noise = torch.zeros(clips, 1, prior.codebook_size, device=device)

    def take(step: Step) -> None:
        codes = choosing.pick(engine.logits(step), DRAW, noise)
        codes_BM.index_copy_(1, step.positions, codes)

    seconds = sum(limits.best(lambda step=step: take(step), device, 1) for step in steps)  # type: ignore[misc]
    counted = operations(shadow, kind, codes_BM, condition)
    work = [(counted(step), moved(prior, kind, step, clips)) for step in steps]
    codes = clips * sum(len(step.positions) for step in steps)
    least = sum(machine.seconds(*needed) for needed in work)
    return Row(
        size=size.name,
        level=prior.settings.level,
        grid=prior.grid,
        engine=kind.__name__.lower(),
        clips=clips,
        codes_per_clip=sum(len(step.positions) for step in plan),
        steps=len(plan),
        timed_steps=len(steps),
        seconds=seconds / codes,
        times_naive=(naive or seconds / codes) / (seconds / codes),
        operations=sum(needed[0] for needed in work) / codes,
        bytes=sum(needed[1] for needed in work) / codes,
        share_of_limit=least / seconds,
        condition_seconds_per_clip=condition_seconds / clips,
        given_seconds_per_clip=max(0.0, given_seconds) / clips,
    )


def spread(steps: Sequence[Step], count: int) -> list[Step]:
    """Return `count` steps, or all if there are fewer, from the middles of equal parts."""
    count = min(count, len(steps))
    return [steps[(2 * part + 1) * len(steps) // (2 * count)] for part in range(count)]


def operations(
    shadow: SnailPrior, kind: type[Engine], codes_BM: Tensor, condition: Tensor | None
) -> Callable[[Step], float]:
    """Return what counts the floating-point operations of a step; a multiply-add is two."""
    engine = kind(
        shadow, codes_BM.to("meta"), 0, None if condition is None else condition.to("meta")
    )

    def count(step: Step) -> float:
        with FlopCounterMode(display=False) as counter:
            engine.logits(Step(step.positions.to("meta"), step.last))
        return counter.get_total_flops()

    return count


def moved(prior: SnailPrior, kind: type[Engine], step: Step, clips: int) -> float:
    """Return the bytes that a step must read at least: live weights once, kept inputs per code."""
    weights = sum(parameter.numel() for parameter in prior.trunk.parameters())
    gathered = 0
    for module in prior.trunk.modules():
        if isinstance(module, CausalConv3d):
            outputs, inputs, *kernel = module.weight.shape
            live = len(module.offsets())
            weights -= outputs * inputs * (torch.Size(kernel).numel() - live)
            gathered += inputs * live
        elif isinstance(module, CausalAttention):
            gathered += step.last * (module.key.out_channels + module.value.out_channels)
    if kind is Naive:
        return FLOAT * weights
    return FLOAT * (weights + clips * len(step.positions) * gathered)


def whole(size: Size, clips: int, device: torch.device) -> Iterator[Whole]:
    """Yield the time of a call of `sample` for each level, with the fastest engine."""
    shapes = size.shapes()
    for level, prior in size.priors().items():
        prior.to(device)
        above = {name: _random(shape.grid, clips, device) for name, shape in shapes.items()}
        given = above[level][:, : prior.grid[0] // 2]
        kind = fastest(prior)
        arguments = (prior, given, above, DRAW, Noise(0, range(clips)), kind)
        seconds = limits.timed(lambda: sample(*arguments), device)  # noqa: B023
        yield Whole(size.name, level, kind.__name__.lower(), clips, seconds / clips)


def _random(grid: tuple[int, int, int], clips: int, device: torch.device) -> Tensor:
    # Every codebook has at least this many codes.
    return torch.randint(8, (clips, *grid), device=device)


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    print(
        f"{'size':12}{'level':8}{'engine':13}{'clips':>5}{'steps':>7}{'ms/code':>11}{'x naive':>10}"
        f"{'MFLOP/code':>12}{'kB/code':>9}{'limit':>7}{'condition':>11}{'given':>8}"
    )
    for row in rows:
        print(
            f"{row.size:12}{row.level:8}{row.engine:13}{row.clips:5}{row.steps:7}"
            f"{1e3 * row.seconds:11.4f}{row.times_naive:10.0f}{row.operations / 1e6:12.2f}"
            f"{row.bytes / 1e3:9.0f}{row.share_of_limit:7.0%}"
            f"{row.condition_seconds_per_clip:9.2f} s{row.given_seconds_per_clip:6.2f} s"
        )


def main() -> None:
    """Print the tables and write their numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--sizes", nargs="+", default=["laptop", "thesis"], type=str)
    parser.add_argument("--clips", nargs="+", default=[1, 8], type=int)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--device", default="cpu", type=torch.device)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.no_grad():
        machine = limits.measure(options.device)
        print(
            f"limits: {machine.bandwidth / 1e9:.1f} GB/s read, "
            f"{machine.arithmetic / 1e9:.0f} GFLOP/s float32, {options.threads} threads\n"
        )
        chosen = [sizes.parse(text) for text in options.sizes]
        rows: list[Row] = []
        calls: list[Whole] = []
        for size in chosen:
            for clips in options.clips:
                rows += compare(size, clips, machine, options.device)
                calls += whole(size, clips, options.device)
    show(rows)
    print("\nwhole calls (noise, condition, given codes, codes, second look):")
    for call in calls:
        which = f"{call.size:12}{call.level:8}{call.engine:13}{call.clips:5}"
        print(f"{which}{call.seconds_per_clip:10.2f} s/clip")
    values = {
        "limits": asdict(machine),
        "threads": options.threads,
        "rows": [asdict(row) for row in rows],
        "calls": [asdict(call) for call in calls],
    }
    facts.write(options.out, "benchmark_sampling", values)


if __name__ == "__main__":
    main()
