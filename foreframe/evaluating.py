"""Measuring futures under a protocol, whoever made them: the true clips, the baselines, the scores.

Shapes: B clips, S futures of each, t given frames, h predicted frames, T both, N frames, H rows, W
columns, C = 3 colours.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from foreframe import continued
from foreframe import frames as frames_file
from foreframe.artefacts.digest import digest
from foreframe.clips import Clips, SplitRuns, load_split
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.sampling import Choice
from foreframe.metrics import catalogue, evaluation, resizing, state_probe
from foreframe.metrics.catalogue import Metric
from foreframe.metrics.frames import VALUE_RANGE
from foreframe.metrics.prediction import Scores
from foreframe.metrics.protocol import Protocol
from foreframe.metrics.state_probe import StateProbe
from foreframe.metrics.state_scores import TRUE, StateScores
from foreframe.predictors import Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.linear_motion import LinearMotion
from foreframe.predictors.mean_frame import TrainingMean, mean_frame

# Baselines draw nothing: any choice gives the same.
ANY = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
# Of the baseline that moves blocks: pixels along a side, and how far it looks for each.
MOVED, SEARCHED = 8, 6
BLOCK = 256  # training frames read at once

# Futures by predictor (B,S,h,H,W,C), uint8, of some of the clips.
Futures = Callable[[slice], Mapping[str, Tensor]]


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
    def starts(self) -> NDArray[numpy.int64]:
        """The first frame of each clip, int64 (n,)."""
        return continued.choose(self.runs, self.protocol, self.name).starts

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
        first = int(self.starts[place]) + self.protocol.context
        with frames_file.opening(self.frames) as file:
            values = file["states"][first : first + self.protocol.horizon]
        return torch.from_numpy(values)[None]


@dataclass(frozen=True)
class Measured:
    """What all predictors scored, as frames and in the simulator's states."""

    scores: Scores
    states: StateScores


def metrics(protocol: ProtocolSettings, weights: Path, device: torch.device) -> list[Metric]:
    """Return the metrics of a protocol, with weights from the folder `weights`."""
    return [catalogue.find(name, weights, device) for name in protocol.metrics]


def describe(clips: Clipped, found: list[Metric], context_encoding: str) -> Protocol:
    """Return everything that the numbers depend on besides the predictors."""
    settings = clips.protocol
    variants = {metric.name: metric.variant for metric in found}
    digests = {metric.name: metric.digest for metric in found if metric.digest is not None}
    if clips.state_probe.names:
        variants["states"], digests["states"] = state_probe.VARIANT, digest(clips.probe)
    return Protocol(
        dataset=clips.dataset,
        split=digest(clips.split),
        set=settings.set,
        clip_choice=continued.describe(clips.runs),
        clip_starts=tuple(clips.starts.tolist()),
        context=settings.context,
        horizon=settings.horizon,
        context_encoding=context_encoding,
        frame_size=settings.resize or clips.frame_size,
        resizing=resizing.describe(settings.resize),
        value_range=VALUE_RANGE,
        metrics=variants,
        features=digests,
        samples=settings.samples,
        best=settings.best,
        sets_see=settings.sets_see,
        seed=settings.seed,
    )


def score(clips: Clipped, found: list[Metric], futures: Futures, size: int) -> Measured:
    """Measure baselines and futures clip by clip, `size` futures at once."""
    scores, bases = Scores(clips.protocol, found, size), baselines(clips)
    states = StateScores(clips.state_probe)
    context, horizon = clips.protocol.context, clips.protocol.horizon
    with Clips(clips.frames, clips.starts, clips.protocol.frames) as source:
        for place in tqdm(range(len(clips.starts)), desc="clips", unit="clip", disable=None):
            rows = slice(place, place + 1)
            real = source.read([place])
            given = real[:, :context]
            copied = {
                name: base.predict(given, horizon, ANY, 0, [place])[:, None]
                for name, base in bases.items()
            }
            everyone = {**copied, **futures(rows)}
            scores.update(real, everyone)
            if clips.state_probe.names:
                true_1hS = clips.states(place)
                for name, future in {TRUE: real[:, None, context:], **everyone}.items():
                    states.update(name, future[:, 0], given[:, -1:], true_1hS)
    return Measured(scores, states)


def baselines(clips: Clipped) -> dict[str, Predictor]:
    """Return the predictors of every table; one given frame shows no motion to go on with."""
    found: dict[str, Predictor] = {evaluation.REFERENCE: CopyLastFrame()}
    found["mean_frame"] = TrainingMean(mean_frame(_training(clips)))
    if clips.protocol.context > 1:
        found["linear_motion"] = LinearMotion(MOVED, SEARCHED)
    return found


def _training(clips: Clipped) -> Iterator[NDArray[numpy.uint8]]:
    """Yield the training frames in blocks (N,H,W,C), uint8."""
    with frames_file.opening(clips.frames) as file:
        for start, stop in clips.runs.runs("train"):
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
