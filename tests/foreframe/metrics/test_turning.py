"""Laws of the turn: a known shift is found, in pixels alone, whatever the brightness."""

import pytest
import torch

from foreframe.metrics.turning import turn


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Return a smooth random picture (height, width, 3) in 0..255."""
    rough = torch.rand(3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough[None], (height, width), mode="bicubic")
    return (255 * smooth[0].clamp(0, 1)).permute(1, 2, 0)


def moving(step: int, height: int = 48, width: int = 64, down: int = 0) -> torch.Tensor:
    """Return a clip (1,5,H,W,3) whose scene moves left by `step` columns a frame."""
    wide = texture(height + 40, width + 80)
    frames = [
        wide[20 - down * t : 20 - down * t + height, 40 + step * t : 40 + step * t + width]
        for t in range(5)
    ]
    return torch.stack(frames)[None].round().to(torch.uint8)


@pytest.mark.parametrize("step", [-5, -2, 0, 1, 3, 6])
@pytest.mark.parametrize("down", [0, 2])
def test_a_shift_is_found(step: int, down: int) -> None:
    found = turn(moving(step, down=down))
    assert found.shape == (1, 4) and found.dtype == torch.float64
    assert (found - step).abs().max() < 0.5


def test_a_mirrored_clip_turns_the_other_way() -> None:
    clip = moving(3)
    torch.testing.assert_close(turn(clip.flip(3)), -turn(clip), atol=0.05, rtol=0)


def test_brightness_and_the_lower_half_do_not_matter() -> None:
    clip = moving(2)
    other = clip.clone()
    other[:, :, 24:] = 255 - other[:, :, 24:]
    assert torch.equal(turn(other), turn(clip))
    darker = (clip.float() / 2).round().to(torch.uint8)
    assert (turn(darker) - turn(clip)).abs().max() < 0.1


def test_what_stands_still_or_is_empty_does_not_turn() -> None:
    still = moving(0)
    assert turn(still).abs().max() < 1e-6
    assert turn(torch.full((2, 3, 8, 8, 3), 7, dtype=torch.uint8)).isfinite().all()


def test_clips_are_measured_apart() -> None:
    both = torch.cat([moving(2), moving(-3)])
    assert torch.equal(turn(both), torch.cat([turn(moving(2)), turn(moving(-3))]))
