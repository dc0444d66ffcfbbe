"""An autoencoder and its priors as one predictor: encode, sample codes level by level, decode.

Xu 2022 encodes whole clips and keeps the first half of their codes. The encoder is not causal, so
those codes have seen some future; `predict` encodes the given frames alone.

Priors that take actions are given those that lead to the frames of the context and of the future,
so such a predictor knows more of the future than others.

Shapes: B clips, T frames or code-frames of a window, t given ones, h predicted frames, H rows, W
columns, C = 3 colours, A action channels, n any number of frames.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from foreframe import autoencoders, priors
from foreframe.autoencoders import Autoencoder
from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.normalization import Normalizer
from foreframe.predictors import Predictor
from foreframe.priors import ACTIONS, Prior
from foreframe.priors.noise import Noise
from foreframe.priors.sampling import fastest, sample

Latents = Mapping[str, Tensor]  # codes (B,T,H,W) int64 by level


@dataclass(frozen=True)
class LatentPredictor(Predictor):
    """A trained study; `priors` by level, in the order they are sampled."""

    autoencoder: Autoencoder
    priors: Mapping[str, Prior]
    normalizer: Normalizer
    device: torch.device

    @property
    def window(self) -> int:
        """How many frames the priors model at once."""
        level, prior = next(iter(self.priors.items()))
        return prior.grid[0] * self._frames_per_code(level)

    @property
    def cover(self) -> int:
        """How many frames one code covers, of the level whose codes cover most."""
        return max(self._frames_per_code(level) for level in self.priors)

    @property
    def takes_actions(self) -> bool:
        """Whether any of the priors does; `extend`, `roll` and `predict` then need them."""
        return any(prior.actions is not None for prior in self.priors.values())

    def encode(self, frames_BTHWC: Tensor) -> dict[str, Tensor]:
        """Return the codes of uint8 frames, by level."""
        with torch.no_grad():
            # Clip by clip, because the last bit of a convolution may depend on its batch.
            parts = [
                self.autoencoder.encode(self.normalizer.normalize(frames.to(self.device)))
                for frames in frames_BTHWC.split(1)
            ]
        return {level: torch.cat([part[level] for part in parts]) for level in parts[0]}

    def decode(self, latents: Latents, drop: Collection[str] = ()) -> Tensor:
        """Return uint8 frames (B,T,H,W,C) on the CPU; levels in `drop` count for nothing."""
        count = len(next(iter(latents.values())))
        with torch.no_grad():
            parts = [
                self.autoencoder.decode(
                    {level: codes[clip : clip + 1] for level, codes in latents.items()}, drop
                )
                for clip in range(count)
            ]
        return self.normalizer.denormalize(torch.cat(parts)).cpu()

    def first(self, latents: Latents, frames: int) -> dict[str, Tensor]:
        """Return the codes (B,t,H,W) of each level that cover the first `frames` frames of clips.

        Raises:
            UserError: code-frames cover another number of frames.
        """
        return {
            level: codes[:, : self._code_frames(level, frames)] for level, codes in latents.items()
        }

    def extend(
        self,
        given: Latents,
        choice: Choice,
        noise: Noise,
        fixed: Latents | None = None,
        actions_BTA: Tensor | None = None,
        frames: int | None = None,
    ) -> dict[str, Tensor]:
        """Return the codes (B,T,H,W) of whole windows that begin with the given ones, by level.

        The levels in `fixed` are not sampled, but taken as they are. `actions` lead to the window's
        frames. With `frames`, only the codes that cover so many first frames are returned, and a
        level is sampled no further unless another one looks at it: they are the same codes.

        Raises:
            UserError: the priors take actions and none are given, or `frames` fills no codes.
        """
        latents = {} if actions_BTA is None else {ACTIONS: actions_BTA.to(self.device)}
        looked_at = {above for prior in self.priors.values() for above in prior.conditions}
        for level, prior in self.priors.items():
            if fixed is not None and level in fixed:
                latents[level] = fixed[level].to(self.device)
                continue
            if frames is not None and level not in looked_at:
                prior = prior.shortened(self._code_frames(level, frames))
            codes = given[level].to(self.device)
            latents[level] = sample(prior, codes, latents, choice, noise, fastest(prior))
        found = {level: latents[level] for level in self.priors}
        return found if frames is None else self.first(found, frames)

    def predict(
        self,
        context_BtHWC: Tensor,
        horizon: int,
        choice: Choice,
        seed: int,
        clips: Sequence[int],
        actions_BnA: Tensor | None = None,
    ) -> Tensor:
        """Return a future of each clip: uint8 (B,h,H,W,C); see `Predictor` and `roll`.

        Beyond one window the last given length of frames becomes the context, code for code, and
        the window moves on.

        Raises:
            UserError: the given frames are not a number that a window can begin with, or the
                priors take actions and none are given.
        """
        count = context_BtHWC.shape[1]
        self._check(count)
        given = self.first(self.encode(context_BtHWC), count)
        windows = self.roll(given, horizon, choice, seed, clips, actions_BnA)
        return torch.cat([self.decode(codes)[:, count:] for codes in windows], dim=1)[:, :horizon]

    def roll(
        self,
        given: Latents,
        horizon: int,
        choice: Choice,
        seed: int,
        clips: Sequence[int],
        actions_BnA: Tensor | None = None,
    ) -> Iterator[dict[str, Tensor]]:
        """Yield the codes (B,T,H,W) of windows that continue the given ones by `horizon` frames.

        Each window begins with codes of as many frames as were given: the last of the one before.
        `actions` lead to the frames from the first given one on; beyond them the last one is held.
        """
        level = next(iter(self.priors))
        count = given[level].shape[1] * self._frames_per_code(level)
        moved = self.window - count
        for window in range(-(-horizon // moved)):
            led = None if actions_BnA is None else held(actions_BnA, window * moved, self.window)
            latents = self.extend(given, choice, Noise(seed, clips, window), actions_BTA=led)
            yield latents
            given = self._last(latents, count)

    def _last(self, latents: Latents, frames: int) -> dict[str, Tensor]:
        return {
            level: codes[:, -self._code_frames(level, frames) :] for level, codes in latents.items()
        }

    def _code_frames(self, level: str, frames: int) -> int:
        each = self._frames_per_code(level)
        if frames % each:
            raise UserError(
                f"A code of the level {level} covers {each} frames, so {frames} frames cannot be "
                f"given. Give a multiple of {each}."
            )
        return frames // each

    def _frames_per_code(self, level: str) -> int:
        return self.autoencoder.settings.strides()[level][0]

    def _check(self, frames: int) -> None:
        if not 0 < frames < self.window:
            raise UserError(
                f"The predictor continues clips of {self.window} frames; {frames} cannot be given. "
                f"Give fewer, for example {self.window // 2}."
            )
        for level in self.priors:
            self._code_frames(level, frames)


def held(values_Bn: Tensor, first: int, count: int) -> Tensor:
    """Return `count` actions or frames from number `first` on, the last one as long as it takes.

    Shape (B,n,...) becomes (B,count,...).
    """
    numbers = torch.arange(first, first + count).clamp(max=values_Bn.shape[1] - 1)
    return values_Bn[:, numbers]


def load(
    autoencoder: Path, level_priors: Mapping[str, Path], normalization: Path, device: torch.device
) -> LatentPredictor:
    """Read a trained study, its priors by level in the order they are sampled, onto a device.

    Raises:
        ArtefactError: a file is missing, damaged, or the prior of another level.
    """
    read = {level: priors.load(path, level).to(device) for level, path in level_priors.items()}
    return LatentPredictor(
        autoencoders.load(autoencoder).to(device),
        read,
        Normalizer.load(normalization),
        device,
    )
