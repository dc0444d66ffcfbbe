"""Measuring futures under a protocol, whoever made them: the true clips, the baselines, the scores.

Shapes: n clips, S futures of one, t given frames, h predicted frames, T both, N frames, H rows, W
columns, C = 3 colours.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from foreframe.artefacts.digest import digest
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.sampling import Options
from foreframe.data import frames as frames_file
from foreframe.data.clips import Clips, SplitRuns, load_split
from foreframe.evaluation import contexts, likelihood, state_probe
from foreframe.evaluation import results as evaluation
from foreframe.evaluation.contexts import Continued
from foreframe.evaluation.prediction import Scores
from foreframe.evaluation.protocol import Protocol
from foreframe.evaluation.state_probe import StateProbe
from foreframe.evaluation.state_scores import TRUE, StateScores
from foreframe.metrics import catalogue, resizing
from foreframe.metrics.frames import VALUE_RANGE
from foreframe.metrics.metric import Metric
from foreframe.predictors import Context, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.linear_motion import LinearMotion
from foreframe.predictors.mean_frame import TrainingMean, mean_frame
from foreframe.randomness import Draws

# Of the baseline that moves blocks: pixels along a side, and how far it looks for each.
MOVED, SEARCHED = 8, 6
COPIED, MEAN = "copy_last_frame", "mean_frame"
BLOCK = 256  # training frames read at once


@dataclass(frozen=True)
class Entry:
    """A row of the table: who is measured, on how many futures of each clip, and their frames.

    `read` returns some futures (S,h,H,W,C), uint8, of the clip at a place.
    """

    name: str
    futures: int
    read: Callable[[int, range], Tensor]

    def parts(self, place: int, size: int) -> Iterator[Tensor]:
        """Yield all futures of a clip (S,h,H,W,C), `size` at a time."""
        for first in range(0, self.futures, size):
            yield self.read(place, range(first, min(first + size, self.futures)))


@dataclass(frozen=True)
class Clipped:
    """The clips of a protocol: `name` is the protocol's, the files are of one study."""

    frames: Path
    split: Path
    probe: Path  # reads the simulator's state off frames
    name: str
    protocol: ProtocolSettings

    @functools.cached_property
    def runs(self) -> SplitRuns:
        """The split."""
        return load_split(self.split)

    @functools.cached_property
    def dataset(self) -> str:
        """The digest of the frames."""
        return digest(self.frames)

    @functools.cached_property
    def chosen(self) -> Continued:
        """Numbers and first frames of the clips."""
        return contexts.choose(self.runs, self.protocol.futures, self.name)

    @property
    def starts(self) -> NDArray[numpy.int64]:
        """The first frame of each clip, int64 (n,)."""
        return self.chosen.starts

    @functools.cached_property
    def frame_size(self) -> tuple[int, int]:
        """Rows and columns of the frames."""
        with frames_file.opening(self.frames) as file:
            _, height, width, _ = file["frames"].shape
        return int(height), int(width)

    @functools.cached_property
    def state_probe(self) -> StateProbe:
        """The probe; without states where the source knows nothing but its pixels."""
        return StateProbe.load(self.probe)

    def states(self, place: int) -> Tensor:
        """Return the true states in the predicted frames of one clip, float32 (1,h,S)."""
        futures = self.protocol.futures
        first = int(self.starts[place]) + futures.context
        with frames_file.opening(self.frames) as file:
            values = file["states"][first : first + futures.horizon]
        return torch.from_numpy(values)[None]


@dataclass(frozen=True)
class Measured:
    """What all predictors scored, as frames and in the simulator's states."""

    scores: Scores
    states: StateScores


def metrics(protocol: ProtocolSettings, weights: Path, device: torch.device) -> list[Metric]:
    """Return the metrics of a protocol, with weights from the folder `weights`."""
    return [catalogue.find(name, weights, device) for name in protocol.measures.metrics]


