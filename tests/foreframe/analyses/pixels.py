"""A predictor with slots that can be worked out by hand: a slot for each of two colours.

An object is what is bright in a channel, red or green, and a module shifts a channel by a step.
Shapes: N clips, T frames, K = 3 slots, C = 3 colours, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.metrics import matching
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.networks.noise import Noise
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.predictors.slots import Followed, Slotted
from foreframe.randomness import Draws, Numbers
from tests.foreframe.predictors import moving

BRIGHT = 0.6
CHANNELS = (None, 1, 0)  # of each slot; the first one shows the ground
STEPS = {0: (1, 0), 1: (0, 1), 2: (0, 0), 3: (-1, 0), 4: (0, -1)}  # x and y of each module
MODULE_OF = {0: 3, 1: 0, 2: 4, 3: 1}  # of left, right, up, down


class Pixels(Slotted, Predictor):
    """Follows colours without error; `late` frames too late from the second one on.

    Between two frames slots stay where they were until the last iteration, by the module that
    moves nothing.
    """

    slot_count, module_count = 3, 5

    def __init__(self, step: int = 1, *, late: int = 0) -> None:
        self.step, self.late = step, late
        self.scaling = Scaling(moving.view(channels="colour"), Normalizer((0.5,) * 3, (0.2,) * 3))

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        raise AssertionError("nothing is predicted here")

    def inward(self, frames_BTHWC: Tensor, numbers: Sequence[Numbers]) -> Tensor:
        assert len(numbers) == len(frames_BTHWC)
        return self.scaling.inward(frames_BTHWC, None)

    def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Followed:
        times = [max(0, time - self.late) for time in range(x_NCTHW.shape[2])]
        seen = self._rendered(x_NCTHW[:, :, times])
        before, after = (
            Rendered(*(e[:, part] for e in seen)) for part in (slice(-1), slice(1, None))
        )
        steps = [before] * ((iterations or 1) - 1) + [after]
        refined = Rendered(*(torch.stack(each, dim=2) for each in zip(*steps, strict=True)))
        places = matching.centroids(seen.masks)
        modules = torch.full((*places.shape[:1], places.shape[1] - 1, len(steps), 3), 2)
        for slot in (1, 2):
            moves_NT = matching.moves(places[:, :, slot : slot + 1].round())[..., 0]
            for move, module in MODULE_OF.items():
                modules[:, :, -1, slot][moves_NT == move] = module
        return Followed(seen, refined, modules)

    def roll(self, x_NCtHW: Tensor, modules_NhIK: Tensor, options: Any, noise: Noise) -> Rendered:
        self.check_modules(modules_NhIK)
        frames = [x_NCtHW[:, :, -1]]
        for modules_NIK in modules_NhIK.unbind(dim=1):
            frames.append(frames[-1].clone())
            for modules_NK in modules_NIK.unbind(dim=1):
                for row, modules_K in enumerate(modules_NK.tolist()):
                    for channel, module in zip(CHANNELS, modules_K, strict=True):
                        if channel is not None and module >= 0:
                            x, y = (self.step * each for each in STEPS[module])
                            own = frames[-1][row, channel]
                            frames[-1][row, channel] = own.roll((y, x), (0, 1))
        return self._rendered(torch.stack(frames, dim=2))

    def _rendered(self, x_NCTHW: Tensor) -> Rendered:
        masks, colours = [], []
        for channel in CHANNELS:
            own = torch.zeros_like(x_NCTHW)
            if channel is None:
                bright = (x_NCTHW[:, :2] > BRIGHT).any(dim=1)
                masks.append((~bright).float())
            else:
                masks.append((x_NCTHW[:, channel] > BRIGHT).float())
                own[:, channel] = x_NCTHW[:, channel]
            colours.append(own.transpose(1, 2))
        return Rendered(torch.stack(colours, dim=2), torch.stack(masks, dim=2))


def walk(count: int, frames: int, side: int, step: int = 1) -> Tensor:
    """Return places (N,T,2,2) of two objects that walk round a square of four steps, apart."""
    begins = torch.tensor([[1, 1], [side // 2, side // 2]])
    round_42 = step * torch.tensor([(1, 0), (0, 1), (-1, 0), (0, -1)])
    found = torch.zeros(count, frames, 2, 2, dtype=torch.int64)
    for clip in range(count):
        for thing in range(2):
            turns = (torch.arange(frames - 1) + clip + 2 * thing) % 4
            steps = torch.cat([begins[thing][None] + step, round_42[turns]])
            found[clip, :, thing] = steps.cumsum(dim=0)
    return found


def frames(places_NTO2: Tensor, side: int) -> Tensor:
    """Return uint8 frames (N,T,side,side,3): the first object red, the second one green."""
    found = torch.zeros(*places_NTO2.shape[:2], side, side, 3, dtype=torch.uint8)
    for clip, times in enumerate(places_NTO2.tolist()):
        for time, things in enumerate(times):
            for channel, (x, y) in enumerate(things):
                found[clip, time, y, x, channel] = 255
    return found


def states(places_NTO2: Tensor) -> dict[str, Tensor]:
    """Return places as the source names them, (N,T) by name."""
    return {
        f"{axis}_{thing + 1}": places_NTO2[:, :, thing, number].float()
        for thing in range(places_NTO2.shape[2])
        for number, axis in enumerate("xy")
    }
