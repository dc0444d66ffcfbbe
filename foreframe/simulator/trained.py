"""What the learned simulator is made of: a trained study with priors that take actions.

Shapes: N clips, t given frames, A action channels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray

from foreframe.data import actions
from foreframe.data import frames as frames_file
from foreframe.data.clips import load_split, windows
from foreframe.errors import UserError
from foreframe.predictors import loading
from foreframe.predictors.latent import Latent
from foreframe.priors.actions import Actions

TRAINED = (
    "The simulator needs a trained study whose priors take actions. Run `dvc repro`, then "
    "`dvc repro studies/learned_simulator/dvc.yaml:train_prior@top_actions "
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
        predictor: with priors that take actions.
        actions: names and usual values of the action channels.
        low, high: the range of each channel over the training frames, float32 (A,).
        size: rows and columns of a frame.
        interval: seconds from one frame to the next.
        starts: the first frame of each window of the test set, half a window apart, int64 (N,).
    """

    files: Files
    predictor: Latent
    actions: Actions
    low: NDArray[numpy.float32]
    high: NDArray[numpy.float32]
    size: tuple[int, int]
    interval: float
    starts: NDArray[numpy.int64]

    @property
    def context(self) -> int:
        """How many frames a prediction sees: half a window, as in Xu 2022, in whole codes."""
        return self.predictor.window.half

    def start(self, number: int) -> Start:
        """Return the test clip of a number, up to where driving begins."""
        first = int(self.starts[number])
        with frames_file.opening(self.files.frames) as file:
            frames_tHWC = file["frames"][first : first + self.context]
            led_tA = actions.leading(file, [first], self.context)[0].numpy()
        return Start(number, frames_tHWC, led_tA)


def load(files: Files, device: torch.device) -> Trained:
    """Read a trained study.

    Raises:
        UserError: a file is missing, its priors take no actions, or no test clip is long enough.
        ArtefactError: a file is damaged.
    """
    files.check()
    predictor = loading.latent(files.models, files.normalization, device)
    runs = load_split(files.split)
    length = predictor.window.frames
    starts_N = windows(runs.test, length, predictor.window.half)
    if not len(starts_N):
        raise UserError(
            f"The test set of {files.split} has no {length} frames in a row to start from. "
            "Give split.test a larger share."
        )
    with frames_file.opening(files.frames) as file:
        rows = [file["actions"][start:stop] for start, stop in runs.train]
        _, height, width, _ = file["frames"].shape
        interval = float(file.attrs["frame_interval"])
    driven_XA = numpy.concatenate(rows)
    return Trained(
        files,
        predictor,
        _taken(predictor),
        driven_XA.min(axis=0),
        driven_XA.max(axis=0),
        (height, width),
        interval,
        starts_N,
    )


def _taken(predictor: Latent) -> Actions:
    taken = []
    for level, prior in predictor.priors.items():
        if prior.actions is None:
            raise UserError(
                f"The prior of the level {level} takes no actions, so nothing could be steered. "
                f"{TRAINED}"
            )
        taken.append(prior.actions)
    return taken[0]
