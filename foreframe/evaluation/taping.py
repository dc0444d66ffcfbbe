"""What measuring clips computes from their frames, kept on a tape; played back, the scores follow.

A score is made in two steps. Each clip by itself: values of its frames, features, states that a
probe reads. Then all clips in order: means, covariances, intervals. The first step can be shared
out; its tape holds all that the second one takes from it, in the order in which it asks. So the
second one runs as ever, on clips without pixels, and its sums have the same bytes.

Shapes: B clips, S futures of a clip, t given frames, h predicted frames, T both, H rows, W columns,
C = 3 colours; K rows of D features.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import h5py
import torch
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.config.protocols import ProtocolSettings
from foreframe.errors import UserError
from foreframe.evaluation.prediction import Scores
from foreframe.evaluation.scoring import Measured
from foreframe.evaluation.state_probe import StateProbe
from foreframe.evaluation.state_scores import TRUE, StateScores
from foreframe.metrics.metric import Accumulator, Compare, Found, Metric, Wanted

FEATURES = "features"  # what files with tapes say of metrics
Made = Callable[[], Tensor]


class Tape(ABC):
    """Values of one clip after the other, under names."""

    @abstractmethod
    def turn(self, place: int) -> None:
        """Begin with a clip."""

    @abstractmethod
    def take(self, name: str, rows: int, make: Made) -> Tensor:
        """Return the next so many rows (rows,...) under a name: what `make` makes, or once made."""

    @abstractmethod
    def end(self) -> None:
        """End with the clip."""


class Recorder(Tape):
    """Writes what is made, of so many clips, a row of the file's datasets for each."""

    def __init__(self, file: hdf5.File, clips: int) -> None:
        self._file, self._clips, self._place = file, clips, 0
        self._made: dict[str, list[Tensor]] = {}

    def turn(self, place: int) -> None:
        """Begin with a clip."""
        self._place, self._made = place, {}

    def take(self, name: str, rows: int, make: Made) -> Tensor:
        """Return what `make` makes (rows,...), and keep it."""
        made = make()
        assert len(made) == rows, name
        self._made.setdefault(name, []).append(made.detach().cpu())
        return made

    def end(self) -> None:
        """Write what the clip had."""
        for name, parts in self._made.items():
            values = torch.cat(parts).numpy()
            if name not in self._file:
                shape = (self._clips, *values.shape)
                hdf5.dataset(self._file, name, shape, values.dtype, (1, *values.shape))
            self._file[name][self._place] = values
        self._file.check()


class Player(Tape):
    """Returns what recorders kept, one after the other; nothing is made."""

    def __init__(self, files: Sequence[tuple[h5py.File, int]]) -> None:
        """Take files with the number of clips in each."""
        self._clips = ((file, row) for file, count in files for row in range(count))
        self._kept: dict[str, Tensor] = {}
        self._next: dict[str, int] = {}

    def turn(self, place: int) -> None:
        """Begin with the next clip."""
        (self._file, self._row), self._kept, self._next = next(self._clips), {}, {}

    def take(self, name: str, rows: int, make: Made) -> Tensor:
        """Return what was made (rows,...)."""
        if name not in self._kept:
            self._kept[name] = torch.from_numpy(self._file[name][self._row])
        first = self._next.get(name, 0)
        self._next[name] = first + rows
        return self._kept[name][first : first + rows]

    def end(self) -> None:
        """End with the clip, of which nothing is left."""
        assert self._next == {name: len(values) for name, values in self._kept.items()}


def features(metrics: Sequence[Metric]) -> str:
    """Return through which networks metrics see frames, and which are missing, as JSON."""
    return json.dumps({each.name: (each.digest, each.missing) for each in metrics})


def taped(metric: Metric, tape: Tape) -> Metric:
    """Return a metric that computes through a tape what it computes of single clips."""
    compare, amounts, accumulate = metric.compare, metric.amounts, metric.accumulate
    return replace(
        metric,
        compare=compare and _compared(compare, tape, f"values/{metric.name}"),
        amounts=amounts and _compared(amounts, tape, f"amounts/{metric.name}"),
        accumulate=accumulate and _accumulated(accumulate, tape, metric.name),
    )


def _compared(compare: Compare, tape: Tape, name: str) -> Compare:
    def taken(real_BTHWC: Tensor, predicted_BTHWC: Tensor) -> Tensor:
        return tape.take(name, len(predicted_BTHWC), lambda: compare(real_BTHWC, predicted_BTHWC))

    return taken


def _accumulated(
    accumulate: Callable[[Wanted], Accumulator], tape: Tape, name: str
) -> Callable[[Wanted], Accumulator]:
    def started(wanted: Wanted) -> Accumulator:
        whole = accumulate(wanted)
        eye = _eye(whole, name)

        def see(frames_1THWC: Tensor) -> Tensor:
            return tape.take(f"features/{name}", 1, lambda: eye(frames_1THWC))

        if isinstance(tape, Recorder):
            return _Seen(see)
        _give(whole, see)
        return whole

    return started


