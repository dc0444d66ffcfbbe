"""Stage sample: continues the clips of a protocol under each choice, and keeps some futures.

It keeps what is shown and exchanged; `evaluate` draws the others again as it measures. Beside the
frames stands what the predictor says of them, such as their codes, and for the clips that the
report shows, what each part of it adds. Predictors that take actions are given the recorded ones,
and the file says so: such futures know more than others.

Shapes: N all clips, B some, S kept futures of each, T frames, h horizon, H rows, W columns, C = 3
colours.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

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


def batches(task: Task, name: str, each: int) -> Iterator[slice]:
    """Yield slices that cover all clips, with a progress bar; `each` are the futures of a clip."""
    size = max(1, BATCH // each)
    for start in tqdm(range(0, len(task.numbers), size), desc=name, unit="batch", disable=None):
        yield slice(start, min(start + size, len(task.numbers)))


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


def write(file: hdf5.File, task: Task, drawings: Drawings, clips: Clips) -> None:
    """Write the real clips, the bound if there is one, and the kept futures of each drawing."""
    count, context = len(clips), task.settings.context
    for rows in batches(task, BOUND, 1):
        real = clips.read(numpy.arange(rows.start, rows.stop))
        put(file, "real", rows, real, count, 1)
        if (bound := task.predictor.reconstruct(real, context)) is not None:
            decoded = bound.frames[:, None, context:]
            put(file, f"{BOUND}/frames", rows, decoded, count, 2)
            for name, values in bound.about.items():
                put(file, f"true_{name}", rows, values, count, 1)
        file.check()
    for name, drawing in drawings.items():
        if not (kept := min(task.settings.keep, task.count(drawing))):
            continue
        for rows in batches(task, name, kept * drawing.averaged):
            real = clips.read(numpy.arange(rows.start, rows.stop))
            found = task.predict(rows, real, drawing, range(kept))
            arrays = {"frames": found.frames, **found.about}
            for key, values in arrays.items():
                put(file, f"{name}/{key}", rows, values.unflatten(0, (-1, kept)), count, 2)
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
    attributes = {
        "protocol": out.stem,
        "dataset": digest(frames),
        "context": futures.context,
        "horizon": futures.horizon,
        "context_encoding": futures.context_encoding,
        "seed": futures.seed,
        "show": min(sampling.show, len(chosen.starts)),
        "shown_choice": shown(drawings),
        "sampling": json.dumps(sampling.model_dump(), sort_keys=True),
        "settings": json.dumps(settings_digests(predictor, drawings), sort_keys=True),
        "operations": json.dumps(predictor.operations(futures.context), sort_keys=True),
        "weights": weights_digest(models),
        **({ACTIONS: RECORDED} if predictor.takes_actions else {}),
    }
    with (
        hdf5.creating(out, SCHEMA, attributes) as file,
        Clips(frames, chosen.starts, futures.frames) as clips,
    ):
        hdf5.store(file, "clip_number", chosen.numbers)
        hdf5.store(file, "clip_start", chosen.starts)
        write(file, task, drawings, clips)
        write_shown(file, task, drawings, clips, sampling.show)


if __name__ == "__main__":
    stage.run(main)
