"""Linear motion is exact where motion is linear, stays where nothing moves, and hides nothing."""

import pytest
import torch

from foreframe.config.sampling import Options
from foreframe.metrics.mse import mse
from foreframe.predictors import Context, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.linear_motion import LinearMotion
from foreframe.randomness import Draws

MOTION = LinearMotion(block=8, radius=4)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return a picture in which every place looks different, uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


def pan(rows: int, columns: int, frames: int, size: tuple[int, int] = (32, 40)) -> torch.Tensor:
    """Return a view that glides over a picture by (rows, columns) a frame: (1, frames, H, W, 3)."""
    picture = noise(140, 140, 3)
    height, width = size
    return torch.stack(
        [
            picture[50 + rows * t : 50 + rows * t + height, 50 + columns * t :][:, :width]
            for t in range(frames)
        ]
    )[None]


def crossing(frames: int, texture: bool) -> torch.Tensor:
    """Return a square that moves by (2, -3) over a still picture: uint8 (1, frames, 64, 64, 3)."""
    behind = noise(64, 64, 3, seed=1) if texture else torch.full((64, 64, 3), 20).byte()
    thing = noise(8, 8, 3, seed=2)
    clip = behind.expand(frames, -1, -1, -1).clone()
    for t in range(frames):
        # At t = 7, the last given frame, it fills one block; the search finds it wherever it was.
        row, column = 16 + 2 * (t - 7), 24 - 3 * (t - 7)
        clip[t, row : row + 8, column : column + 8] = thing
    return clip[None]


def predict(context: torch.Tensor, horizon: int, predictor: Predictor = MOTION) -> torch.Tensor:
    draws = Draws.first(0, range(len(context)))
    return predictor.predict(Context(context, draws.clips), horizon, Options(), draws).frames


@pytest.mark.parametrize("speed", [(0, 1), (3, 0), (-2, 3), (4, -4)])
def test_a_constant_pan_is_continued_exactly_where_it_was_seen(speed: tuple[int, int]) -> None:
    clip = pan(*speed, frames=5)
    future = predict(clip[:, :2], 3)
    for step in range(3):
        # What is seen of the last given frame, less the blocks at its rim that came from outside.
        seen = torch.zeros(32, 40, dtype=torch.bool)
        seen[8:-8, 8:-8] = True
        moved = torch.zeros_like(seen)
        down, right = -speed[0] * (step + 1), -speed[1] * (step + 1)
        rows, columns = torch.nonzero(seen, as_tuple=True)
        inside = (rows + down >= 0) & (rows + down < 32)
        inside &= (columns + right >= 0) & (columns + right < 40)
        moved[(rows + down)[inside], (columns + right)[inside]] = True
        assert moved.sum() > 100
        assert torch.equal(future[0, step][moved], clip[0, 2 + step][moved])


@pytest.mark.parametrize("texture", [False, True])
def test_a_thing_that_crosses_a_still_picture_is_continued_exactly(texture: bool) -> None:
    clip = crossing(13, texture)
    assert torch.equal(predict(clip[:, :8], 5), clip[:, 8:])


def test_nothing_moves_where_nothing_moved() -> None:
    still = noise(1, 1, 24, 24, 3).expand(2, 3, -1, -1, -1)
    assert torch.equal(predict(still, 6), predict(still, 6, CopyLastFrame()))


def test_noise_is_not_taken_for_motion() -> None:
    picture = noise(1, 1, 64, 64, 3).int()
    grain = torch.randint(-6, 7, (1, 2, 64, 64, 3), generator=torch.Generator().manual_seed(3))
    field = MOTION.measure(*(picture + grain).clamp(0, 255).byte().unbind(dim=1))
    assert field.rows.count_nonzero() == field.columns.count_nonzero() == 0
    # Flat, so that only the grain differs from place to place.
    flat = (128 + grain).byte()
    moving = MOTION.measure(*flat.unbind(dim=1))
    assert (moving.rows.abs() + moving.columns.abs() > 0).float().mean() < 0.05


def test_of_equal_displacements_the_shortest_is_taken() -> None:
    stripes = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    stripes[:, :, ::4] = 255
    field = MOTION.measure(stripes, stripes.roll(1, dims=2))
    # One column to the right, not three to the left; rows look all the same. The blocks of the
    # first column came from outside.
    assert field.rows.count_nonzero() == 0
    assert field.columns.reshape(4, 4)[:, 1:].tolist() == [[1] * 3] * 4


def test_motion_beats_copying_on_a_pan() -> None:
    clip = pan(1, 2, frames=8)
    future = clip[:, 2:]
    copied = predict(clip[:, :2], 6, CopyLastFrame())
    assert bool((mse(future, predict(clip[:, :2], 6)) < 0.75 * mse(future, copied)).all())


def test_a_longer_future_begins_with_the_shorter() -> None:
    clip = pan(1, 2, frames=2)
    assert torch.equal(predict(clip, 9)[:, :4], predict(clip, 4))


def test_far_ahead_everything_has_left() -> None:
    clip = pan(0, 4, frames=3)
    middle = clip.sort(dim=1).values[:, 1]
    future = predict(clip, 1000)
    still = MOTION.measure(clip[:, -2], clip[:, -1]).columns == 0
    assert int(still.sum()) <= 5
    assert (future[:, -1] == middle).float().mean() > 0.7


def test_clips_do_not_matter_to_each_other() -> None:
    both = torch.cat([pan(1, 2, 3), pan(-2, 0, 3)])
    for clip in range(2):
        assert torch.equal(predict(both, 4)[clip], predict(both[clip : clip + 1], 4)[0])


@pytest.mark.parametrize("size", [(31, 37), (8, 8), (5, 3)])
def test_frames_need_no_whole_number_of_blocks(size: tuple[int, int]) -> None:
    clip = pan(1, 1, frames=4, size=size)
    future = predict(clip[:, :2], 2)
    assert future.shape == clip[:, 2:].shape
    if min(size) > 16:
        assert torch.equal(future[0, 0, 8:16, 8:16], clip[0, 2, 8:16, 8:16])


def test_one_frame_shows_no_motion() -> None:
    with pytest.raises(ValueError, match="at least two frames"):
        predict(pan(1, 1, frames=1), 1)
    with pytest.raises(ValueError, match="of uint8"):
        predict(pan(1, 1, frames=2).double() / 255, 1)


@pytest.mark.parametrize(("block", "radius"), [(0, 4), (8, 0)])
def test_no_block_and_no_radius_are_refused(block: int, radius: int) -> None:
    with pytest.raises(ValueError, match="1 pixel or more"):
        LinearMotion(block, radius)
