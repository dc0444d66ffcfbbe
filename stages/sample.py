"""Stage sample: continues the clips of a protocol under each choice, and keeps some futures.

It keeps what is shown and exchanged; `evaluate` draws the others again as it measures. Beside the
frames stands what the predictor says of them, such as their codes, and for the clips that the
report shows, what each part of it adds. Predictors that take actions are given the recorded ones,
and the file says so: such futures know more than others.

Shapes: N all clips, B some, S kept futures of each, T frames, h horizon, H rows, W columns, C = 3
colours.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor
from tqdm import tqdm

from foreframe.artefacts import hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Drawing, Sampling, shown
from foreframe.data.clips import Clips, load_split
from foreframe.evaluation.contexts import choose
from foreframe.evaluation.drawing import BOUND, Task, settings_digests, weights_digest
from foreframe.predictors import loading
from foreframe.priors import ACTIONS
from foreframe.randomness import Draws
from foreframe.running import compute as computing
from foreframe.running import stage

SCHEMA = "samples"
RECORDED = "recorded"  # where the actions of futures come from
# Futures at once; one clip's are never parted. The number changes memory and speed, no future.
BATCH = 64

Drawings = Mapping[str, Drawing]
# By name, what is made of some clips, and how many axes of a chunk are 1.
Made = dict[str, tuple[Tensor, int]]
Make = Callable[[slice, Tensor], Made]


def batches(task: Task, name: str, each: int) -> Iterator[slice]:
    """Yield slices that cover all clips, with a progress bar; `each` are the futures of a clip."""
    count, step = len(task.numbers), size(each)
    for start in tqdm(range(0, count, step), desc=name, unit="batch", disable=None):
        yield slice(start, min(start + step, count))


def put(file: h5py.File, name: str, rows: slice, values: Tensor, count: int, each: int) -> None:
    """Write some rows of the dataset `name`, which has `count`; codes as int16.

    The first `each` axes of a chunk are 1.
    """
    array = values.to(torch.int16) if values.dtype == torch.int64 else values
    numbers = array.cpu().numpy()
    if name not in file:
        chunk = (*[1] * each, *array.shape[each:])
        hdf5.dataset(file, name, (count, *array.shape[1:]), numbers.dtype, chunk)
    file[name][rows] = numbers


def size(each: int) -> int:
    """Return how many clips a batch has, of which each has so many futures."""
    return max(1, BATCH // each)


def drawn(task: Task, drawings: Drawings) -> Iterator[tuple[str, int, Make]]:
    """Yield what is made of clips, in order: a name, the futures of a clip in a batch, and how."""
    yield BOUND, 1, lambda _, real: _bound(task, real)
    for name, drawing in drawings.items():
        if kept := min(task.settings.keep, task.count(drawing)):
            yield name, kept * drawing.averaged, _futures(task, name, drawing, kept)


def _bound(task: Task, real_BTHWC: Tensor) -> Made:
    """Return real clips and, if there is one, the bound."""
    context, made = task.settings.context, {"real": (real_BTHWC, 1)}
    if (found := task.predictor.reconstruct(real_BTHWC, context)) is not None:
        made[f"{BOUND}/frames"] = found.frames[:, None, context:], 2
        made |= {f"true_{name}": (values, 1) for name, values in found.about.items()}
    return made


def _futures(task: Task, name: str, drawing: Drawing, kept: int) -> Make:
    def make(rows: slice, real_BTHWC: Tensor) -> Made:
        found = task.predict(rows, real_BTHWC, drawing, range(kept))
        arrays = {"frames": found.frames, **found.about}
        return {
            f"{name}/{key}": (values.unflatten(0, (-1, kept)), 2) for key, values in arrays.items()
        }

    return make


def write(file: hdf5.File, task: Task, drawings: Drawings, clips: Clips) -> None:
    """Write the real clips, the bound if there is one, and the kept futures of each drawing."""
    for name, each, make in drawn(task, drawings):
        for rows in batches(task, name, each):
            made = make(rows, clips.read(numpy.arange(rows.start, rows.stop)))
            for key, (values, axes) in made.items():
                put(file, key, rows, values, len(clips), axes)
            file.check()


def write_shown(file: h5py.File, task: Task, drawings: Drawings, clips: Clips, show: int) -> None:
    """Write, for the clips that are shown, what the parts of their first future are."""
    rows, name = slice(min(show, len(clips))), shown(drawings)
    real = clips.read(numpy.arange(rows.stop))
    context = task.context(rows, real)
    draws = Draws.first(task.settings.seed, context.numbers)
    found = task.predictor.explain(context, real, drawings[name].options, draws)
    for key, values in found.items():
        put(file, f"{name}/{key}", slice(None), values, len(values), 1)
    bound = task.predictor.reconstruct(real, context.given)
    if found and bound is not None:
        put(file, "true_decode", slice(None), bound.frames, len(real), 1)


def attributes(
    task: Task, sampling: Sampling, models: Sequence[Path], dataset: str
) -> dict[str, Any]:
    """Return what a file of samples says of itself; `dataset` is the digest of the frames."""
    predictor, futures = task.predictor, task.settings
    drawings = sampling.drawings(predictor.options)
    return {
        "dataset": dataset,
        "context": futures.context,
        "horizon": futures.horizon,
        "context_encoding": futures.context_encoding,
        "seed": futures.seed,
        "show": min(sampling.show, len(task.numbers)),
        "shown_choice": shown(drawings),
        "sampling": json.dumps(sampling.model_dump(), sort_keys=True),
        "settings": json.dumps(settings_digests(predictor, drawings), sort_keys=True),
        "operations": json.dumps(predictor.operations(futures.context), sort_keys=True),
        "weights": weights_digest(models),
        **({ACTIONS: RECORDED} if predictor.takes_actions else {}),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    sampling: Sampling,
    futures: FutureSettings,
    compute: Compute,
    out: Path,
) -> None:
    """Write real clips, their reconstructions, and under each choice's name its futures."""
    predictor = loading.load(models, normalization, computing.prepare(compute))
    drawings = sampling.drawings(predictor.options)
    chosen = choose(load_split(split), futures, out.stem)
    task = Task.of(predictor, futures, frames, chosen)
    about = {"protocol": out.stem, **attributes(task, sampling, models, digest(frames))}
    with (
        hdf5.creating(out, SCHEMA, about) as file,
        Clips(frames, chosen.starts, futures.frames) as clips,
    ):
        hdf5.store(file, "clip_number", chosen.numbers)
        hdf5.store(file, "clip_start", chosen.starts)
        write(file, task, drawings, clips)
        write_shown(file, task, drawings, clips, sampling.show)


if __name__ == "__main__":
    stage.run(main)
