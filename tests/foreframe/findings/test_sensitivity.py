"""Laws of what the top codes do to the bottom."""

import pytest
import torch

from foreframe.errors import UserError
from foreframe.evaluation.columns import Columns
from foreframe.findings import sensitivity
from foreframe.priors import AutoregressivePrior
from tests.foreframe.findings.clips import noise
from tests.foreframe.priors import tiny


def measured(prior: AutoregressivePrior) -> tuple[Columns, torch.Tensor, torch.Tensor]:
    bottom, top = tiny.codes(prior, 4), tiny.given(prior, 4)["top"]
    wrong = {"other": sensitivity.another_clip(top)}
    return sensitivity.measure(prior, bottom, top, wrong)["other"], bottom, top


def test_without_conditioning_the_top_is_worth_exactly_nothing() -> None:
    values, _, _ = measured(tiny.bottom(conditioning="none"))
    assert values["divergence_map"].abs().max() == 0
    assert torch.equal(values["nll"], values["nll_wrong"])
    found = sensitivity.summarize(values)
    assert found["loss"]["mean"] == 0 and found["largest_divergence"] == 0


def test_with_conditioning_another_top_changes_the_distribution() -> None:
    prior = tiny.bottom(conditioning="input")
    values, bottom, top = measured(prior)
    assert (values["divergence_map"] >= -1e-6).all()
    assert (values["divergence"] > 0).all()
    same = sensitivity.measure(prior, bottom, top, {"same": top})["same"]
    assert same["divergence_map"].abs().max() == 0


def test_the_likelihood_is_that_of_the_prior() -> None:
    prior = tiny.bottom()
    values, bottom, top = measured(prior)
    with torch.no_grad():
        expected = -prior.log_prob(bottom, prior.condition({"top": top})).flatten(1).mean(dim=1)
    torch.testing.assert_close(values["nll"], expected.double())


def test_wrong_tops_are_other_clips_and_other_places() -> None:
    top = torch.arange(4 * 8).view(4, 2, 2, 2)
    other = sensitivity.another_clip(top)
    assert not (other == top).any() and torch.equal(sensitivity.another_clip(other), top)
    shuffled = sensitivity.shuffled(top, seed=0)
    assert torch.equal(shuffled.flatten(1).sort(dim=1).values, top.flatten(1))
    assert (shuffled != top).flatten(1).any(dim=1).all()
    with pytest.raises(UserError, match="needs two clips"):
        sensitivity.another_clip(top[:1])


def test_equal_pictures_do_not_change_and_grey_ones_change_luma_alone() -> None:
    frames = noise(2, 2, 4, 4, 1).expand(-1, -1, -1, -1, 3)
    still = sensitivity.pixels(frames, frames)
    assert max(float(values.max()) for values in still.values()) == 0
    moved = sensitivity.pixels(frames, 255 - frames)
    assert (moved["luma"] > 10).all() and (moved["chroma"] < 1e-3).all()
