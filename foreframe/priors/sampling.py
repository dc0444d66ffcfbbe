"""Sampling a level's codes after given ones: any engine, any batch, the same codes.

A sample is defined in real arithmetic: at each position, in raster order, the code with the largest
score. Engines compute in float32 and round differently, so a score that leads by less than the
rounding could be turned over. Such choices are rare, and noticed: they are decided again by one
float64 pass over the finished clip, and where float32 had it wrong the rest is sampled anew.

Shapes: B clips, T H W code grid, N = T*H*W positions, M = N + 1 (see `engines`), G sampled
positions, K codes.
"""

import contextlib
import copy
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foreframe.config.sampling import Choice
from foreframe.priors import AutoregressivePrior, ImplicitPrior, Prior, density
from foreframe.priors.choosing import doubtful, pick
from foreframe.priors.engines import Engine, Step, replay
from foreframe.priors.engines.cone import Cone
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.key_value import KeyValue
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.schedule import has_attention
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import Draws

# How wrong a float32 logit may be, as a share of the clip's largest: several times what was
# measured (docs/sampling.md, "Rounding"), since doubt costs little.
ERROR = 1e-5

# Bytes that one batch may keep; more clips are sampled in several batches, to the same codes.
BUDGET = 2**32


# Each serves some priors exactly; the first that serves one is the fastest there.
ENGINES: tuple[type[Engine], ...] = (Wavefront, Rowwise, Incremental, KeyValue, Naive)


def fastest(prior: AutoregressivePrior) -> type[Engine]:
    """Return the fastest engine that samples this prior exactly, where its weights are."""
    return next(engine for engine in ENGINES if engine.serves(prior))


def draw(
    prior: Prior,
    given_BTHW: Tensor,
    latents: Mapping[str, Tensor],
    choice: Choice,
    draws: Draws,
    window: int,
) -> Tensor:
    """Return codes as `sample` does, by the fastest engine; of a prior of any kind.

    One without a density draws in its own way: a choice has no influence on it.
    """
    if isinstance(prior, ImplicitPrior):
        return prior.sample(given_BTHW, latents, draws, window)
    known = density(prior)
    return sample(known, given_BTHW, latents, choice, draws, window, fastest(known))


def sample(
    prior: AutoregressivePrior,
    given_BTHW: Tensor,
    latents: Mapping[str, Tensor],
    choice: Choice,
    draws: Draws,
    window: int,
    engine: type[Engine],
) -> Tensor:
    """Return codes (B,T,H,W) int64 whose first code-frames are the given ones, (B,t,H,W), t < T.

    `latents` holds the codes of the levels that the prior is given, `draws` the clips' random
    numbers, those of code-frame f of a rollout's window w at the step (w, f). The engine and the
    size of the batch have no influence on the codes, and neither has the precision of training:
    sampling is done in float32 without TF32.
    """
    task = _Task(prior, choice, given_BTHW.shape[1], window, engine)
    batches = torch.arange(len(given_BTHW)).split(batch_size(prior, engine))
    with torch.inference_mode(), _float32(given_BTHW.device):
        parts = [
            task.sample(
                given_BTHW[part],
                {level: codes[part] for level, codes in latents.items()},
                draws.of(part.tolist()),
            )
            for part in batches
        ]
    # Outside of the inference mode, so that the result is a tensor like any other.
    return torch.cat(parts)


