"""Stage evaluate_share: what measuring some clips of a protocol takes from their frames.

Shares are measured side by side, on one machine or many; `join_scores` makes the scores of them. A
share draws the futures that no file keeps in the batches of `evaluate`, and keeps values of frames,
features and states: no pixels, and no sum over clips.

Shapes: S futures of a clip, T frames of it, H rows, W columns, C = 3 colours.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from foreframe.artefacts import hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.sampling import Drawing, Options
from foreframe.data.clips import Clips, SplitRuns
from foreframe.evaluation import external, scoring, taped_likelihood
from foreframe.evaluation.drawing import Task, weights_digest
from foreframe.evaluation.protocol import Protocol
from foreframe.evaluation.scoring import Clipped, Entry
from foreframe.evaluation.shares import CLIPS, SCORES, Share, Shares, clips_digest
from foreframe.evaluation.survey import Survey
from foreframe.evaluation.taping import FEATURES, Recorder, Turn, features, score
from foreframe.metrics.metric import Metric
from foreframe.predictors import Context, Predictor, loading
from foreframe.predictors.mean_frame import TrainingMean
from foreframe.randomness import Draws
from foreframe.running import stage
from foreframe.running.compute import environment, prepare
from stages.evaluate import check, drawings, entries, meant_for

# Stands for the training frames, whose mean is known.
ONE_FRAME = SplitRuns(train=((0, 1),), validation=(), test=())


@dataclass(frozen=True)
class Surveyed(Clipped):
    """The clips of a protocol in frames of which the digest is known."""

    survey: Survey

    @property
    def dataset(self) -> str:
        """The digest of the frames."""
        return self.survey.dataset


def baselines(clips: Surveyed) -> dict[str, Predictor]:
    """Return the predictors of every table, as `scoring.baselines` does."""
    found = scoring.baselines(clips.frames, ONE_FRAME, clips.protocol.futures.context)
    return {**found, scoring.MEAN: TrainingMean(clips.survey.mean)}


def together(samples: hdf5.Reader, task: Task, drawn: Mapping[str, Drawing], size: int) -> int:
    """Return how many clips `Redrawn` draws at once, at most: so a share seldom parts them.

    A share that begins or ends amid some draws them all, and one more share does.
    """
    found = [1]
    for name, drawing in drawn.items():
        stored, count = samples.get(f"{name}/frames"), task.count(drawing)
        kept = 0 if stored is None else stored.shape[1]
        for first in range(0, count, size):
            if rest := range(max(kept, first), min(first + size, count)):
                found.append(size // drawing.averaged // len(rest))
    return max(found)


def turns(
    clips: Surveyed, source: Clips, rows: Sequence[Entry], own: range, size: int
) -> Iterator[Turn]:
    """Yield the share's clips, with the futures of baselines and of `rows`."""
    futures, bases = clips.protocol.futures, baselines(clips)
    for place in tqdm(own, desc="clips", unit="clip", disable=None):
        real = source.read([place])
        context, draws = Context(real[:, : futures.context], [place]), Draws.first(0, [place])
        parts: dict[str, Iterable[Tensor]] = {
            name: [base.predict(context, futures.horizon, Options(), draws).frames]
            for name, base in bases.items()
        }
        parts |= {row.name: row.parts(place, size) for row in rows}
        yield Turn(real, parts, partial(clips.states, place))


def about(
    clips: Surveyed, described: Protocol, found: Sequence[Metric], rows: Sequence[Entry]
) -> dict[str, Any]:
    """Return what all shares say of what they measure."""
    futures = dict.fromkeys(baselines(clips), 1) | {row.name: row.futures for row in rows}
    return {
        CLIPS: clips_digest(clips.chosen),
        "name": clips.name,
        "asked": clips.protocol.model_dump_json(),
        "protocol_digest": described.digest(),
        "futures": json.dumps(futures),
        "states": json.dumps(clips.state_probe.names),
        FEATURES: features(found),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    survey: Path,
    samples: Path,
    probe: Path,
    external_samples: Path,
    weights: Path,
    protocol: ProtocolSettings,
    evaluation: Evaluation,
    compute: Compute,
    shares: Shares,
    out: Path,
) -> None:
    """Measure the clips that are the share's, under every predictor.

    Raises:
        UserError: as `evaluate`; none of `shares` is called as `out`, or a metric cannot be shared.
        ArtefactError: as `evaluate`, or the survey is of other frames.
    """
    share, device = Share.of(out, shares), prepare(compute)
    predictor = loading.load(models, normalization, device)
    clips = Surveyed(frames, split, probe, samples.stem, protocol, Survey.load(survey, split))
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
        rows = [*entries(file, task, drawn, source, size), *(each.entry for each in elsewhere)]
        batch, described = together(file, task, drawn, size), scoring.describe(clips, found)
        attributes = {
            **share.attributes,
            **about(clips, described, found, rows),
            **{name: file.attrs[name] for name in ("settings", "weights")},
            "external_samples": json.dumps([digest(path) for path in others]),
            "likelihood_kind": predictor.likelihood_kind,
            "batch": batch,
            "batch_size": size,
            "environment": json.dumps(environment(device, compute)),
        }
        own = share.rows(len(source), batch)
        with hdf5.creating(out, SCORES, attributes) as written:
            hdf5.store(written, "protocol", [json.dumps(described.facts())])
            tape = Recorder(written, own.stop - own.start)
            measured = turns(clips, source, rows, range(own.start, own.stop), size)
            score(tape, protocol, found, clips.state_probe, measured)
            taped_likelihood.record(written, task, source, protocol.measures.likelihood, share)


if __name__ == "__main__":
    stage.run(main)
