"""Laws of receptive fields."""

import numpy
import pytest
import torch

from foreframe.findings import receptive_field
from foreframe.priors import AutoregressivePrior
from tests.foreframe.priors import tiny


def gradient(prior: AutoregressivePrior) -> torch.Tensor:
    return receptive_field.gradient(prior, tiny.codes(prior, 1), tiny.given(prior, 1))


def test_attention_reaches_every_earlier_code_that_something_earlier_has_read() -> None:
    """No position attends to its own code, so two corners are read too late to be passed on.

    They are the last code of the row above and that of the code-frame before: all positions that
    a 2 x 2 x 2 kernel brings them to come after the middle.
    """
    prior = tiny.top((3, 4, 4))
    map_THW = gradient(prior)
    found = receptive_field.summarize(map_THW)
    assert receptive_field.middle(prior.grid) == (1, 2, 2)
    assert found["earlier"] == 16 + 2 * 4 + 2
    assert found["reached"] == found["earlier"] - 2 and found["not_earlier"] == 0
    assert map_THW[1, 1, 3] == 0 and map_THW[0, 3, 3] == 0


@pytest.mark.parametrize("conditioning", ["input", "none"])
def test_kernels_reach_as_far_as_their_sum(conditioning: str) -> None:
    """The input layer reaches one step; each of two blocks has two convolutions, 3 x 3 x 5."""
    prior = tiny.bottom((4, 8, 16), conditioning=conditioning)
    map_THW = gradient(prior)
    found = receptive_field.summarize(map_THW)
    assert found["not_earlier"] == 0 and 0 < found["reached"] < found["earlier"]
    frames, rows, columns = (
        numpy.abs(places - place)
        for places, place in zip(
            numpy.nonzero(map_THW.numpy() > 0), receptive_field.middle(prior.grid), strict=True
        )
    )
    assert frames.max() <= 1 + 4 and rows.max() <= 1 + 4 and columns.max() <= 1 + 4 * 2


def test_codes_out_of_reach_change_nothing_and_the_gradient_foretells_a_small_change() -> None:
    prior = tiny.bottom((2, 4, 4)).double()
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    map_THW = receptive_field.gradient(prior, codes, latents)
    place = receptive_field.middle(prior.grid)
    condition = prior.condition(latents)

    def log_prob(changed: torch.Tensor) -> float:
        with torch.no_grad():
            return float(prior.log_prob(changed, condition)[(0, *place)])

    before = log_prob(codes)
    for index in [(0, 0, 0), (place[0], place[1], place[2] - 1), (3, 7, 7)]:
        changed = codes.clone()
        changed[(0, *index)] = (changed[(0, *index)] + 1) % prior.codebook_size
        assert (log_prob(changed) != before) == bool(map_THW[index] > 0)


def test_the_untrained_network_is_one_of_the_same_form_and_the_same_each_time() -> None:
    prior = tiny.top(seed=3)
    fresh = receptive_field.untrained(prior, seed=0)
    again = receptive_field.untrained(prior, seed=0)
    assert fresh.settings == prior.settings and fresh.codes == prior.codes
    for name, values in fresh.state_dict().items():
        assert torch.equal(values, again.state_dict()[name])
    assert not torch.equal(fresh.get_parameter("input.weight"), prior.get_parameter("input.weight"))


def test_what_is_marked_is_counted() -> None:
    map_THW = torch.zeros(2, 4, 4)
    map_THW[0, 1, 2], map_THW[1, 2, 1], map_THW[0, 0, 0] = 0.5, 0.002, 0.0005
    found = receptive_field.summarize(map_THW)
    assert found["marked"] == 2 and found["reached"] == 3 and found["largest"] == 0.5
    assert (found["steps_back"], found["rows"], found["columns"]) == (1, 1, 1)
