"""What feature flow costs: time and memory, against torch's own folding, by the size of a patch.

    python -m benchmarks.flow_field [OUT.json] [--kappas 3 5 7] [--batch 16] [--channels 128]
                                    [--side 30] [--repeats 5] [--rounds 3]

One flow of features (batch, channels, side, side) forwards and backwards, by both. Each measurement
is a process of its own, on one thread; the ways take turns, so that a machine that slows down slows
both. Memory is measured where the C library gives what is freed back at once, time where it keeps
all; see `benchmarks.flows`. Printed: `saved`, the bytes that autograd keeps for the way back;
`above`, what the pass added to the largest resident memory of the process; `step`, the processor
time of the quickest pass; and the numbers of folding as multiples of those of the flow. OUT.json
gets all of it.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import apart, limits
from benchmarks.apart import MIB
from foreframe.artefacts import facts
from foreframe.networks.flow_field import flow
from foreframe.randomness import generator

VALUES = ("saved", "above", "step")


def folded(h_BCHW: Tensor, logits_BKHW: Tensor) -> Tensor:
    """Return the flow (B,C,H,W) by way of all that is sent, (B,C,K,H,W)."""
    kappa, size = round(logits_BKHW.shape[1] ** 0.5), h_BCHW.shape[2:]
    sent_BCKHW = logits_BKHW.softmax(dim=1)[:, None] * h_BCHW[:, :, None]
    columns = sent_BCKHW.flatten(3).flatten(1, 2)
    return functional.fold(columns, size, kernel_size=kappa, padding=kappa // 2)


WAYS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"flow": flow, "folded": folded}


@dataclass(frozen=True)
class Size:
    """What is measured: one way, of features (batch, channels, side, side)."""

    way: str
    kappa: int
    batch: int
    channels: int
    side: int
    repeats: int

    def inputs(self) -> tuple[Tensor, Tensor]:
        numbers, place = generator(0, "inputs"), (self.side, self.side)
        shapes = ((self.batch, width, *place) for width in (self.channels, self.kappa**2))
        h_BCHW, logits_BKHW = (numbers.normal(shape).requires_grad_() for shape in shapes)
        return h_BCHW, logits_BKHW


def saved(size: Size) -> int:
    """Return the bytes that are kept for the way back, each piece of memory once."""
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        # Held, so that its address is not given away again.
        kept.setdefault(value.untyped_storage().data_ptr(), value)
        return value

    inputs = size.inputs()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        WAYS[size.way](*inputs)
    return sum(value.untyped_storage().nbytes() for value in kept.values())


def measure(size: Size) -> dict[str, float]:
    """Return what the module's text says of one size, in this process."""
    torch.set_num_threads(1)
    inputs = size.inputs()
    before, times = apart.peak(), []
    for _ in range(size.repeats):
        start = time.process_time()
        WAYS[size.way](*inputs).square().sum().backward()
        times.append(time.process_time() - start)
    above = apart.peak() - before
    return {"saved": saved(size), "above": above, "step": min(times)}


def main() -> None:
    """Print a line for each measurement, and one for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.json")
    parser.add_argument("--kappas", type=int, nargs="+", default=[3, 5, 7])
    sizes = {"batch": 16, "channels": 128, "side": 30, "repeats": 5}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="measure this size in this process")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(Size(**json.loads(options.only)))))
        return
    chosen = {name: getattr(options, name) for name in sizes}
    best: dict[tuple[str, int], dict[str, float]] = {}
    for kappa in options.kappas * options.rounds:
        for way in WAYS:
            found = apart.measured("benchmarks.flow_field", Size(way, kappa, **chosen))
            known = best.setdefault((way, kappa), found)
            best[way, kappa] = {name: min(known[name], found[name]) for name in VALUES}
    ratios = {kappa: _ratios(best, kappa) for kappa in options.kappas}
    _print(best, ratios)
    if options.out:
        rows = [{"way": way, "kappa": kappa, **row} for (way, kappa), row in best.items()]
        machine = limits.machine(torch.device("cpu")) | {"threads": 1}
        measured: dict[str, Any] = {"machine": machine, "sizes": chosen, "rows": rows}
        named = {str(kappa): row for kappa, row in ratios.items()}
        facts.write(options.out, "benchmark_flow_field", measured | {"folded_by_flow": named})


def _ratios(best: Mapping[tuple[str, int], Mapping[str, float]], kappa: int) -> dict[str, float]:
    """Return folding's numbers as multiples of the flow's."""
    return {name: best["folded", kappa][name] / best["flow", kappa][name] for name in VALUES}


def _print(
    best: Mapping[tuple[str, int], Mapping[str, float]], ratios: Mapping[int, Mapping[str, float]]
) -> None:
    print(f"{'way':<8}{'kappa':>6}{'saved':>10}{'above':>10}{'step':>16}")
    for (way, kappa), found in best.items():
        sizes = "".join(f"{found[name] / MIB:>10.2f}" for name in ("saved", "above"))
        print(f"{way:<8}{kappa:>6}{sizes} MiB{1000 * found['step']:>9.1f} ms")
    print("folded / flow:")
    for kappa, row in ratios.items():
        print(f"{kappa:>14}" + "".join(f"{row[name]:>10.2f}" for name in VALUES))


if __name__ == "__main__":
    main()
