"""Sampling on a GPU: the same codes as on a CPU, recorded steps beside launched ones, whole clips.

    python -m benchmarks.gpu OUT.json --sizes laptop thesis --clips 1 32

Weights are random, half of each grid is given. The largest grids are checked against the CPU for
one clip alone. With `--device cpu --sizes smoke` the same program runs without a GPU: recorded
steps are then taken one by one.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import limits, sizes
from benchmarks.sampling import DRAW
from benchmarks.sizes import Size
from foreframe.artefacts import facts
from foreframe.priors.engines import Engine
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.schedule import has_attention
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.sampling import fastest, sample
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import Draws, generator


class Recorded(Incremental):
    """Steps that are recorded once and replayed (where there is something to record them)."""

    @property
    def replayable(self) -> bool:
        """Return True."""
        return True


class Launched(Incremental):
    """Steps whose operations are launched one after the other."""

    @property
    def replayable(self) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True)
class Call:
    """A whole call of `sample`: seconds per clip, and how many codes differ from the CPU's.

    The second of two calls is timed, since the first one sets libraries up. `different` is None
    where the CPU was not asked.
    """

    size: str
    level: str
    engine: str
    clips: int
    seconds_per_clip: float
    different: int | None


def call(
    size: Size,
    prior: SnailPrior,
    kind: type[Engine],
    latents: Mapping[str, Tensor],
    expected: Tensor | None,
) -> Call:
    """Sample twice, time the second call, and compare its codes with the expected ones."""
    device = prior.trunk.head.weight.device
    here = {level: codes.to(device) for level, codes in latents.items()}
    given = here[prior.settings.level][:, : prior.grid[0] // 2]
    draws = Draws.first(0, range(len(given)))
    found: list[Tensor] = []
    for _ in range(2):
        seconds = limits.timed(
            lambda: found.append(sample(prior, given, here, DRAW, draws, 0, kind)), device
        )
    different = None if expected is None else int((found[-1].cpu() != expected).sum())
    name = kind.__name__.lower()
    return Call(size.name, prior.settings.level, name, len(given), seconds / len(given), different)


def calls(size: Size, clips: int, device: torch.device, check: bool) -> list[Call]:
    """Return the calls of both levels with every engine that a GPU may use."""
    result = []
    shapes = size.shapes()
    latents = {
        level: generator(0, "benchmark", "codes", level).integers(0, 8, (clips, *shape.grid))
        for level, shape in shapes.items()
    }
    for level, prior in size.priors().items():
        given = latents[level][:, : prior.grid[0] // 2]
        expected = None
        if check:
            draws = Draws.first(0, range(clips))
            expected = sample(prior, given, latents, DRAW, draws, 0, fastest(prior))
        kinds = (Recorded, Launched) if has_attention(prior) else (Wavefront,)
        prior.to(device)
        result += [call(size, prior, kind, latents, expected) for kind in kinds]
    return result


def main() -> None:
    """Print the table and write its numbers; fail if a code differs from the CPU's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--sizes", nargs="+", default=["laptop", "thesis"])
    parser.add_argument("--clips", nargs="+", default=[1, 32], type=int)
    parser.add_argument("--device", default="cuda", type=torch.device)
    options = parser.parse_args()
    torch.use_deterministic_algorithms(mode=True)
    machine = limits.measure(options.device)
    print(f"{limits.machine(options.device)}\n{machine}")
    found: list[Call] = []
    for size in map(sizes.parse, options.sizes):
        for clips in options.clips:
            check = clips == 1 or size.preset != "thesis"
            for each in calls(size, clips, options.device, check):
                found.append(each)
                print(
                    f"{each.size:12}{each.level:8}{each.engine:11}{each.clips:5}"
                    f"{each.seconds_per_clip:10.3f} s/clip   different codes: {each.different}"
                )
    values = {
        "machine": limits.machine(options.device),
        "limits": asdict(machine),
        "calls": [asdict(each) for each in found],
    }
    facts.write(options.out, "benchmark_gpu", values)
    if any(each.different for each in found):
        raise SystemExit("error: codes differ from those of the CPU.")


if __name__ == "__main__":
    main()
