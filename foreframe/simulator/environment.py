"""Gymnasium's environment `foreframe/LearnedDriving-v0`: each step predicts what comes next.

A predictor without actions goes on by itself: its actions have no numbers, (0,), but where modules
move slots they say how far to the right and down the brightest one is wished to go. Sampling is
exact, and a draw depends on the seed alone. How frames follow from one another stands in
`episodes`.

Shapes: t frames of the context, n frames of one prediction, H rows, W columns, A action channels.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from foreframe.config import reading
from foreframe.config.sampling import Choice, Options
from foreframe.errors import UserError
from foreframe.predictors import Predictor
from foreframe.simulator import episodes, trained
from foreframe.simulator.episodes import Episode
from foreframe.simulator.trained import Files, Trained

Frame = NDArray[numpy.uint8]
Action = NDArray[numpy.float32]

STUDY = Path("data/driving")
PRIORS = Path("data/learned_simulator/priors")
MODELS = (
    STUDY / "vqvae.safetensors",
    PRIORS / "top_actions.safetensors",
    PRIORS / "bottom_actions.safetensors",
)
# Draws from the most likely codes: with argmax a future soon stands still.
DRAWN = Choice(mode="sample", temperature=1.0, top_k=0, top_p=0.9)


class LearnedDriving(gymnasium.Env[Frame, Action]):
    """Drives in what a study has learned.

    Observation: the frame, uint8 (H,W,3). Action: the channels of the training data, float32 (A,),
    between their least and largest recorded values; what lies outside is moved to the nearest.
    Reward: always 0, because nothing is scored. An episode is cut off after `max_steps` steps
    and never ends by itself. `info["frames"]` holds all n frames of the step, uint8 (n,H,W,3).

    `frames_per_prediction` (n) is how many frames a step predicts, and so how long its action is
    held: more are faster, and are steered less often. `choice` says how futures are drawn, as
    options of the predictor or as plain values of them; without it codes are drawn from the most
    likely ones.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012, Gymnasium's own form

    def __init__(
        self,
        frames: Path = STUDY / "frames.h5",
        split: Path = STUDY / "split.json",
        normalization: Path = STUDY / "normalization.json",
        models: Sequence[Path] = MODELS,
        choice: Options | Mapping[str, Any] | None = None,
        frames_per_prediction: int = 1,
        max_steps: int = 1000,
        device: str = "cpu",
        render_mode: str | None = None,
    ) -> None:
        """Read the study; nothing is predicted before the first step.

        Raises:
            UserError: the study is not whole, nothing can go on with its predictor, the choice is
                another predictor's or lacks, or a number is out of range.
        """
        named = Path(frames), Path(split), Path(normalization)
        files = Files(*named, tuple(map(Path, models)))
        self.trained: Trained = trained.load(files, torch.device(device))
        self.choice = _options(self.trained.predictor, choice)
        most = self.trained.most
        if not 1 <= frames_per_prediction <= most or max_steps < 1:
            raise UserError(
                f"frames_per_prediction is {frames_per_prediction} and max_steps {max_steps}. "
                f"Choose 1 to {most}, and at least 1."
            )
        self.count, self.max_steps = frames_per_prediction, max_steps
        self.observation_space = spaces.Box(0, 255, (*self.trained.size, 3), numpy.uint8)
        self.action_space = spaces.Box(self.trained.low, self.trained.high, dtype=numpy.float32)
        rate = 1 / (self.trained.interval * frames_per_prediction)
        self.metadata = {**self.metadata, "render_fps": rate}
        self.render_mode = render_mode
        self._steps: int | None = None  # None before the first reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Begin at a test clip; return the last frame of its context.

        `options["clip"]` is the clip's number; otherwise the seed picks it.

        Raises:
            UserError: there is no clip of that number, or an option is unknown.
        """
        super().reset(seed=seed)
        # One number names all randomness of the episode.
        self._seed = int(self.np_random.integers(2**62))
        clips = len(self.trained.starts)
        number = int(self._seed % clips)
        if options:
            number = _clip(options, clips)
        start = self.trained.start(number)
        self._episode: Episode = episodes.begin(
            self.trained.predictor, self.choice, self._seed, start
        )
        self._frame_HWC, self._steps = start.frames[-1], 0
        return self._observe(), {"clip": number, "frames": start.frames}

    def step(self, action: Action) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Return the last of the n predicted frames, no reward, and whether it was the last step.

        Raises:
            UserError: the action has another shape than (A,), or is not finite.
        """
        if self._steps is None:
            raise UserError("step() was called before reset(). Call reset() first.")
        frames_nHWC = self._episode.go(self._held(action)).numpy()
        self._frame_HWC = frames_nHWC[-1]
        self._steps += 1
        cut_off = self._steps >= self.max_steps
        return self._observe(), 0.0, False, cut_off, {"frames": frames_nHWC}

    def render(self) -> Frame | None:
        """Return the current frame, uint8 (H,W,3), in the mode `rgb_array`."""
        return (
            self._observe() if self.render_mode == "rgb_array" and self._steps is not None else None
        )

    def _observe(self) -> Frame:
        return self._frame_HWC.copy()

    def _held(self, action: Action) -> torch.Tensor:
        """Return the action as the n that lead to the next frames, float32 (n,A)."""
        values_A = numpy.asarray(action, dtype=numpy.float32)
        if values_A.shape != self.action_space.shape or not numpy.isfinite(values_A).all():
            names = ", ".join(self.trained.actions.names)
            wanted = f"a finite number for each of: {names}" if names else "no number at all"
            raise UserError(f"The action is {action!r}. Give {wanted}.")
        inside_A = numpy.clip(values_A, self.trained.low, self.trained.high)
        return torch.from_numpy(inside_A).expand(self.count, -1)


def _options(predictor: Predictor, choice: Options | Mapping[str, Any] | None) -> Options:
    """Return how futures are drawn, as options that the predictor knows.

    Raises:
        UserError: nothing is said and nothing is usual, or the predictor does not know it.
    """
    known = predictor.options
    if choice is None and known in (Choice, Options):
        return DRAWN if known is Choice else Options()
    if choice is None or (isinstance(choice, Options) and type(choice) is not known):
        raise UserError(
            f"choice is {choice!r}, but {predictor.name} draws as {known.__name__} says. Give one: "
            f"{', '.join(known.model_fields) or 'without any value'}."
        )
    return choice if isinstance(choice, Options) else reading.validate(known, choice, "choice")


def _clip(options: dict[str, Any], clips: int) -> int:
    if unknown := sorted(set(options) - {"clip"}):
        raise UserError(f"reset: the option {unknown[0]} is unknown. There is: clip.")
    number = options["clip"]
    if not isinstance(number, int) or not 0 <= number < clips:
        raise UserError(f"The clip is {number!r}; the test set has the clips 0 to {clips - 1}.")
    return number