def batch_size(prior: AutoregressivePrior, engine: type[Engine]) -> int:
    """Return how many clips are sampled at once, at least one, within the memory's budget."""
    count = prior.grid[0] * prior.grid[1] * prior.grid[2]
    noise_and_logits = 2 * count * prior.codebook_size * torch.float32.itemsize
    return max(1, BUDGET // (engine.bytes_per_clip(prior) + noise_and_logits))


@dataclass
class _Task:
    """What all clips share; `given` is a number of code-frames, `window` that of a rollout's."""

    prior: AutoregressivePrior
    choice: Choice
    given: int
    window: int
    engine: type[Engine]

    def sample(self, given_BTHW: Tensor, latents: Mapping[str, Tensor], draws: Draws) -> Tensor:
        start = given_BTHW[0].numel()
        codes_BM = self._blank(given_BTHW)
        noise_BGK = self._draw(draws, codes_BM.device)
        doubt_BG = self._run(codes_BM, start, self.prior.condition(latents), noise_BGK)
        for clip in doubt_BG.any(dim=1).nonzero().flatten().tolist():
            one = slice(clip, clip + 1)
            above = {level: codes[one] for level, codes in latents.items()}
            noise_1GK = None if noise_BGK is None else noise_BGK[one]
            self._settle(codes_BM[one], doubt_BG[clip], above, noise_1GK)
        return codes_BM[:, :-1].unflatten(1, self.prior.grid)

    def _blank(self, given_BTHW: Tensor) -> Tensor:
        frames, rows, columns = self.prior.grid
        codes_BM = given_BTHW.new_zeros(len(given_BTHW), frames * rows * columns + 1)
        codes_BM[:, : given_BTHW[0].numel()] = given_BTHW.flatten(1)
        codes_BM[:, -1] = self.prior.codebook_size
        return codes_BM

    def _draw(self, draws: Draws, device: torch.device) -> Tensor | None:
        if self.choice.mode == "argmax":
            return None
        frames, rows, columns = self.prior.grid
        level, shape = self.prior.settings.level, (rows * columns, self.prior.codebook_size)
        steps = ((self.window, frame) for frame in range(self.given, frames))
        return torch.cat([draws.gumbel(level, step, shape) for step in steps], dim=1).to(device)

    def _run(
        self, codes_BM: Tensor, start: int, condition: Tensor | None, noise_BGK: Tensor | None
    ) -> Tensor:
        """Fill in the codes from `start` on; return which of them (B,G) rounding may have decided.

        Like the codes, noise and result end with the last position; `noise` may begin earlier.
        """
        count = codes_BM.shape[1] - 1
        engine = self.engine(self.prior, codes_BM, start, condition)
        noise_BGK = None if noise_BGK is None else noise_BGK[:, start - count :]
        logits_BGK = torch.empty(
            len(codes_BM), count - start, self.prior.codebook_size, device=codes_BM.device
        )

        def take(step: Step) -> None:
            places = step.positions - start
            logits_BPK = engine.logits(step)
            noise_BPK = None if noise_BGK is None else noise_BGK.index_select(1, places)
            codes_BM.index_copy_(1, step.positions, pick(logits_BPK, self.choice, noise_BPK))
            logits_BGK.index_copy_(1, places, logits_BPK)

        if engine.replayable:
            replay.one_by_one(take, start, count, codes_BM.device)
        else:
            for step in engine.schedule():
                take(step)
        # Only now, after the last code, does the host wait for the device.
        return self._doubt(logits_BGK, noise_BGK)

    def _doubt(self, logits_BGK: Tensor, noise_BGK: Tensor | None) -> Tensor:
        doubts = []
        # Clip by clip, to bound the memory of sorting.
        for clip, logits_GK in enumerate(logits_BGK):
            noise_GK = None if noise_BGK is None else noise_BGK[clip]
            slack = ERROR * logits_GK.abs().max().item()
            doubts.append(doubtful(logits_GK, self.choice, noise_GK, slack))
        return torch.stack(doubts)

    def _settle(
        self,
        codes_1M: Tensor,
        doubt_G: Tensor,
        latents: Mapping[str, Tensor],
        noise_1GK: Tensor | None,
    ) -> None:
        """Decide one clip's doubtful codes in float64, in place; resample after a wrong one."""
        count = codes_1M.shape[1] - 1
        start = count - len(doubt_G)
        while (wrong := self._first_wrong(codes_1M, doubt_G, latents, noise_1GK)) is not None:
            place, code = wrong
            codes_1M[0, start + place] = code
            doubt_G[: place + 1] = False
            if place + 1 < len(doubt_G):
                after = start + place + 1
                condition = self.prior.condition(latents)
                doubt_G[place + 1 :] = self._run(codes_1M, after, condition, noise_1GK)[0]

    def _first_wrong(
        self,
        codes_1M: Tensor,
        doubt_G: Tensor,
        latents: Mapping[str, Tensor],
        noise_1GK: Tensor | None,
    ) -> tuple[int, int] | None:
        """Return the place and the right code of the first doubtful code that is wrong."""
        places = doubt_G.nonzero().flatten()
        if len(places) == 0:
            return None
        codes_1N = codes_1M[:, :-1]
        positions = places + codes_1N.shape[1] - len(doubt_G)
        codes_1THW = codes_1N.unflatten(1, self.prior.grid)
        logits_DK = look(self._exact, codes_1THW, latents, positions)
        noise_DK = None if noise_1GK is None else noise_1GK[0, places].double()
        right_D = pick(logits_DK, self.choice, noise_DK)
        differs = (right_D != codes_1N[0, positions]).nonzero().flatten()
        if len(differs) == 0:
            return None
        return int(places[differs[0]]), int(right_D[differs[0]])

    @functools.cached_property
    def _exact(self) -> AutoregressivePrior:
        return copy.deepcopy(self.prior).double()


def look(
    prior: AutoregressivePrior,
    codes_1THW: Tensor,
    latents: Mapping[str, Tensor],
    positions_D: Tensor,
) -> Tensor:
    """Return logits (D,K) at sorted positions of a finished clip, from no more than they need."""
    if isinstance(prior, SnailPrior) and not has_attention(prior):
        return Cone(prior).logits(codes_1THW, latents, positions_D)
    # With attention all positions before are needed, in nearly every layer.
    _, rows, columns = prior.grid
    frames = int(positions_D[-1]) // (rows * columns) + 1
    logits_1KtHW = prior.logits(codes_1THW[:, :frames], prior.condition(latents))
    return logits_1KtHW[0].flatten(1)[:, positions_D].T


@contextlib.contextmanager
def _float32(device: torch.device) -> Iterator[None]:
    """Compute as float32 says, whatever precision networks are trained in."""
    flags: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = False
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for flag, allowed in zip(flags, before, strict=True):
            flag.allow_tf32 = allowed
