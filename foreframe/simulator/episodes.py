"""How a drive goes on from the frames that it begins with: one class for each sort of predictor.

A predictor of codes sees the last frames anew at every step, together with the actions that led to
them (prediction over a receding horizon). One that goes frame by frame keeps its state instead: the
frames of a whole drive are one future, as long as the drive.

Shapes: t frames of the context, n frames of one step, C channels of the view, H rows, W columns, A
action channels, K slots, M modules, I iterations of a step.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as trees

from foreframe.config.sampling import Choice, Options
from foreframe.networks.noise import Drawn
from foreframe.predictors.latent import Latent
from foreframe.predictors.recurrent import FrameByFrame
from foreframe.randomness import Draws, generator
from foreframe.simulator.trained import Start, pushes

# An episode is one clip, whose future is its first.
CLIP = 0
# Of a slot's light in all, below which its place means nothing.
DARK = 1e-8


class Episode(Protocol):
    """A drive that has begun."""

    def go(self, led_nA: Tensor) -> Tensor:
        """Return the next frames, uint8 (n,H,W,3), of as many actions that lead to them."""


class OfCodes(Episode):
    """One in a predictor of codes, of whose priors all or none take actions.

    The action of a step is held for the rest of the window that the priors model. Of the window the
    step's frames alone are kept, the context moves on by as many, and is encoded again.
    """

    def __init__(self, predictor: Latent, choice: Choice, seed: int, start: Start) -> None:
        self.predictor, self.choice, self.seed, self.steps = predictor, choice, seed, 0
        self.frames_tHWC = torch.from_numpy(start.frames)
        self.led_tA = torch.from_numpy(start.actions)

    def go(self, led_nA: Tensor) -> Tensor:
        """Return the next frames, uint8 (n,H,W,3); see `Episode`."""
        predictor, window = self.predictor, self.predictor.window
        given, count = len(self.frames_tHWC), len(led_nA)
        codes = predictor.extend(
            window.first(predictor.encode(self.frames_tHWC[None]), given),
            self.choice,
            Draws.first(self.seed, [CLIP]),
            self.steps,
            actions_BTA=self._led(led_nA) if predictor.takes_actions else None,
            frames=given + -(-count // window.cover) * window.cover,
        )
        frames_nHWC = predictor.decode(codes)[0, given : given + count]
        self.frames_tHWC = torch.cat([self.frames_tHWC, frames_nHWC])[-given:]
        self.led_tA = torch.cat([self.led_tA, led_nA])[-given:]
        self.steps += 1
        return frames_nHWC

    def _led(self, led_nA: Tensor) -> Tensor:
        """Return the actions (1,T,A) that lead to the frames of a whole window."""
        rest = self.predictor.window.frames - len(self.led_tA)
        return torch.cat([self.led_tA, led_nA[:1].expand(rest, -1)])[None]


class OfFrames(Episode):
    """One in a predictor that goes frame by frame; actions count for nothing."""

    @torch.no_grad()
    def __init__(
        self, predictor: FrameByFrame[Any], choice: Options, seed: int, start: Start
    ) -> None:
        self.predictor, self.choice = predictor, choice
        device = next(predictor.parameters()).device
        self.noise = Drawn(Draws.first(seed, [CLIP]), "predict", device)
        frames_1tHWC = torch.from_numpy(start.frames)[None]
        x_1CtHW = predictor.inward(frames_1tHWC, [generator(seed, "dequantise", CLIP)])
        self.state = predictor.start(predictor.encode(x_1CtHW), choice, self.noise)
        self.time = len(start.frames)

    @torch.no_grad()
    def go(self, led_nA: Tensor) -> Tensor:
        """Return the next frames, uint8 (n,H,W,3); see `Episode`."""
        frames = []
        for _ in range(len(led_nA)):
            x_1CHW, self.state = self.predictor.advance(
                self.state, self.time, self.choice, self.noise
            )
            frames.append(x_1CHW)
            self.time += 1
        return self.predictor.scaling.outward(torch.stack(frames, dim=2))[0].cpu()


class OfModules(OfFrames):
    """One in a predictor that moves slots by modules: the brightest slot is pushed about.

    An action says how far to the right and down (n,2) it is wished to go. Of the modules it takes
    the one that moves it furthest that way; all other slots, and it too where nothing is wished, go
    as the predictor has them go.
    """

    predictor: Any

    @torch.no_grad()
    def __init__(
        self, predictor: FrameByFrame[Any], choice: Options, seed: int, start: Start
    ) -> None:
        super().__init__(predictor, choice, seed, start)
        self.light_KHW: Tensor = self.predictor.shown(self.state).light[0]
        self.slot = int(self.light_KHW.flatten(1).sum(dim=1).argmax())

    @torch.no_grad()
    def go(self, led_nA: Tensor) -> Tensor:
        """Return the next frames, uint8 (n,H,W,3); see `Episode`."""
        frames = [self._pushed(wish_2) for wish_2 in led_nA]
        return self.predictor.scaling.outward(torch.stack(frames, dim=2))[0].cpu()

    def _pushed(self, wish_2: Tensor) -> Tensor:
        """Return the next frame (1,C,H,W)."""
        wished = bool(wish_2.any())
        modules_M = torch.arange(self.predictor.module_count) if wished else torch.tensor([-1])
        shape = (len(modules_M), self.predictor.iterations, self.predictor.slot_count)
        modules_MIK = torch.full(shape, -1)
        modules_MIK[..., self.slot] = modules_M[:, None]
        states = trees.tree_map(
            lambda each: each.expand(len(modules_M), *each.shape[1:]), self.state
        )
        given = modules_MIK.to(self.light_KHW.device), self.time, self.choice, self.noise
        rendered, states = self.predictor.push(states, *given)
        before_12, after_M2 = (
            centres(light[..., self.slot, :, :]) for light in (self.light_KHW[None], rendered.light)
        )
        best = int(((after_M2 - before_12) @ wish_2.to(after_M2)).argmax())
        chosen = slice(best, best + 1)
        self.state = trees.tree_map(lambda each: each[chosen], states)
        self.light_KHW, self.time = rendered.light[best], self.time + 1
        return rendered.frame[chosen]


def centres(light_BHW: Tensor) -> Tensor:
    """Return the mean place (B,2) of light in pixels, to the right and down."""
    height, width = light_BHW.shape[1:]
    total_B = light_BHW.flatten(1).sum(dim=1).clamp_min(DARK)
    right_B = (light_BHW.sum(dim=1) * torch.arange(width).to(light_BHW)).sum(dim=1)
    down_B = (light_BHW.sum(dim=2) * torch.arange(height).to(light_BHW)).sum(dim=1)
    return torch.stack([right_B, down_B], dim=1) / total_B[:, None]


def begin(predictor: Latent | FrameByFrame[Any], choice: Any, seed: int, start: Start) -> Episode:
    """Return the episode that goes on from a place with a seed."""
    if isinstance(predictor, Latent):
        return OfCodes(predictor, choice, seed, start)
    if pushes(predictor):
        return OfModules(predictor, choice, seed, start)
    return OfFrames(predictor, choice, seed, start)
