"""How many clips a second each metric scores, and whether memory stays flat over ten times as many.

    python -m benchmarks.metrics OUT.json --sides 64 256 --batch 1 --batches 4

Every row runs in a process of its own, so that the largest memory ever held is that of one metric.
Clips are random and made outside the measured time, which does not depend on what they show.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import limits
from foreframe.artefacts import facts
from foreframe.errors import UserError
from foreframe.features import store
from foreframe.metrics import catalogue
from foreframe.metrics.frechet import REAL
from foreframe.metrics.mae import mae
from foreframe.metrics.mean import Mean
from foreframe.metrics.metric import Wanted
from foreframe.metrics.motion import motion
from foreframe.metrics.ms_ssim import ms_ssim
from foreframe.metrics.mse import mse
from foreframe.metrics.psnr import psnr
from foreframe.metrics.sharpness import sharpness
from foreframe.metrics.ssim import ssim
from foreframe.metrics.ssim_padded import ssim_padded
from foreframe.randomness import generator

FRAMES = 16
LONGER = 10  # times as many clips in the long stream

Update = Callable[[Tensor, Tensor], object]  # adds a batch of true and predicted clips


def paired(metric: Callable[[Tensor, Tensor], Tensor]) -> Callable[[torch.device], Update]:
    """Return what starts a stream of a metric that scores each frame."""

    def start(_: torch.device) -> Update:
        mean = Mean()
        return lambda real, predicted: mean.update(metric(real, predicted))

    return start


def of_sets(name: str) -> Callable[[torch.device], Update]:
    """Return what starts a stream of a metric that compares whole sets and needs no weights."""

    def start(device: torch.device) -> Update:
        metric = catalogue.find(name, store.FOLDER, device)
        assert metric.accumulate is not None
        sets = metric.accumulate(Wanted(few=False, interval=True))

        def update(real: Tensor, predicted: Tensor) -> None:
            sets.update(REAL, real)
            sets.update("predicted", predicted)

        return update

    return start


# Each starts a stream on a device. Metrics with weights are left out: they may not be stored.
STREAMS: Mapping[str, Callable[[torch.device], Update]] = {
    "mse": paired(mse),
    "mae": paired(mae),
    "psnr": paired(psnr),
    "ssim": paired(ssim),
    "ssim_padded": paired(ssim_padded),
    "ms_ssim": paired(ms_ssim),
    "sharpness": paired(sharpness),
    "motion": paired(motion),
    "random_video_distance": of_sets("random_video_distance"),
}


@dataclass(frozen=True)
class Row:
    """One metric at one size; None where the metric is not defined for it."""

    metric: str
    frames: int
    side: int  # pixels
    clips: int  # of the long stream
    clips_per_second: float | None
    short_bytes: int | None  # largest memory of the process after the short stream
    growth_bytes: int | None  # by how much the long stream raised it


def measure(name: str, side: int, batch: int, batches: int, device: torch.device) -> Row:
    """Score a short stream and one ten times as long."""
    torch.set_num_threads(1)
    update = STREAMS[name](device)
    shape = (batch, FRAMES, side, side, 3)
    try:
        update(*clips(shape, 0, device))
    except UserError:
        return Row(name, FRAMES, side, 0, None, None, None)
    for number in range(1, batches):
        update(*clips(shape, number, device))
    short = peak(device)
    seconds = 0.0
    for number in range(batches, batches + LONGER * batches):
        pair = clips(shape, number, device)
        limits.finish(device)
        start = time.perf_counter()
        update(*pair)
        limits.finish(device)
        seconds += time.perf_counter() - start
    scored = LONGER * batches * batch
    return Row(name, FRAMES, side, scored, scored / seconds, short, peak(device) - short)


def clips(shape: Sequence[int], number: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the true and the predicted clips of a batch, uint8."""
    numbers = generator(0, "benchmark", number)
    pair = numbers.integers(0, 256, (2, *shape)).to(torch.uint8)
    real, predicted = pair.to(device)
    return real, predicted


def peak(device: torch.device) -> int:
    """Return the largest number of bytes that this process ever held on a device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest


def text(row: Row, mse_rate: float | None) -> str:
    """Return a row of the table, with how many times the time of MSE it takes."""
    start = f"{row.metric:14}{f'{row.frames}x{row.side}x{row.side}':>12}"
    if row.clips_per_second is None or row.short_bytes is None or row.growth_bytes is None:
        return f"{start}{'-':>10}{'-':>8}{'-':>8}{'-':>11}"
    times = f"{mse_rate / row.clips_per_second:.1f}" if mse_rate else "-"
    return (
        f"{start}{row.clips_per_second:10.2f}{times:>8}"
        f"{row.short_bytes / 1e6:8.0f}{row.growth_bytes / 1e6:11.1f}"
    )


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--metrics", nargs="+", default=list(STREAMS), choices=list(STREAMS))
    parser.add_argument("--sides", nargs="+", default=[64, 256], type=int)
    parser.add_argument("--batch", default=1, type=int, help="clips scored at once")
    parser.add_argument("--batches", default=4, type=int, help="of the short stream")
    parser.add_argument("--device", default="cpu", type=torch.device)
    options = parser.parse_args()
    print(f"{'metric':14}{'clip':>12}{'clips/s':>10}{'x mse':>8}{'MB':>8}{'growth MB':>11}")
    rows: list[Row] = []
    for side in options.sides:
        for name in options.metrics:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                arguments = (name, side, options.batch, options.batches, options.device)
                rows.append(process.submit(measure, *arguments).result())
            rate = next(
                (x.clips_per_second for x in rows if (x.metric, x.side) == ("mse", side)), None
            )
            print(text(rows[-1], rate), flush=True)
    values = {"batch": options.batch, "threads": 1, "rows": [asdict(row) for row in rows]}
    facts.write(options.out, "benchmark_metrics", values)


if __name__ == "__main__":
    main()