def describe(clips: Clipped, found: list[Metric]) -> Protocol:
    """Return everything that the numbers depend on besides the predictors."""
    futures, measures = clips.protocol.futures, clips.protocol.measures
    variants = {metric.name: metric.variant for metric in found}
    digests = {metric.name: metric.digest for metric in found if metric.digest is not None}
    if clips.state_probe.names:
        variants["states"], digests["states"] = state_probe.VARIANT, digest(clips.probe)
    return Protocol(
        dataset=clips.dataset,
        split=digest(clips.split),
        set=futures.set,
        clip_choice=contexts.describe(futures),
        clip_starts=tuple(clips.starts.tolist()),
        context=futures.context,
        horizon=futures.horizon,
        context_encoding=futures.context_encoding,
        frame_size=measures.resize or clips.frame_size,
        resizing=resizing.describe(measures.resize),
        value_range=VALUE_RANGE,
        metrics=variants,
        features=digests,
        samples=futures.samples,
        best=measures.best,
        sets=measures.sets.model_dump(),
        likelihood=likelihood.described(measures.likelihood, futures),
        seed=futures.seed,
    )


def score(clips: Clipped, found: list[Metric], entries: Sequence[Entry], size: int) -> Measured:
    """Measure baselines and entries clip by clip, `size` futures at once."""
    measured = Measured(Scores(clips.protocol, found), StateScores(clips.state_probe))
    futures = clips.protocol.futures
    bases = baselines(clips.frames, clips.runs, futures.context)
    with Clips(clips.frames, clips.starts, futures.frames) as source:
        for place in tqdm(range(len(clips.starts)), desc="clips", unit="clip", disable=None):
            real = source.read([place])
            context, draws = Context(real[:, : futures.context], [place]), Draws.first(0, [place])
            parts: dict[str, Iterable[Tensor]] = {
                name: [base.predict(context, futures.horizon, Options(), draws).frames]
                for name, base in bases.items()
            }
            parts |= {entry.name: entry.parts(place, size) for entry in entries}
            if clips.state_probe.names and futures.context:
                parts = {
                    name: _probed(measured.states, name, each, context, clips.states(place))
                    for name, each in {TRUE: [real[:, futures.context :]], **parts}.items()
                }
                for _ in parts.pop(TRUE):
                    pass
            measured.scores.update(real[0], parts)
    return measured


def _probed(
    states: StateScores,
    name: str,
    parts: Iterable[Tensor],
    context: Context,
    true_1hS: Tensor,
) -> Iterator[Tensor]:
    """Yield futures as they come; of the first one, the states are measured too."""
    for number, part_ShHWC in enumerate(parts):
        if number == 0:
            states.update(name, part_ShHWC[:1], context.frames[:, -1:], true_1hS)
        yield part_ShHWC


def baselines(frames: Path, runs: SplitRuns, context: int) -> dict[str, Predictor]:
    """Return the predictors of every table that can go on from `context` given frames.

    One given frame shows no motion to go on with, none nothing to copy.
    """
    found: dict[str, Predictor] = {}
    if context > 0:
        found[COPIED] = CopyLastFrame()
    found[MEAN] = TrainingMean(mean_frame(_training(frames, runs)))
    if context > 1:
        found["linear_motion"] = LinearMotion(MOVED, SEARCHED)
    return found


def _training(frames: Path, runs: SplitRuns) -> Iterator[NDArray[numpy.uint8]]:
    """Yield the training frames in blocks (N,H,W,C), uint8."""
    with frames_file.opening(frames) as file:
        for start, stop in runs.runs("train"):
            for first in range(start, stop, BLOCK):
                yield file["frames"][first : min(first + BLOCK, stop)]


def summarize(name: str, described: Protocol, measured: Measured) -> dict[str, Any]:
    """Return the facts of an evaluation: its protocol, and what was found."""
    return {
        "name": name,
        "protocol": described.facts(),
        "protocol_digest": described.digest(),
        "clips": len(described.clip_starts),
        **evaluation.summarize(measured.scores),
        "states": measured.states.result(),
    }
