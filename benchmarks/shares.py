"""What it costs to join shares of a sampling and of an evaluation, beside surveying the frames.

    python -m benchmarks.shares --clips 400 --side 64 --shares 4

Processor time of one process, which says more than seconds on a busy machine; files lie in a
temporary folder, and are in the system's cache when they are read. Clips have 16 frames, of which 8
are predicted, by two predictors that draw a future of each.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from benchmarks.shards import took
from foreframe.artefacts import hdf5
from foreframe.config.futures import FutureSettings
from foreframe.config.protocols import MeasureSettings, ProtocolSettings, SetSettings
from foreframe.data.clips import SplitRuns, save_split
from foreframe.evaluation import taping
from foreframe.evaluation.shares import CLIPS, ORDER, SAMPLES, SIZES, Share, batches
from foreframe.evaluation.state_probe import EMPTY
from foreframe.evaluation.taping import Recorder, Turn
from foreframe.metrics.metric import Metric
from foreframe.metrics.video_sets import FrechetSets
from foreframe.randomness import numpy_generator
from stages import join_samples, survey_frames

CONTEXT, HORIZON, BATCH = 8, 8, 64
PREDICTORS = {"one": 1, "other": 1}
PROTOCOL = ProtocolSettings(
    futures=FutureSettings(
        set="test",
        clips=None,
        stride=16,
        context=CONTEXT,
        context_encoding="context_only",
        horizon=HORIZON,
        samples=1,
        keep=1,
        seed=0,
    ),
    measures=MeasureSettings(
        metrics=("psnr",),
        best="none",
        sets=SetSettings(see="clip", repeats=1, few="allow"),
        resize=None,
        likelihood=None,
    ),
)


class Features:
    """Features that need no network: so many of a clip's numbers, one row for each `rows`."""

    def __init__(self, size: int, rows: int) -> None:
        self.size, self._rows = size, rows

    def __call__(self, frames_BTHWC: Tensor) -> Tensor:
        pixels_BP = frames_BTHWC.flatten(1)[:, : self.size * self._rows].float()
        return pixels_BP.unflatten(1, (self._rows, self.size))


def frechet(size: int, rows: int) -> Metric:
    """Return a distance over features of as many rows and numbers as some network has."""
    return Metric("toy", "", "lower", "", accumulate=partial(FrechetSets, Features(size, rows)))


# Per clip: what is measured, rows and numbers of each.
MEASURED: dict[str, Metric] = {
    "values of frames": Metric(
        "toy", "", "higher", "", compare=lambda real, made: torch.zeros(len(made), HORIZON)
    ),
    "64 features of 16 frames": frechet(64, 16),
    "400 features of a clip": frechet(400, 1),
    "2,048 features of 16 frames": frechet(2048, 16),
}


def frames(folder: Path, count: int, side: int) -> dict[str, Path]:
    """Write so many frames and a split."""
    paths = {"frames": folder / "frames.h5", "split": folder / "split.json"}
    about = {"frame_interval": 0.1, "source": "noise", "action_names": "[]"}
    random = numpy_generator(0, "frames")
    with hdf5.creating(paths["frames"], "frames", about) as file:
        shape = (count, side, side, 3)
        hdf5.dataset(file, "frames", shape, numpy.uint8, (16, *shape[1:]))
        for rows in batches(count, 256):
            size = (rows.stop - rows.start, *shape[1:])
            file["frames"][rows] = random.integers(0, 256, size, dtype=numpy.uint8)
        hdf5.store(file, "episode_start", numpy.array([0]))
        hdf5.store(file, "episode_length", numpy.array([count]))
        hdf5.store(file, "episode_origin", ["noise"])
    save_split(paths["split"], SplitRuns(((0, count),), (), ()))
    return paths


def samples(folder: Path, clips: int, side: int, count: int) -> tuple[str, ...]:
    """Write shares of so many clips with a future of each under every predictor."""
    names = tuple(f"share_{number}" for number in range(count))
    sets: dict[str, tuple[int, ...]] = {"real": (CONTEXT + HORIZON, side, side, 3)}
    sets |= {f"{name}/frames": (1, HORIZON, side, side, 3) for name in PREDICTORS}
    order = [["real"], *([f"{name}/frames"] for name in PREDICTORS), []]
    about = {SIZES: json.dumps([BATCH] * (1 + len(PREDICTORS))), CLIPS: "", "protocol": "joined"}
    for number, name in enumerate(names):
        share = Share(number, count)
        own = share.rows(clips, BATCH)
        random = numpy_generator(0, "samples", number)
        with hdf5.creating(folder / f"{name}.h5", SAMPLES, about | share.attributes) as file:
            for key in ("clip_number", "clip_start"):
                hdf5.store(file, key, numpy.arange(clips))
            for key, shape in sets.items():
                size = (own.stop - own.start, *shape)
                values = random.integers(0, 256, size, dtype=numpy.uint8)
                hdf5.store(file, key, values, (1, 1, *shape[1:]))
            hdf5.store(file, ORDER, [json.dumps(order)])
    return names


def tape(path: Path, metric: Metric, clips: int) -> None:
    """Measure so many clips of noise and write down what was seen."""
    noise = torch.from_numpy(
        numpy_generator(0, "clip").integers(0, 256, (1, 16, 64, 64, 3), dtype=numpy.uint8)
    )

    def turns() -> Iterator[Turn]:
        for _ in range(clips):
            futures: Any = {name: [noise[:, CONTEXT:]] for name in PREDICTORS}
            yield Turn(noise, futures, lambda: torch.empty(0))

    with hdf5.creating(path, "tape", {}) as file:
        taping.score(Recorder(file, clips), PROTOCOL, [metric], EMPTY, turns())


def replayed(path: Path, metric: Metric, clips: int) -> None:
    with hdf5.opening(path, "tape") as file:
        taping.replay([(file, clips)], PROTOCOL, [metric], [], PREDICTORS, BATCH)


def main() -> None:
    """Print megabytes a second, and milliseconds and kilobytes of a clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 400), ("side", 64), ("shares", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    clips, side = options.clips, options.side
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name, "out.h5")
        paths = frames(folder, 16 * clips, side)
        shares = samples(folder, clips, side, options.shares)
        works: dict[str, tuple[Path, Callable[[], object]]] = {
            "survey": (paths["frames"], lambda: survey_frames.main(**paths, out=out)),
            "join samples": (
                folder / "joined.h5",
                lambda: join_samples.main(folder=folder, shares=shares, out=folder / "joined.h5"),
            ),
        }
        for words, (path, work) in works.items():
            seconds = took(work)
            print(f"{words:<28}{path.stat().st_size / seconds / 1e6:8.0f} MB/s")
        for words, metric in MEASURED.items():
            path = folder / "tape.h5"
            tape(path, metric, clips)
            seconds = took(partial(replayed, path, metric, clips))
            size = path.stat().st_size / clips / 1e3
            print(f"{words:<28}{seconds / clips * 1e3:8.2f} ms, {size:.1f} kB a clip")


if __name__ == "__main__":
    main()
