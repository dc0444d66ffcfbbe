"""Random numbers that rows share."""

import pytest
import torch

from foreframe.networks.noise import Drawn, Shared
from foreframe.randomness import Draws


@pytest.mark.parametrize("draw", ["normal", "gumbel"])
def test_shared_numbers_are_those_of_the_first_row_for_every_row(draw: str) -> None:
    noise = Drawn(Draws.first(0, range(2)), "test", torch.device("cpu"))
    own, shared = (getattr(each, draw)("latent", 3, (2, 4)) for each in (noise, Shared(noise, 5)))
    assert torch.equal(shared, own[:1].expand(5, 2, 4))
    assert not torch.equal(own[0], own[1])
