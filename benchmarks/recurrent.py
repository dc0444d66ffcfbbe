"""What predictors that go frame by frame cost: training, further futures, pooling; public code.

    python -m benchmarks.recurrent OUT.json [--parts training sampling pooling] [--rounds 7]
                                   [--kinds rfn svg] [--peer svg=CHECKOUT ...]

Weights are random and clips noise, 32 x 32 pixels in grey, of 10 frames. What is compared takes
turns; each time is the median of the rounds, each ratio the median of those of single rounds.
Everything runs as a stage would: portable instructions, deterministic kernels, two threads.

`training`: a step on 16 clips, its arithmetic as three times that of a forward pass, and the share
of two speeds that this is: of a product of two matrices of 2,048 rows (MKL, whose portable one
uses no AVX2), and of a 3 x 3 convolution of 256 channels (oneDNN, which does), both in float32.
`sampling`: futures of one clip, 5 frames given and 5 drawn, its context encoded once; 100 futures
at once are checked to be those drawn one by one. The first one costs as much as eight: that many
are always drawn together (see `predictors.recurrent.WIDTH`).
`pooling`: maxima and enlarging without a scattered gradient, beside torch's own, with gradients.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from benchmarks import limits, paired, recurrent_models  # noqa: E402
from benchmarks.recurrent_models import CPU, FRAMES, KINDS, ROWS, Lesson  # noqa: E402
from benchmarks.recurrent_peers import PEERS  # noqa: E402
from foreframe.artefacts import facts  # noqa: E402
from foreframe.networks.pooling import enlarge, maxima  # noqa: E402
from foreframe.predictors import Context  # noqa: E402
from foreframe.predictors.recurrent import WIDTH  # noqa: E402
from foreframe.randomness import Draws, generator  # noqa: E402

SIDE = 2048
CHANNELS, PLACES = 256, 16  # of the pictures that are convolved
BACKWARD = 3  # times the arithmetic of a forward pass: gradients of inputs, and of weights
GIVEN = 5
FUTURES = (1, 10, 100)
SAME = (0, 37, 99)  # of the futures, those that are drawn alone, too

MEAN_FRAMES = {"latents": "sample", "temperature": 1.0, "frames": "mean"}
OPTIONS: dict[str, dict[str, Any]] = {
    "rfn": {"flow": 0.7, "prior": 1.0},
    "srnn": MEAN_FRAMES | {"frames": "sample"},
    "vrnn": MEAN_FRAMES | {"frames": "sample"},
    "svg": MEAN_FRAMES,
    "hierarchical_vrnn": MEAN_FRAMES,
}
POOLING: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "maxima": (maxima, lambda x_BCHW: functional.max_pool2d(x_BCHW, 2)),
    "enlarge": (
        enlarge,
        lambda x_BCHW: functional.interpolate(x_BCHW, scale_factor=2, mode="nearest"),
    ),
}
# Pictures of a batch of 16 clips: those of the highest and of the lowest resolution.
PICTURES = ((160, 16, 32, 32), (160, 64, 8, 8))


@dataclass(frozen=True)
class Trained:
    """A training step of one kind; operations in billions, of all of the step."""

    kind: str
    weights: int
    operations: float
    seconds: float
    share_of_product: float
    share_of_convolution: float


@dataclass(frozen=True)
class Sampled:
    """Futures of one clip; `further` has by count what each but the first costs, the first as 1."""

    kind: str
    encode_seconds: float
    first_seconds: float
    further: dict[int, float]


@dataclass(frozen=True)
class Pooled:
    """Ours and torch's way of one operation with its gradient."""

    name: str
    shape: tuple[int, int, int, int]
    seconds: float
    times_torch: float


