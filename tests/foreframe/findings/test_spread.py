"""Laws of how errors spread."""

import pytest
import torch

from foreframe.findings import spread
from foreframe.priors.engines.naive import Naive
from tests.foreframe.priors import tiny

PLACE = (1, 2, 1)


def test_corruption_replaces_one_code_by_another() -> None:
    prior = tiny.bottom()
    codes = tiny.codes(prior, 6)
    wrong = spread.corrupt(codes, PLACE, prior.codebook_size, seed=0)
    differs = codes != wrong
    assert differs.flatten(1).sum(dim=1).tolist() == [1] * 6
    assert differs[(slice(None), *PLACE)].all()
    assert wrong.min() >= 0 and wrong.max() < prior.codebook_size


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_continuing_is_argmax_code_by_code(level: str) -> None:
    prior = tiny.bottom() if level == "bottom" else tiny.top()
    codes, latents = tiny.codes(prior, 3), tiny.given(prior, 3)
    start = codes[0].numel() // 2 + 1
    with torch.no_grad():
        condition = prior.condition(latents)
        expected = torch.cat([codes.flatten(1), codes.new_full((3, 1), 7)], dim=1)
        naive = Naive(prior, expected, start, condition)
        for step in naive.schedule():
            expected[:, step.positions] = naive.logits(step).argmax(dim=-1)
    found = spread.continue_greedily(prior, codes, start, condition)
    assert torch.equal(found.flatten(1), expected[:, :-1])


def test_nothing_before_the_corrupted_code_changes() -> None:
    prior = tiny.bottom((2, 3, 3))
    codes, latents = tiny.codes(prior, 5), tiny.given(prior, 5)
    changed = spread.changed(prior, codes, latents, PLACE, seed=1)
    where = spread.position(PLACE, prior.grid)
    flat = changed.flatten(1)
    assert not flat[:, :where].any() and flat[:, where].all()
    found = spread.summarize(changed, PLACE)
    assert found["changed_before"] == 0 and found["changed_after"]["clips"] == 5


def test_a_prior_that_looks_at_nothing_forgets_the_corruption() -> None:
    prior = tiny.bottom()
    with torch.no_grad():
        prior.get_parameter("input.weight").zero_()
    changed = spread.changed(prior, tiny.codes(prior, 4), tiny.given(prior, 4), PLACE, seed=0)
    assert changed.sum() == 4  # the replaced codes themselves
    found = spread.summarize(changed, PLACE)
    assert found["changed_after"]["mean"] == 0 and found["clips_unaffected"]["mean"] == 1


def test_sides_are_counted_apart() -> None:
    changed = torch.zeros(1, 3, 5, 6, dtype=torch.bool)
    changed[0, 1, 2, 3:] = True  # right of the place, in its own row
    changed[0, 2, 3, 2] = True  # below it, a code-frame later
    window = spread.around(changed, (1, 2, 2))
    assert window.shape == (1, 2, 5, 5)
    now = {name: float(values) for name, values in spread.sides(window[:, :1]).items()}
    assert now == {"right": 2 / 10, "left": 0, "below": 0, "above": 0}
    later = {name: float(values) for name, values in spread.sides(window[:, 1:]).items()}
    assert later == {"right": 0, "left": 0, "below": 1 / 10, "above": 0}
    found = spread.summarize(changed, (1, 2, 2))
    assert found["same_code_frame"]["right_minus_left"]["mean"] == pytest.approx(0.2)
    assert found["later"]["below_minus_above"]["mean"] == pytest.approx(0.1)


def test_distance_is_in_raster_order() -> None:
    changed = torch.zeros(1, 2, 3, 4, dtype=torch.bool)
    changed[0, 0, 1, 2:] = True
    changed[0, 0, 2, :2] = True
    # After (0, 1, 1) these are the next four codes: a row's worth.
    assert spread.by_distance(changed, (0, 1, 1)).tolist() == [[1, 0, 0, 0]]
