"""Where squeezing moves a number."""

import torch

from foreframe.networks.flows.squeeze import squeeze, unsqueeze
from foreframe.randomness import generator


def test_the_four_channels_of_a_channel_are_the_places_of_its_blocks() -> None:
    x = generator(0, "x").normal((2, 3, 4, 6))
    found = squeeze(x)
    assert found.shape == (2, 12, 2, 3)
    for place, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        assert torch.equal(found[:, place::4], x[:, :, row::2, column::2])


def test_unsqueezing_undoes_it() -> None:
    x = generator(0, "x").normal((2, 3, 4, 6))
    assert torch.equal(unsqueeze(squeeze(x)), x)