def training(
    kinds: Sequence[str], batch: int, rounds: int
) -> tuple[dict[str, float], list[Trained]]:
    """Return what the machine does in a second, in operations, and a row for each kind."""
    lessons = {kind: Lesson(recurrent_models.predictor(kind), batch) for kind in kinds}
    matrix, x_BCHW = torch.ones(SIDE, SIDE), torch.ones(batch, CHANNELS, PLACES, PLACES)
    kernel = torch.ones(CHANNELS, CHANNELS, 3, 3)
    works: dict[str, Callable[[], object]] = {
        "product": lambda: matrix @ matrix,
        "convolution": lambda: functional.conv2d(x_BCHW, kernel, padding=1),
        **{kind: lesson.take for kind, lesson in lessons.items()},
    }
    times = paired.in_turn(works, rounds)
    reach = {"product": 2 * SIDE**3, "convolution": 2 * x_BCHW.numel() * CHANNELS * 3**2}
    rows = []
    for kind, lesson in lessons.items():
        operations = BACKWARD * lesson.operations
        shares = [
            operations / most * paired.ratio(times, name, kind) for name, most in reach.items()
        ]
        seconds = paired.median(times, kind)
        rows.append(Trained(kind, lesson.weights, operations / 1e9, seconds, *shares))
    return {name: most / paired.median(times, name) for name, most in reach.items()}, rows


def sampling(kind: str, rounds: int) -> Sampled:
    """Return what further futures cost, after checking that they are the same ones."""
    model = recurrent_models.predictor(kind).eval()
    grey = generator(0, "clip").integers(0, 256, (1, GIVEN, ROWS, ROWS, 1)).to(torch.uint8)
    context = Context(grey.expand(-1, -1, -1, -1, 3), [0])
    options = model.options.model_validate(OPTIONS[kind])
    draws = Draws.each(0, [0], range(max(FUTURES)))

    def draw(rows: Sequence[int]) -> Tensor:
        return model.predict(context, FRAMES - GIVEN, options, draws.of(rows)).frames

    together = draw(range(len(draws)))
    for row in SAME:
        assert torch.equal(draw([row])[0], together[row]), f"{kind}: future {row} is another one"
    x_1CtHW = model.inward(context.frames, [generator(0, "dequantise")])
    works: dict[str, Callable[[], object]] = {"encode": lambda: model.encode(x_1CtHW)}
    works |= {str(count): partial(draw, range(count)) for count in FUTURES}
    with torch.no_grad():
        times = paired.in_turn(works, rounds)
    first = str(FUTURES[0])
    further = {
        count: (paired.ratio(times, str(count), first) - 1) / (count - 1) for count in FUTURES[1:]
    }
    return Sampled(kind, paired.median(times, "encode"), paired.median(times, first), further)


