"""The flow that fills a hole: it is told what lies around, where it lies, and counts no more."""

import pytest
import torch

from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.randomness import Draws
from tests.foreframe.predictors.test_glow import HOLE, PLAIN, SIDE, built, holed, ready, settings


def test_what_is_in_the_hole_is_all_that_is_counted_and_drawn() -> None:
    model, clips = ready(told=True, hole=HOLE), holed()
    context = Context(clips[:, :1], [5, 6])
    found = model.likelihood(context, clips[:, 1:], Draws.first(0, [5, 6]))
    assert found.dimensions == 3 * HOLE * HOLE
    drawn = model.predict(context, 1, PLAIN, Draws.each(0, [5, 6], range(3))).frames
    outside = torch.ones(SIDE, SIDE, dtype=torch.bool)
    outside[4:12, 4:12] = False
    each = clips[:, 1:].repeat_interleave(3, dim=0)
    assert torch.equal(drawn[:, :, outside], each[:, :, outside])
    assert (drawn[:, :, ~outside] != each[:, :, ~outside]).float().mean() > 0.9
    # A longer future goes on from the frame it has made, and leaves that one as it was.
    longer = model.predict(context, 2, PLAIN, Draws.each(0, [5, 6], range(3))).frames
    assert torch.equal(longer[:, :1], drawn)
    assert torch.equal(longer[:, 1][:, outside], drawn[:, 0][:, outside])
    assert not torch.equal(longer[:, 1], drawn[:, 0])


def test_a_hole_of_clips_whose_surroundings_change_has_no_likelihood() -> None:
    model, clips = ready(told=True, hole=HOLE), holed()
    clips[1, 1, 3, 4] += 1
    context = Context(clips[:, :1], [5, 6])
    with pytest.raises(UserError, match=r"which changes in these clips.*hole to 0"):
        model.likelihood(context, clips[:, 1:], Draws.first(0, [5, 6]))


# Which pixels a place r of a level sees: from 2^l r - first to 2^l r + last.
SEEN = ((4, 5), (10, 13))


@pytest.mark.parametrize(("hole", "width"), [(0, SIDE), (HOLE, SIDE), (HOLE, 20), (12, SIDE)])
def test_what_is_given_is_heard_where_it_lies(hole: int, width: int) -> None:
    # A pixel of the frame changes the places of the hole's maps that lie near it, and no other.
    model = ready(told=True, width=width, hole=hole).double()
    size = hole or SIDE, hole or width
    down, right = (SIDE - size[0]) // 2, (width - size[1]) // 2
    for pixel in ((0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, 1), (-down, -right)):
        dark = torch.zeros(1, 3, SIDE, width).double()
        found = []
        for change in (0, -5, 5):
            x = dark.clone()
            x[..., down + pixel[0], right + pixel[1]] = change
            with torch.no_grad():
                found.append(model._told(x, x)[0])
        for level, (before, *after) in enumerate(zip(*found, strict=True), start=1):
            changed = sum((each - before).abs().amax(dim=(0, 1)) for each in after) > 0
            first, last = SEEN[level - 1]
            near = [
                [2**level * r - first <= at <= 2**level * r + last for r in range(side >> level)]
                for side, at in zip(size, pixel, strict=True)
            ]
            assert torch.equal(changed, torch.tensor(near[0])[:, None] & torch.tensor(near[1]))


@pytest.mark.parametrize(
    ("hole", "height", "said"),
    [
        (0, 18, r"halves what it models 2 times, which has 18 x 16 .*height.*multiples of 4"),
        (10, 16, r"halves what it models 2 times, which has 10 x 10 .*hole to a multiple of 4"),
        (7, 16, r"hole is 7, but frames have 16 x 16 .*equal margins"),
        (16, 16, r"hole is 16, but .*must lie inside"),
        (20, 32, r"hole is 20, but frames have 32 x 16"),
        (8, 17, r"hole is 8, but frames have 17 x 16 .*equal margins"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(hole: int, height: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        built(settings(told=True, hole=hole), height, SIDE)
