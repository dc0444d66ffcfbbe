"""An autoencoder and its priors as one predictor: encode, sample codes level by level, decode.

Xu 2022 encodes whole clips and keeps the first half of their codes. The encoder is not causal, so
those codes have seen some future; the given frames are encoded alone unless the context has whole
clips. Priors that take actions are given those that lead to the frames of the context and of the
future, so such a predictor knows more of the future than others.

Shapes: N clips, B futures, T frames or code-frames of a window, t given ones, h predicted frames, H
rows, W columns, C = 3 colours, A action channels, n any number of frames.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foreframe.autoencoders import Autoencoder
from foreframe.config.sampling import Choice, Options
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.predictors.window import Latents, Window, held
from foreframe.priors import ACTIONS, AutoregressivePrior, Prior
from foreframe.priors.engines.operations import sampling_operations
from foreframe.priors.sampling import draw
from foreframe.randomness import Draws

RECORDED = "recorded"  # where the actions of futures come from


@dataclass(frozen=True)
class Latent(Predictor):
    """A trained autoencoder with a prior for each of its levels, in the order they are sampled."""

    autoencoder: Autoencoder
    priors: Mapping[str, Prior]
    normalizer: Normalizer
    device: torch.device

    options = Choice
    generates = True

    @property
    def scaling(self) -> Scaling:
        """Between 8-bit frames and what the autoencoder sees."""
        return Scaling(self.autoencoder.settings.view, self.normalizer)

    @property
    def window(self) -> Window:
        """What the priors model at once."""
        strides = self.autoencoder.settings.strides()
        covers = {level: strides[level][0] for level in self.priors}
        level, prior = next(iter(self.priors.items()))
        return Window(prior.grid[0] * covers[level], covers)

    @property
    def takes_actions(self) -> bool:
        """Whether any of the priors does; contexts then need them."""
        return any(prior.actions is not None for prior in self.priors.values())

    def encode(self, frames_BTHWC: Tensor) -> dict[str, Tensor]:
        """Return the codes of uint8 frames, by level."""
        with torch.no_grad():
            # Clip by clip, because the last bit of a convolution may depend on its batch.
            parts = [
                self.autoencoder.encode(self.scaling.inward(frames.to(self.device), None))
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
        return self.scaling.outward(torch.cat(parts)).cpu()

    def extend(
        self,
        given: Latents,
        choice: Choice,
        draws: Draws,
        window: int = 0,
        fixed: Latents | None = None,
        actions_BTA: Tensor | None = None,
        frames: int | None = None,
    ) -> dict[str, Tensor]:
        """Return the codes (B,T,H,W) of whole windows that begin with the given ones, by level.

        `window` is the number of the window in a rollout. The levels in `fixed` are not sampled,
        but taken as they are. `actions` lead to the window's frames. With `frames`, only the codes
        that cover so many first frames are returned, and a level is sampled no further unless
        another one looks at it: they are the same codes.

        Raises:
            UserError: the priors take actions and none are given, or `frames` fills no codes.
        """
        latents = {} if actions_BTA is None else {ACTIONS: actions_BTA.to(self.device)}
        looked_at = {above for prior in self.priors.values() for above in prior.conditions}
        for level, prior in self.priors.items():
            if fixed is not None and level in fixed:
                latents[level] = fixed[level].to(self.device)
                continue
            last = level not in looked_at
            if frames is not None and last and isinstance(prior, AutoregressivePrior):
                prior = prior.shortened(self.window.code_frames(level, frames))
            codes = given[level].to(self.device)
            latents[level] = draw(prior, codes, latents, choice, draws, window)
        found = {level: latents[level] for level in self.priors}
        return found if frames is None else self.window.first(found, frames)

    def _predict(self, context: Context, horizon: int, options: Choice, draws: Draws) -> Prediction:
        """Return futures, and the codes of those that are one window with their context.

        A context that fills no code is led by copies of its first frame; nothing moves from one to
        the next, so their actions are zeros. Beyond one window the last given length of frames
        becomes the context, code for code, and the window moves on.
        """
        given = context.told(self, draws.seed, lambda: self._begun(context))
        rows = context.places(draws)
        begun = {level: codes[rows] for level, codes in given.items()}
        led = self._led(context, rows)
        frames: list[Tensor] = []
        codes: dict[str, Tensor] = {}
        for latents, known in self._roll(begun, horizon, options, draws, led):
            codes = codes or latents
            frames.append(self.decode(latents)[:, known:])
        whole = self.window.is_filled(context.given, horizon)
        about = {level: ids.cpu() for level, ids in codes.items()} if whole else {}
        return Prediction(torch.cat(frames, dim=1)[:, :horizon], about)

    def _begun(self, context: Context) -> dict[str, Tensor]:
        """Return the given codes (N,t,H,W) of each level; of whole clips where there are any."""
        window, given = self.window, context.given
        covered = window.covered(given)
        if not covered:
            count = len(context.frames)
            return {
                level: torch.zeros(
                    (count, 0, *prior.grid[1:]), dtype=torch.int64, device=self.device
                )
                for level, prior in self.priors.items()
            }
        seen = context.frames
        if context.whole is not None:
            seen = context.whole[:, : window.frames - window.before(given)]
        return window.first(self.encode(window.filled(seen, given)), covered)

    def _led(self, context: Context, rows: Tensor) -> Tensor | None:
        """Return the actions (B,n,A) that lead to the frames of each future, filled in front."""
        if context.actions is None:
            return None
        before = self.window.before(context.given)
        return torch.nn.functional.pad(context.actions[rows], (0, 0, before, 0))

    def _roll(
        self,
        given: Latents,
        horizon: int,
        choice: Choice,
        draws: Draws,
        actions_BnA: Tensor | None,
    ) -> Iterator[tuple[dict[str, Tensor], int]]:
        """Yield the codes (B,T,H,W) of windows, and how many of the frames of each are known.

        Each window begins with codes of as many frames as were given, the last of the one before;
        of half a window where none were. `actions` lead to the frames from the first given one on;
        beyond them the last one is held.

        Raises:
            UserError: a code covers a whole window, and more than one is to be generated.
        """
        window, level = self.window, next(iter(self.priors))
        known = given[level].shape[1] * window.strides[level]
        after = known or window.half
        if after == window.frames < horizon:
            raise UserError(
                f"A code covers all {after} frames that the priors model at once, so nothing can "
                f"go on after them. Set the protocol's horizon to at most {after}."
            )
        number = begin = 0
        while horizon > 0:
            led = None if actions_BnA is None else held(actions_BnA, begin, window.frames)
            latents = self.extend(given, choice, draws, number, actions_BTA=led)
            yield latents, known
            horizon -= window.frames - known
            begin, known, number = begin + window.frames - after, after, number + 1
            given = window.last(latents, after)

    def reconstruct(self, clips_NTHWC: Tensor, given: int) -> Prediction:
        """Return what the true codes of clips decode to, and the codes of whole windows."""
        before, length = self.window.before(given), clips_NTHWC.shape[1]
        codes = self.encode(self.window.filled(clips_NTHWC, given))
        whole = self.window.is_filled(given, length - given)
        about = {level: ids.cpu() for level, ids in codes.items()} if whole else {}
        return Prediction(self.decode(codes)[:, before : before + length], about)

    def explain(
        self, context: Context, clips_NTHWC: Tensor, options: Options, draws: Draws
    ) -> dict[str, Tensor]:
        """Return what combinations of drawn and true codes decode to, of clips of one window.

        For each place at which the levels can be parted into upper and lower ones: the upper ones
        as drawn, alone and with the true lower ones, and the true upper ones with lower ones drawn
        after them, whose codes are returned, too.
        """
        assert isinstance(options, Choice)
        horizon = clips_NTHWC.shape[1] - context.given
        if not self.window.is_filled(context.given, horizon):
            return {}
        rows = context.places(draws)
        true = {level: codes[rows] for level, codes in self.encode(clips_NTHWC).items()}
        begun = {level: codes[rows] for level, codes in self._begun(context).items()}
        led, levels = self._led(context, rows), list(self.priors)
        led = None if led is None else held(led, 0, self.window.frames)
        drawn = self.extend(begun, options, draws, actions_BTA=led)
        found = {"hierarchical": self.decode(drawn)}
        for cut in range(1, len(levels)):
            upper, lower = levels[:cut], levels[cut:]
            above, below = "_".join(upper), "_".join(lower)
            fixed = {level: true[level] for level in upper}
            other = self.extend(begun, options, draws, fixed=fixed, actions_BTA=led)
            mixed = {level: (drawn if level in upper else true)[level] for level in levels}
            found |= {f"{level}_given_true_{above}": other[level].cpu() for level in lower}
            found[f"{above}_only"] = self.decode(drawn, drop=lower)
            found[f"generated_{above}_true_{below}"] = self.decode(mixed)
            found[f"true_{above}_generated_{below}"] = self.decode(other)
        return found

    def chosen(self, options: Options | None) -> dict[str, Any]:
        """Return the settings of the networks, of those of the bound where `options` are None."""
        first = {"autoencoder": self.autoencoder.settings.model_dump(mode="json")}
        if options is None:
            return first
        networks = {
            level: prior.settings.model_dump(mode="json") for level, prior in self.priors.items()
        }
        known = {ACTIONS: RECORDED} if self.takes_actions else {}
        return {**first, **networks, "choice": options.model_dump(mode="json"), **known}

    def operations(self, given: int) -> dict[str, Any]:
        """Return, by level, what sampling the first window of a clip takes; see `Operations`."""
        covered = self.window.covered(given)
        return {
            level: sampling_operations(prior, self.window.code_frames(level, covered)).facts()
            for level, prior in self.priors.items()
            if isinstance(prior, AutoregressivePrior)
        }
