"""Gymnasium's environment `foreframe/LearnedDriving-v0`: each step predicts what comes next.

The last frames and the actions that led to them are the context; the new action is held for the
rest of the window that the priors model. Of the window only the next frames are kept, the context
moves on by as many, and the new frames are encoded again with it: prediction over a receding
horizon. Sampling is exact, and a draw depends on the seed alone.

Shapes: t frames of the context, n frames of one prediction, H rows, W columns, A action channels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.randomness import Draws
from foreframe.simulator import trained
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
    held: more are faster, and are steered less often.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012, Gymnasium's own form

    def __init__(
        self,
        frames: Path = STUDY / "frames.h5",
        split: Path = STUDY / "split.json",
        normalization: Path = STUDY / "normalization.json",
        models: Sequence[Path] = MODELS,
        choice: Choice = DRAWN,
        frames_per_prediction: int = 1,
        max_steps: int = 1000,
        device: str = "cpu",
        render_mode: str | None = None,
    ) -> None:
        """Read the study; nothing is predicted before the first step.

        Raises:
            UserError: a file is missing, the priors take no actions, or a number is out of range.
        """
        named = Path(frames), Path(split), Path(normalization)
        files = Files(*named, tuple(map(Path, models)))
        self.trained: Trained = trained.load(files, torch.device(device))
        most = self.trained.predictor.window.frames - self.trained.context
        if not 1 <= frames_per_prediction <= most or max_steps < 1:
            raise UserError(
                f"frames_per_prediction is {frames_per_prediction} and max_steps {max_steps}. "
                f"Choose 1 to {most}, and at least 1."
            )
        self.choice, self.count, self.max_steps = choice, frames_per_prediction, max_steps
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
        self._frames_1tHWC = torch.from_numpy(start.frames)[None]
        self._led_1tA = torch.from_numpy(start.actions)[None]
        self._steps = 0
        return self._observe(), {"clip": number, "frames": start.frames}

    def step(self, action: Action) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Return the last of the n predicted frames, no reward, and whether it was the last step.

        Raises:
            UserError: the action has another shape than (A,), or is not finite.
        """
        if self._steps is None:
            raise UserError("step() was called before reset(). Call reset() first.")
        led_nA = self._held(action)
        predicted_1nHWC = self._predict(led_nA)
        self._steps += 1
        context = self.trained.context
        self._frames_1tHWC = torch.cat([self._frames_1tHWC, predicted_1nHWC], dim=1)[:, -context:]
        self._led_1tA = torch.cat([self._led_1tA, led_nA[None]], dim=1)[:, -context:]
        cut_off = self._steps >= self.max_steps
        return self._observe(), 0.0, False, cut_off, {"frames": predicted_1nHWC[0].numpy()}

    def render(self) -> Frame | None:
        """Return the current frame, uint8 (H,W,3), in the mode `rgb_array`."""
        return (
            self._observe() if self.render_mode == "rgb_array" and self._steps is not None else None
        )

    def _observe(self) -> Frame:
        frame: Frame = self._frames_1tHWC[0, -1].numpy().copy()
        return frame

    def _held(self, action: Action) -> torch.Tensor:
        """Return the action as the n that lead to the next frames, float32 (n,A)."""
        values_A = numpy.asarray(action, dtype=numpy.float32)
        if values_A.shape != self.action_space.shape or not numpy.isfinite(values_A).all():
            names = ", ".join(self.trained.actions.names)
            raise UserError(f"The action is {action!r}. Give a finite number for each of: {names}.")
        inside_A = numpy.clip(values_A, self.trained.low, self.trained.high)
        return torch.from_numpy(inside_A).expand(self.count, -1)

    def _predict(self, led_nA: torch.Tensor) -> torch.Tensor:
        """Return the next frames, uint8 (1,n,H,W,3)."""
        predictor, context = self.trained.predictor, self.trained.context
        window = predictor.window
        given = window.first(predictor.encode(self._frames_1tHWC), context)
        rest = led_nA[None, :1].expand(-1, window.frames - context, -1)
        codes = predictor.extend(
            given,
            self.choice,
            Draws.first(self._seed, [0]),
            self._steps or 0,
            actions_BTA=torch.cat([self._led_1tA, rest], dim=1),
            frames=context + -(-self.count // window.cover) * window.cover,
        )
        return predictor.decode(codes)[:, context : context + self.count]


def _clip(options: dict[str, Any], clips: int) -> int:
    if unknown := sorted(set(options) - {"clip"}):
        raise UserError(f"reset: the option {unknown[0]} is unknown. There is: clip.")
    number = options["clip"]
    if not isinstance(number, int) or not 0 <= number < clips:
        raise UserError(f"The clip is {number!r}; the test set has the clips 0 to {clips - 1}.")
    return number
