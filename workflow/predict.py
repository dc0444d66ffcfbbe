"""`foreframe predict`: a trained study continues a video of the user's own.

The context is the video's last frames, brought to the size and frame interval that the study was
trained on and encoded alone, so nothing of what is predicted has been seen.
"""

import collections
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Drawing
from foreframe.data import video
from foreframe.errors import UserError
from foreframe.evaluation import drawing
from foreframe.predictors import Context, loading
from foreframe.randomness import Draws
from foreframe.running import compute, instructions
from foreframe.sources.reading import decoding
from workflow import runs, studies

# Frames of 64 pixels are too small to watch: pixels are repeated up to this size.
SMALLEST_SIDE = 256


@dataclass(frozen=True)
class FrameFormat:
    """The frames that a study was trained on: pixels, and seconds from one to the next."""

    height: int
    width: int
    interval: float


@dataclass(frozen=True)
class Wanted:
    """What the command line says; None is what the study says.

    Attributes:
        study, run: whose models predict: those of the stage `sample` under this name.
        frames: how many are predicted.
        choice: one of sampling.choices or sampling.means, the first by default.
        seed: of choices that sample.
    """

    study: str = studies.MAIN
    run: str | None = None
    frames: int | None = None
    choice: str | None = None
    seed: int | None = None


def run(path: Path, out: Path, root: Path, wanted: Wanted) -> None:
    """Write the context of `path` and its predicted future to the video file `out`.

    Raises:
        UserError: the video, the study or a name is wrong, or the video is too short.
    """
    video.check_name(out)
    given = runs.given(root, wanted.study, "sample", wanted.run)
    horizon = given["futures"].horizon if wanted.frames is None else wanted.frames
    if horizon < 1:
        raise UserError(f"--frames is {horizon}. Predict at least 1.")
    instructions.follow(given["compute"].instructions)
    predictor = loading.load(
        given["models"], given["normalization"], compute.prepare(given["compute"])
    )
    chosen = choose(given["sampling"].drawings(predictor.options), wanted.choice)
    shape = frame_format(given["frames"])
    context_THWC = last_frames(path, shape, given["futures"].context)
    context = Context(torch.from_numpy(context_THWC)[None], [0])
    seed = given["futures"].seed if wanted.seed is None else wanted.seed
    draws = Draws.first(seed, [0])
    future_THWC = drawing.predict(predictor, context, horizon, chosen, draws).frames[0].numpy()
    whole_THWC = numpy.concatenate([context_THWC, future_THWC])
    video.write(out, video.enlarge(whole_THWC, SMALLEST_SIDE), shape.interval)
    print(f"{out}: {len(context_THWC)} frames of {path}, then {horizon} predicted ones.")


def choose(choices: Mapping[str, Drawing], name: str | None) -> Drawing:
    """Return the choice or the mean of a name, or the first.

    Raises:
        UserError: there is none of that name.
    """
    if name is None:
        return next(iter(choices.values()))
    if name not in choices:
        raise UserError(f"--choice is {name}; sampling has: {', '.join(choices)}.")
    return choices[name]


def frame_format(path: Path) -> FrameFormat:
    """Read size and interval of the frames that the study was trained on."""
    with hdf5.opening(path, "frames") as file:
        _, height, width, _ = file["frames"].shape
        return FrameFormat(height, width, float(file.attrs["frame_interval"]))


def last_frames(path: Path, shape: FrameFormat, count: int) -> NDArray[numpy.uint8]:
    """Return the last `count` frames of a video: uint8 (count, H, W, 3).

    Raises:
        UserError: the video is missing, damaged, or too short.
    """
    if not path.is_file():
        raise UserError(f"The video {path} does not exist.")
    stream = decoding.read(path, shape.height, shape.width, shape.interval)
    kept = collections.deque(stream, maxlen=count)
    if len(kept) < count:
        seconds = count * shape.interval
        raise UserError(
            f"{path} gives {len(kept)} frames at intervals of {shape.interval} s; the study needs "
            f"{count} to go on from. Use a video of at least {seconds:g} s."
        )
    return numpy.stack(kept)
