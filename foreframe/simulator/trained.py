"""What the learned simulator is made of: a predictor of a trained study, and where drives begin.

With priors that take actions it can be steered, and of one that moves slots by modules a slot can
be pushed. Others go on by themselves: they have 0 action channels.

Shapes: N clips, t given frames, A action channels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray

from foreframe.data import actions
from foreframe.data import frames as frames_file
from foreframe.data.clips import load_split, windows
from foreframe.errors import UserError
from foreframe.predictors import loading
from foreframe.predictors.latent import Latent
from foreframe.predictors.recurrent import FrameByFrame
from foreframe.predictors.slots import Modular
from foreframe.priors.actions import Actions

# Where a slot is wished to go, as action channels.
PUSHES = ("right", "down")
TRAINED = (
    "The simulator needs a trained study, and priors that take actions to be steered. Run "
    "`dvc repro`, then `dvc repro studies/learned_simulator/dvc.yaml:train_prior@top_actions "
    "studies/learned_simulator/dvc.yaml:train_prior@bottom_actions`."
)


@dataclass(frozen=True)
class Files:
    """Where the parts of a study are."""

    frames: Path
    split: Path
    normalization: Path
    models: tuple[Path, ...]

    def check(self) -> None:
        """Refuse a study that is not whole.

        Raises:
            UserError: a file is missing; the message names the commands that make it.
        """
        for path in (self.frames, self.split, self.normalization, *self.models):
            if not path.is_file():
                raise UserError(f"{path} does not exist. {TRAINED}")


@dataclass(frozen=True)
class Start:
    """A place to drive on from: the number of a test clip, its frames, and what led to them."""

    number: int
    frames: NDArray[numpy.uint8]  # (t,H,W,3)
    actions: NDArray[numpy.float32]  # (t,A)


@dataclass(frozen=True)
class Trained:
    """A study that can be driven in.

    Attributes:
        predictor: of codes, or one that goes frame by frame.
        actions: names and usual values of the action channels; none where it takes none.
        low, high: the range of each channel over the training frames, float32 (A,); -1 and 1 where
            it says which way to push.
        size: rows and columns of a frame.
        interval: seconds from one frame to the next.
        context: how many real frames a drive begins with; see `_context`.
        starts: the first frame of each window of the test set, a context apart, int64 (N,).
    """

    files: Files
    predictor: Latent | FrameByFrame[Any]
    actions: Actions
    low: NDArray[numpy.float32]
    high: NDArray[numpy.float32]
    size: tuple[int, int]
    interval: float
    context: int
    starts: NDArray[numpy.int64]

    @property
    def most(self) -> int:
        """The most frames that one step may predict: the rest of a window, or of a clip."""
        return max(1, _length(self.predictor) - self.context)

    def start(self, number: int) -> Start:
        """Return the test clip of a number, up to where driving begins."""
        first = int(self.starts[number])
        with frames_file.opening(self.files.frames) as file:
            frames_tHWC = file["frames"][first : first + self.context]
            led_tA = numpy.empty((self.context, 0), numpy.float32)
            if self.predictor.takes_actions:
                led_tA = actions.leading(file, [first], self.context)[0].numpy()
        return Start(number, frames_tHWC, led_tA)


def load(files: Files, device: torch.device) -> Trained:
    """Read a trained study.

    Raises:
        UserError: a file is missing, nothing can go on with the predictor, some of its priors take
            actions and some do not, or no test clip is long enough.
        ArtefactError: a file is damaged.
    """
    files.check()
    predictor = loading.load(files.models, files.normalization, device)
    if not isinstance(predictor, Latent | FrameByFrame):
        raise UserError(
            f"{predictor.name} cannot be driven in: it predicts neither codes nor one frame after "
            "the other. Give the files of a predictor that does."
        )
    taken = _taken(predictor)
    runs = load_split(files.split)
    length, context = _length(predictor), _context(predictor)
    starts_N = windows(runs.test, max(length, context), context)
    if not len(starts_N):
        raise UserError(
            f"The test set of {files.split} has no {length} frames in a row to start from. "
            "Give split.test a larger share."
        )
    with frames_file.opening(files.frames) as file:
        _, height, width, _ = file["frames"].shape
        interval = float(file.attrs["frame_interval"])
        driven_XA = numpy.array([[-1.0], [1.0]], numpy.float32).repeat(len(taken.names), axis=1)
        if predictor.takes_actions:
            driven_XA = numpy.concatenate(
                [file["actions"][first:stop] for first, stop in runs.train]
            )
    return Trained(
        files,
        predictor,
        taken,
        driven_XA.min(axis=0),
        driven_XA.max(axis=0),
        (height, width),
        interval,
        context,
        starts_N,
    )


def _length(predictor: Latent | FrameByFrame[Any]) -> int:
    """Return how many frames the priors model at once, or a clip of the training had."""
    if isinstance(predictor, Latent):
        return predictor.window.frames
    return predictor.given.shape.frames


def _context(predictor: Latent | FrameByFrame[Any]) -> int:
    """Return half of this, as in Xu 2022: in whole codes, or as much as the predictor needs."""
    if isinstance(predictor, Latent):
        return predictor.window.half
    return max(1, predictor.needs, _length(predictor) // 2)


def _taken(predictor: Latent | FrameByFrame[Any]) -> Actions:
    """Return the actions that a predictor takes.

    Raises:
        UserError: some of its priors take actions, and some do not.
    """
    if pushes(predictor):
        return Actions(PUSHES, _length(predictor), (0.0, 0.0), (1.0, 1.0))
    if not isinstance(predictor, Latent) or not predictor.takes_actions:
        return Actions((), _length(predictor), (), ())
    taken = []
    for level, prior in predictor.priors.items():
        if prior.actions is None:
            raise UserError(
                f"The prior of the level {level} takes no actions, and another one does, so "
                f"steering would not reach all that is seen. {TRAINED}"
            )
        taken.append(prior.actions)
    return taken[0]


def pushes(predictor: Latent | FrameByFrame[Any]) -> bool:
    """Return whether modules move slots, and there is more than one of them."""
    return isinstance(predictor, Modular) and predictor.module_count > 1
