"""`foreframe drive`: the learned simulator in the terminal, as a local page, or into a video file.

All three open the same environment, `foreframe/LearnedDriving-v0`, and say how many frames it
predicts in a second.
"""

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.data import video
from foreframe.errors import UserError
from foreframe.simulator.environment import LearnedDriving
from workflow import runs
from workflow.drive import controls, terminal, web

SMALLEST_SIDE = 256  # pixels: smaller frames are enlarged in a video file


@dataclass(frozen=True)
class Options:
    """What the command line says; `frames` and `out` stand for driving without anyone at the keys.

    Attributes:
        study, run: whose models are driven in: those of its stage `sample` under this name.
        choice: one of the study's sampling.choices. None: its first one, but codes are drawn from
            the most likely ones.
        per_prediction: frames that one step predicts.
        seed: of the episode; `clip` is the test clip to begin with, or None.
        web: whether a page is served; `port` 0 takes a free one.
        frames, actions, out: how many frames, a CSV file of actions or None, and the video file.
    """

    study: str = "learned_simulator"
    run: str = "actions"
    choice: str | None = None
    per_prediction: int = 1
    seed: int = 0
    clip: int | None = None
    web: bool = False
    port: int = 0
    frames: int | None = None
    actions: Path | None = None
    out: Path | None = None


def run(options: Options) -> None:
    """Drive until the user stops, or as many frames as were asked for.

    Raises:
        UserError: an option is wrong, or the study is not there.
    """
    _check(options)
    found = runs.paths(Path(), options.study, "sample", options.run)
    environment = LearnedDriving(
        **{name: found[name] for name in ("frames", "split", "normalization", "models")},
        choice=_choice(options, found["models"]),
        frames_per_prediction=options.per_prediction,
        max_steps=2**31,
    )
    start = None if options.clip is None else {"clip": options.clip}
    if options.out is not None and options.frames is not None:
        record(environment, options, start)
    elif options.web:
        web.serve(environment, options.seed, start, options.port)
    else:
        terminal.drive(environment, options.seed, start)


def _choice(options: Options, models: Sequence[Path]) -> dict[str, Any] | None:
    """Return how futures are drawn, as the study says it."""
    # A predictor of codes, which has a file for each network, has a usual way.
    if options.choice is None and len(models) > 1:
        return None
    given = runs.given(Path(), options.study, "sample", options.run)
    choices: dict[str, dict[str, Any]] = given["sampling"].choices
    name = next(iter(choices)) if options.choice is None else options.choice
    if name not in choices:
        raise UserError(f"--choice is {name}; sampling.choices has: {', '.join(choices)}.")
    return choices[name]


def record(environment: LearnedDriving, options: Options, start: dict[str, int] | None) -> None:
    """Write the context and `options.frames` predicted frames to a video file, and say how fast."""
    assert options.frames is not None and options.out is not None
    keys = controls.of(environment.trained)
    if options.actions is not None and not keys.names:
        raise UserError(f"{options.actions} has no use: {controls.FREE}. Leave out --actions.")
    usual_1A = keys.action(())[None]
    actions_nA = usual_1A if options.actions is None else read_actions(options.actions, keys.names)
    _, info = environment.reset(seed=options.seed, options=start)
    parts = [info["frames"]]
    began = time.perf_counter()
    for step in range(-(-options.frames // options.per_prediction)):
        place = min(step * options.per_prediction, len(actions_nA) - 1)
        parts.append(environment.step(actions_nA[place])[4]["frames"])
    seconds = time.perf_counter() - began
    whole = numpy.concatenate(parts)[: len(parts[0]) + options.frames]
    predicted = options.per_prediction * (len(parts) - 1)
    video.write(options.out, video.enlarge(whole, SMALLEST_SIDE), environment.trained.interval)
    print(
        f"{options.out}: {len(parts[0])} frames of test clip {info['clip']}, then {options.frames} "
        f"predicted ones; {predicted / seconds:.1f} frames a second."
    )


def read_actions(path: Path, names: tuple[str, ...]) -> NDArray[numpy.float32]:
    """Read a CSV file with a column for each action channel and a row for each frame: (n,A).

    Raises:
        UserError: the file is missing or empty, its columns are others, or a value is no number.
    """
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    if len(rows) < 2 or tuple(rows[0]) != names:
        raise UserError(
            f"{path} must begin with the line {','.join(names)} and hold an action in each line "
            "after it."
        )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names) or not all(_is_number(cell) for cell in row):
            raise UserError(f"{path}, line {number}: give {len(names)} finite numbers.")
    return numpy.array(rows[1:], dtype=numpy.float32)


def _is_number(text: str) -> bool:
    try:
        return bool(numpy.isfinite(float(text)))
    except ValueError:
        return False


def _check(options: Options) -> None:
    if (options.frames is None) != (options.out is None):
        raise UserError("Give --frames and --out together: so many frames go into that file.")
    if options.actions is not None and options.out is None:
        raise UserError("--actions is for driving into a file. Give --frames and --out too.")
    if options.out is not None and options.web:
        raise UserError("--web and --out exclude each other: drive on a page or into a file.")
    if options.frames is not None and options.frames < 1:
        raise UserError(f"--frames is {options.frames}. Predict at least 1.")
    if options.out is not None:
        video.check_name(options.out)
    if not 0 <= options.seed < 2**63:
        raise UserError(f"--seed is {options.seed}. Choose 0 or more.")
    if not 0 <= options.port < 2**16:
        raise UserError(f"--port is {options.port}. Choose 0 (any free one) to 65535.")