# Frames of a clip (1,T,H,W,C) -> what an accumulator takes from them (1,K,D).
Eye = Callable[[Tensor], Tensor]


class _Seen(Accumulator):
    """Looks at clips and sums nothing: in a share there is no sum."""

    def __init__(self, see: Eye) -> None:
        self._see = see

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        self._see(frames_BTHWC)

    def result(self, name: str) -> Found:
        raise NotImplementedError(f"{name} is whole in all shares together.")


def _eye(accumulator: Accumulator, name: str) -> Eye:
    """Return the network through which an accumulator sees frames.

    Raises:
        UserError: it has none that is known here.
    """
    held = vars(accumulator)
    if "_extract" in held:
        eye: Eye = held["_extract"]
        return eye
    if "_network" in held:
        network = held["_network"]
        return lambda frames_1THWC: network.network(network.prepared(frames_1THWC))[None]
    raise UserError(
        f"The metric {name} cannot be shared out: it does not say what it takes from a clip. "
        "Leave it out of the protocol's metrics, or run the stage evaluate in place of its shares."
    )


def _give(accumulator: Accumulator, see: Eye) -> None:
    """Let an accumulator see through another network."""
    held = vars(accumulator)
    if "_extract" in held:
        held["_extract"] = see
    else:
        held["_network"] = _Logits(see)


@dataclass(frozen=True)
class _Logits:
    """Stands for a network whose preparation of frames is a step of its own."""

    see: Eye

    def prepared(self, frames_1THWC: Tensor) -> Tensor:
        return frames_1THWC

    def network(self, frames_1THWC: Tensor) -> Tensor:
        return self.see(frames_1THWC)[0]


@dataclass(frozen=True)
class Reading(StateProbe):
    """A probe that reads through a tape."""

    tape: Tape

    def read(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the states in frames 1..T-1 of clips, (B,T-1,S)."""
        make = super().read
        return self.tape.take("states/read", len(frames_BTHWC), lambda: make(frames_BTHWC))


@dataclass(frozen=True)
class Turn:
    """A clip to be measured.

    Attributes:
        real: the true clip, uint8 (1,T,H,W,C).
        futures: parts of its futures by predictor, each (S,h,H,W,C).
        states: returns the true states in the predicted frames, (1,h,S).
    """

    real: Tensor
    futures: dict[str, Iterable[Tensor]]
    states: Made


def score(
    tape: Tape,
    protocol: ProtocolSettings,
    metrics: Sequence[Metric],
    probe: StateProbe,
    turns: Iterable[Turn],
) -> Measured:
    """Measure clips through a tape, as `scoring.score` does without one."""
    reading = Reading(probe.names, probe.weight, probe.bias, tape)
    scores = Scores(protocol, [taped(metric, tape) for metric in metrics])
    measured, context = Measured(scores, StateScores(reading)), protocol.futures.context
    for place, turn in enumerate(turns):
        tape.turn(place)
        futures = turn.futures
        if probe.names and context:
            true_1hS = tape.take("states/true", 1, turn.states)
            last_1THWC = turn.real[:, context - 1 : context]
            futures = {
                name: _probed(measured.states, name, parts, last_1THWC, true_1hS)
                for name, parts in {TRUE: [turn.real[:, context:]], **futures}.items()
            }
            for _ in futures.pop(TRUE):
                pass
        measured.scores.update(turn.real[0], futures)
        tape.end()
    return measured


def _probed(
    states: StateScores, name: str, parts: Iterable[Tensor], last_1THWC: Tensor, true_1hS: Tensor
) -> Iterator[Tensor]:
    """Yield futures as they come; of the first one, the states are measured too."""
    for number, part_ShHWC in enumerate(parts):
        if number == 0:
            states.update(name, part_ShHWC[:1], last_1THWC, true_1hS)
        yield part_ShHWC


def blank(clips: int, frames: int) -> Tensor:
    """Return clips of black pixels, one in a frame, uint8 (B,T,1,1,C): for what a tape has seen."""
    return torch.zeros(clips, frames, 1, 1, 3, dtype=torch.uint8)


def replay(
    files: Sequence[tuple[h5py.File, int]],
    protocol: ProtocolSettings,
    metrics: Sequence[Metric],
    states: Sequence[str],
    futures: Mapping[str, int],
    size: int,
) -> Measured:
    """Return what predictors scored, from tapes and the number of clips on each, in order.

    `states` are the names of a probe's, `futures` the number of each predictor's futures of a clip,
    of which `size` were measured at once.
    """
    asked = protocol.futures
    empty = StateProbe(tuple(states), torch.empty(0), torch.empty(0))
    whole = protocol.measures.model_copy(update={"resize": None})

    def parts(count: int) -> Iterator[Tensor]:
        for first in range(0, count, size):
            yield blank(min(size, count - first), asked.horizon)

    turns = (
        Turn(
            blank(1, asked.frames),
            {name: parts(count) for name, count in futures.items()},
            lambda: torch.empty(0),
        )
        for _, count in files
        for _ in range(count)
    )
    played = protocol.model_copy(update={"measures": whole})
    return score(Player(files), played, metrics, empty, turns)