def pooling(name: str, shape: tuple[int, int, int, int], rounds: int) -> Pooled:
    """Return what our way costs, after checking that values and gradients are the same."""
    x_BCHW = generator(0, "pictures").normal(shape).requires_grad_()
    weights = generator(0, "weights").normal(tuple(POOLING[name][0](x_BCHW).shape))

    def run(way: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        found = way(x_BCHW)
        return found.detach(), torch.autograd.grad(found, x_BCHW, weights)[0]

    ours, theirs = POOLING[name]
    torch.testing.assert_close(run(ours), run(theirs))
    works = {"ours": lambda: run(ours), "torch": lambda: run(theirs)}
    times = paired.in_turn(works, rounds)
    return Pooled(name, shape, paired.median(times, "ours"), paired.ratio(times, "ours", "torch"))


def peer(kind: str, checkout: Path, rounds: int, threads: int) -> dict[str, Any]:
    """Return what `benchmarks.recurrent_peers` finds, in a process of its own."""
    # Old code calls what torch is about to drop, and torch says so each time.
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.recurrent_peers"]
    command += [kind, str(checkout)]
    command += ["--rounds", str(rounds), "--threads", str(threads)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _named(text: str) -> tuple[str, Path]:
    kind, _, checkout = text.partition("=")
    if kind not in PEERS or not checkout:
        raise argparse.ArgumentTypeError(f"{text} is not KIND=CHECKOUT, KIND of {', '.join(PEERS)}")
    return kind, Path(checkout)


def main() -> None:
    """Print a table for each part and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--parts", nargs="*", default=["training", "sampling", "pooling"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    for name, default in (("batch", recurrent_models.BATCH), ("rounds", 7), ("threads", 2)):
        parser.add_argument(f"--{name}", default=default, type=int)
    parser.add_argument("--peer", action="append", default=[], type=_named, metavar="KIND=CHECKOUT")
    options = parser.parse_args()
    recurrent_models.prepare(options.threads)
    values: dict[str, Any] = {"machine": limits.machine(CPU), "rounds": options.rounds}
    if "training" in options.parts:
        speeds, trained = training(options.kinds, options.batch, options.rounds)
        values |= {"speeds": speeds, "training": [asdict(row) for row in trained]}
        _show_training(speeds, trained)
    if "sampling" in options.parts:
        kinds = [kind for kind in options.kinds if kind in OPTIONS]
        sampled = [sampling(kind, options.rounds) for kind in kinds]
        values["sampling"] = [asdict(row) for row in sampled]
        _show_sampling(sampled)
    if "pooling" in options.parts:
        pooled = [
            pooling(name, shape, 10 * options.rounds) for name in POOLING for shape in PICTURES
        ]
        values["pooling"] = [asdict(row) for row in pooled]
        _show_pooling(pooled)
    values["peers"] = []
    for kind, checkout in options.peer:
        found = peer(kind, checkout, options.rounds, options.threads)
        values["peers"].append(found)
        _show_peer(found)
    facts.write(options.out, "benchmark_recurrent", values)


def _show_training(speeds: dict[str, float], rows: Sequence[Trained]) -> None:
    found = ", ".join(f"{name} {speed / 1e9:.0f} GFLOP/s" for name, speed in speeds.items())
    print(f"{found}, {torch.get_num_threads()} threads")
    shares = f"{'of product':>12}{'of convolution':>16}"
    print(f"{'kind':23}{'weights':>10}{'GFLOP/step':>12}{'ms/step':>9}{shares}")
    for row in rows:
        print(
            f"{row.kind:23}{row.weights:10,}{row.operations:12.1f}{1e3 * row.seconds:9.0f}"
            f"{row.share_of_product:12.0%}{row.share_of_convolution:16.0%}"
        )


def _show_sampling(rows: Sequence[Sampled]) -> None:
    print(f"\n{'kind':23}{'encode':>11}{'first future':>15}" + "  each further one of 10, of 100")
    for row in rows:
        further = "".join(f"{value:12.3f}" for value in row.further.values())
        print(
            f"{row.kind:23}{1e3 * row.encode_seconds:8.1f} ms{1e3 * row.first_seconds:12.1f} ms"
            f"{further}  (1/{WIDTH}: {1 / WIDTH:.3f})"
        )


def _show_pooling(rows: Sequence[Pooled]) -> None:
    print(f"\n{'with gradient':16}{'pictures':>18}{'ms':>8}{'x torch':>9}")
    for row in rows:
        shape = " x ".join(map(str, row.shape))
        print(f"{row.name:16}{shape:>18}{1e3 * row.seconds:8.2f}{row.times_torch:9.2f}")


def _show_peer(found: dict[str, Any]) -> None:
    speeds = {who: found[who]["steps_per_second"] for who in ("theirs", "ours")}
    print(
        f"\n{found['kind']}: {found['settings']}\n{found['repository']} at "
        f"{found['commit'][:10]}: {speeds['theirs']:.3f} steps/s, ours {speeds['ours']:.3f}, "
        f"{found['times_theirs']:.2f} times as fast\n  theirs has {found['notes']}\n  "
        f"{found['products']:.0%} of our step are kernels of torch: at most {found['at_most']:.2f}"
    )
    for who in speeds:
        weights, operations = found[who]["weights"], found[who]["operations"] / 1e9
        print(f"  {who:7}{weights:12,} weights{operations:10.1f} GFLOP/step", flush=True)


if __name__ == "__main__":
    main()
