"""Stage evaluate: the futures of a protocol against the true ones, beside baselines and a bound.

Futures that the file of samples keeps are read, the others drawn as they are measured, so that
memory does not grow with their number. Every predictor is measured on the same clips, so
differences are taken clip by clip; so are the samples of other programs that lie in the folder
`external`. All numbers are under one protocol, whose digest stands with them.

Shapes: S futures of a clip, h predicted frames, H rows, W columns, C = 3 colours.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.artefacts import facts, hdf5
from foreframe.artefacts import scores as score_file
from foreframe.config import reading
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.sampling import Drawing, Sampling
from foreframe.data.clips import Clips
from foreframe.errors import ArtefactError
from foreframe.evaluation import external, likelihood, results, scoring
from foreframe.evaluation.drawing import BOUND, Task, settings_digests, weights_digest
from foreframe.evaluation.scoring import Clipped, Entry
from foreframe.predictors import Predictor, loading
from foreframe.running import stage
from foreframe.running.compute import environment, prepare


def meant_for(folder: Path, protocol: str) -> list[Path]:
    """Return the files of other programs' samples that are meant for a protocol; name the rest."""
    found = external.protocols_of(folder)
    for path, wanted in found.items():
        if wanted != protocol:
            print(f"{path} is meant for the protocol {wanted} and left out of {protocol}.")
    return [path for path, wanted in found.items() if wanted == protocol]


def check(samples: hdf5.Reader, clips: Clipped, path: Path) -> None:
    """Refuse samples of other frames or clips.

    Raises:
        ArtefactError: they were made from other frames or another split.
    """
    starts = samples["clip_start"][:].tolist()
    if samples.attrs["dataset"] != clips.dataset or starts != clips.starts.tolist():
        raise ArtefactError(f"{path} belongs to other frames or another split. {facts.CURE}")


def drawings(
    samples: hdf5.Reader, predictor: Predictor, weights: str, path: Path
) -> dict[str, Drawing]:
    """Return how the futures of a file of samples were drawn, by name.

    Raises:
        ArtefactError: other models drew them, or an older version of this project wrote the file.
    """
    if "sampling" not in samples.attrs:
        raise ArtefactError(f"{path} does not say how its futures were drawn. {facts.CURE}")
    sampling = reading.validate(Sampling, json.loads(samples.attrs["sampling"]), f"{path}")
    found = dict(sorted(sampling.drawings(predictor.options).items()))
    known = settings_digests(predictor, found)
    if samples.attrs["weights"] != weights or json.loads(samples.attrs["settings"]) != known:
        raise ArtefactError(f"{path} was drawn by other models than these. {facts.CURE}")
    return found


def entries(
    samples: hdf5.Reader, task: Task, drawn: dict[str, Drawing], clips: Clips, size: int
) -> Iterator[Entry]:
    """Yield the rows of the predictor: each of its drawings, and its bound at last.

    `size` futures are drawn at once, of several clips where one has fewer that no file keeps.
    """
    for name, drawing in drawn.items():
        redrawn = Redrawn(task, drawing, clips, size)
        yield Entry(name, task.count(drawing), _reader(samples, name, redrawn))
    if BOUND in samples:
        stored = samples[BOUND]["frames"]
        yield Entry(BOUND, 1, lambda place, _: torch.from_numpy(stored[place]))


class Redrawn:
    """Futures that no file keeps, of one clip at a time but drawn for as many as fill a batch."""

    def __init__(self, task: Task, drawing: Drawing, clips: Clips, size: int) -> None:
        self._task, self._drawing, self._clips = task, drawing, clips
        self._size = size // drawing.averaged
        self._last: dict[range, tuple[int, Tensor]] = {}  # the first clip, and futures (n,S,...)

    def read(self, place: int, futures: range) -> Tensor:
        """Return some futures (S,h,H,W,C) of the clip at a place."""
        together = max(1, self._size // len(futures))
        first = place - place % together
        if together == 1:
            return self._draw(first, 1, futures)[0]
        if self._last.get(futures, (-1,))[0] != first:
            self._last[futures] = first, self._draw(first, together, futures)
        return self._last[futures][1][place - first]

    def _draw(self, first: int, together: int, futures: range) -> Tensor:
        rows = slice(first, min(first + together, len(self._clips)))
        real = self._clips.read(range(rows.start, rows.stop))
        found = self._task.predict(rows, real, self._drawing, futures)
        return found.frames.unflatten(0, (-1, len(futures)))


def _reader(samples: hdf5.Reader, name: str, redrawn: Redrawn) -> Any:
    kept = samples.get(f"{name}/frames")
    count = 0 if kept is None else kept.shape[1]

    def read(place: int, futures: range) -> Tensor:
        parts = []
        if kept is not None and futures.start < count:
            parts.append(torch.from_numpy(kept[place, futures.start : min(count, futures.stop)]))
        if rest := range(max(count, futures.start), futures.stop):
            parts.append(redrawn.read(place, rest))
        return torch.cat(parts)

    return read


def few(values: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that `dvc metrics show` prints: the first two metrics that have values."""
    return {
        f"{predictor}_{name}": found[name]["mean"]
        for predictor, found in values["predictors"].items()
        for name in [name for name in values["metrics"] if found[name] is not None][:2]
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    samples: Path,
    probe: Path,
    external_samples: Path,
    weights: Path,
    protocol: ProtocolSettings,
    evaluation: Evaluation,
    compute: Compute,
    scores: Path,
    metrics: Path,
) -> None:
    """Measure every predictor; write its scores, and those that `dvc metrics` shows."""
    device = prepare(compute)
    predictor = loading.load(models, normalization, device)
    clips = Clipped(frames, split, probe, samples.stem, protocol)
    found = scoring.metrics(protocol, weights, device)
    others = meant_for(external_samples, clips.name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        file = stack.enter_context(hdf5.opening(samples, "samples"))
        check(file, clips, samples)
        drawn = drawings(file, predictor, weights_digest(models), samples)
        elsewhere = stack.enter_context(external.all_fitting(others, clips, list(drawn)))
        source = stack.enter_context(Clips(frames, clips.starts, protocol.futures.frames))
        task = Task.of(predictor, protocol.futures, frames, clips.chosen)
        size = evaluation.batch_size
        own = entries(file, task, drawn, source, size)
        rows = [*own, *(each.entry for each in elsewhere)]
        measured = scoring.score(clips, found, rows, size)
        values = scoring.summarize(clips.name, scoring.describe(clips, found), measured)
        values |= likelihood.stated(task, source, protocol.measures.likelihood)
        values |= {"settings": json.loads(file.attrs["settings"]), "weights": file.attrs["weights"]}
    facts.write(scores, results.SCHEMA, values | {"environment": environment(device, compute)})
    score_file.write(metrics, few(values))


if __name__ == "__main__":
    stage.run(main)
