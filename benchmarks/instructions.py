"""What computing portably costs: a training step of every model of a preset at each level.

    python -m benchmarks.instructions [--preset laptop] [--steps 20] [--rounds 3]

Each measurement is a process of its own, since the libraries read their switches once; the levels
take turns, so that a machine that slows down slows all of them. Printed: processor time of the
quickest step, and the share of `native` and of `AVX2` that it is. `AVX2` holds the instructions to
AVX2 and leaves MKL free: on a CPU without AVX-512 it is the same as native.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from foreframe.running.instructions import SWITCHES, VARIABLE

AVX2 = {name: value for name, value in SWITCHES.items() if name != "MKL_CBWR"}
LEVELS = {"native": {}, "AVX2": AVX2, "portable": SWITCHES}


def measure(preset: str, name: str, steps: int) -> float:
    """Return the processor seconds of the quickest training step of a model, in this process."""
    import torch

    from benchmarks import sizes
    from foreframe.randomness import generator
    from foreframe.training.objective import Moment

    torch.set_num_threads(1)
    network, batch = sizes.parse(preset).lesson(name)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, foreach=True)
    found = []
    for step in range(steps):
        start = time.process_time()
        moment = Moment(step, steps, 0, step, steps, generator(0, "benchmark", "step", step))
        loss = network.loss(batch, moment)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        found.append(time.process_time() - start)
    return min(found)


def _child(level: str, words: list[str]) -> float:
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    command = [sys.executable, "-m", "benchmarks.instructions", *words]
    # The switches stand in the environment: nothing adopts a level here.
    run = subprocess.run(
        command, env={**kept, VARIABLE: "native", **LEVELS[level]},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(json.loads(run.stdout))


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="laptop")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="measure this model in this process")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.preset, options.only, options.steps)))
        return
    print(f"{'model':<12}" + "".join(f"{level:>12}" for level in LEVELS) + "   of native   of AVX2")
    for name in ("vqvae", "top", "bottom"):
        words = ["--preset", options.preset, "--steps", str(options.steps), "--only", name]
        best = dict.fromkeys(LEVELS, float("inf"))
        for _ in range(options.rounds):
            for level in LEVELS:
                best[level] = min(best[level], _child(level, words))
        times = "".join(f"{1000 * value:>9.1f} ms" for value in best.values())
        ratios = [best["portable"] / best[level] for level in ("native", "AVX2")]
        print(f"{name:<12}{times}" + "".join(f"{ratio:>10.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
