"""A flow that is led from one clip's states and latents to another's.

Shapes: B clips, P clips on the way, C channels, T frames, S = T - 1, H rows, W columns.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses.sequence_interpolation import between
from foreframe.networks.noise import Noise, Shared
from foreframe.predictors.rfn import Temperatures
from foreframe.randomness import Shape
from tests.foreframe.predictors.sequential import Same
from tests.foreframe.predictors.test_rfn import FRAMES, PLAIN, clips, ready

SHARES = [0.0, 0.25, 1.0]


def beginning() -> Tensor:
    """Return two clips (B,C,T,H,W) that begin with one frame."""
    x_BCTHW = clips()
    x_BCTHW[1, :, 0] = x_BCTHW[0, :, 0]
    return x_BCTHW


def told(model: Any) -> list[Any]:
    """Return the list of what the conditions will be made of: h, z and features of each call."""
    calls: list[Any] = []
    conditioned = model._conditioned

    def kept(h_BFHW: Tensor, z_BZHW: Tensor, features: Any) -> Any:
        calls.append((h_BFHW, z_BZHW, *features))
        return conditioned(h_BFHW, z_BZHW, features)

    model._conditioned = kept
    return calls


@torch.no_grad()
def test_states_and_latents_lie_on_the_line_and_frames_are_fed_back() -> None:
    model: Any = ready()
    x_BCTHW = beginning()
    calls = told(model)
    model.terms(x_BCTHW, 1, Same(2))
    ends = [each.unflatten(0, (2, FRAMES - 1)) for each in calls.pop()]
    # A flow that makes the true frames of both clips, and of the first for what is between.
    steps = iter(range(1, FRAMES))

    def made(*_: Any) -> Tensor:
        return x_BCTHW[[0, 0, 1], :, next(steps)]

    model.flow.sample = made
    found_PCSHW = between(model, x_BCTHW, SHARES, PLAIN, Same(2))
    assert torch.equal(found_PCSHW, x_BCTHW[[0, 0, 1], :, 1:])
    way = [torch.stack(each, dim=1) for each in zip(*calls, strict=True)]
    for one, wanted in zip(way, ends, strict=True):
        torch.testing.assert_close(one[[0, 2]], wanted)
    for one, wanted in zip(way[:2], ends[:2], strict=True):
        torch.testing.assert_close(one[1], 0.75 * wanted[0] + 0.25 * wanted[1])


class Alike(Same):
    """The same latents for both clips."""

    def normal(self, purpose: str, time: int, shape: Shape) -> Tensor:
        numbers = Same(self.count) if purpose.startswith("flow") else Shared(Same(1), self.count)
        return numbers.normal(purpose, time, shape)


@pytest.mark.parametrize("noise", [Alike(2), Same(2)])
@torch.no_grad()
def test_on_the_way_between_equal_clips_all_are_equal(noise: Noise) -> None:
    x_BCTHW = clips()[:1].expand(2, -1, -1, -1, -1)
    made = between(ready(), x_BCTHW, SHARES, Temperatures(flow=0.5, prior=1.0), noise)
    assert made.shape == (3, 1, FRAMES - 1, *x_BCTHW.shape[-2:])
    # Unless their latents were drawn apart.
    assert torch.allclose(made, made[:1].expand_as(made)) == isinstance(noise, Alike)


@torch.no_grad()
def test_a_frame_changes_what_is_made_from_it_on() -> None:
    model, x_BCTHW = ready(), beginning()
    plain = between(model, x_BCTHW, SHARES, PLAIN, Same(2))
    for time in range(1, FRAMES):
        changed = x_BCTHW.clone()
        changed[1, :, time] = -changed[1, :, time]
        apart = (between(model, changed, SHARES, PLAIN, Same(2)) - plain).abs()
        moved = (apart.amax(dim=(1, 3, 4)) > 1e-9).tolist()
        # The first of them hears nothing of the second clip.
        after = [step >= time - 1 for step in range(FRAMES - 1)]
        assert moved == [[False] * (FRAMES - 1), after, after]
