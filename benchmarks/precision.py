"""How many codes bfloat16 logits would change: why sampling has no such mode.

    python -m benchmarks.precision OUT.json

Given the same earlier codes and the same random numbers, each code is chosen twice: from float32
logits and from bfloat16 ones. Priors: those of a preset, untrained, and its top prior after some
steps of training on codes that mostly repeat those of the code-frame before.

Shapes: B clips, T H W code grid, K codes.
"""

import argparse
import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import limits, sizes
from foreframe.artefacts import facts
from foreframe.config.sampling import Choice
from foreframe.priors import choosing
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import Draws, generator

ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
DRAW = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
REPEATED = 0.9  # share of codes that are those of the code-frame before


@dataclass(frozen=True)
class Row:
    """One prior: its largest logit and nats per code; shares of codes that bfloat16 changes."""

    prior: str
    codes: int
    nats_per_code: float
    largest_logit: float
    largest_error: float  # of a bfloat16 logit
    changed_draws: float
    changed_argmax: float


def compare(name: str, prior: SnailPrior, codes_BTHW: Tensor, latents: dict[str, Tensor]) -> Row:
    """Choose every code twice."""
    rounded = copy.deepcopy(prior).bfloat16()
    draws = Draws.first(0, range(len(codes_BTHW)))
    gumbel = draws.gumbel(prior.settings.level, (0,), (*prior.grid, prior.codebook_size))
    with torch.inference_mode():
        exact = prior.logits(codes_BTHW, prior.condition(latents)).movedim(1, -1)
        coarse = rounded.logits(codes_BTHW, rounded.condition(latents)).movedim(1, -1).float()
        nats = -prior.log_prob(codes_BTHW, prior.condition(latents)).mean().item()
        drawn = [choosing.pick(logits, DRAW, gumbel) for logits in (exact, coarse)]
        modes = [choosing.pick(logits, ARGMAX, None) for logits in (exact, coarse)]
    return Row(
        prior=name,
        codes=codes_BTHW.numel(),
        nats_per_code=nats,
        largest_logit=exact.abs().max().item(),
        largest_error=(exact - coarse).abs().max().item(),
        changed_draws=(drawn[0] != drawn[1]).float().mean().item(),
        changed_argmax=(modes[0] != modes[1]).float().mean().item(),
    )


def repeating(prior: SnailPrior, batch: int, seed: int) -> Tensor:
    """Return codes (B,T,H,W) each of which mostly is the one of the code-frame before."""
    numbers = generator(seed, "benchmark", "codes")
    shape = (batch, *prior.grid)
    codes_BTHW = numbers.integers(0, prior.codebook_size, shape)
    repeated = numbers.uniform(shape) < REPEATED
    for frame in range(1, prior.grid[0]):
        before = codes_BTHW[:, frame - 1]
        codes_BTHW[:, frame] = torch.where(repeated[:, frame], before, codes_BTHW[:, frame])
    return codes_BTHW


def train(prior: SnailPrior, steps: int) -> None:
    """Train on fresh repeating codes."""
    optimizer = torch.optim.AdamW(prior.parameters(), lr=0.003)
    for step in range(steps):
        loss = -prior.log_prob(repeating(prior, 8, step), None).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--size", default="laptop", type=sizes.parse)
    parser.add_argument("--clips", default=16, type=int)
    parser.add_argument("--steps", default=300, type=int)
    options = parser.parse_args()
    priors = options.size.priors()
    latents = {level: repeating(prior, options.clips, 10**6) for level, prior in priors.items()}
    rows = [compare(f"{key}, untrained", priors[key], latents[key], latents) for key in priors]
    train(priors["top"], options.steps)
    rows.append(compare(f"top, {options.steps} steps", priors["top"], latents["top"], latents))
    for row in rows:
        print(
            f"{row.prior:20}{row.codes:8} codes, {row.nats_per_code:.2f} nats of at most "
            f"{math.log(priors['top'].codebook_size):.2f}; largest logit {row.largest_logit:.3g}, "
            f"error {row.largest_error:.2g}; changed: {row.changed_draws:.2%} of draws, "
            f"{row.changed_argmax:.2%} of most likely codes"
        )
    machine = limits.machine(torch.device("cpu"))
    values = {"machine": machine, "size": options.size.name, "rows": [asdict(row) for row in rows]}
    facts.write(options.out, "benchmark_precision", values)


if __name__ == "__main__":
    main()
