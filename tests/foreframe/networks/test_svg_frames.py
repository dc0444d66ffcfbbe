"""Encoders and decoders of frames to vectors: every backbone takes every size."""

import pytest
import torch
from torch import nn

from foreframe.networks.svg_frames import SIZES, Backbone, FrameDecoder, FrameEncoder, Joined
from foreframe.randomness import generator


@pytest.mark.parametrize("backbone", ["dcgan", "vgg"])
@pytest.mark.parametrize("rows", SIZES)
def test_frames_of_each_size_come_back_at_their_size(backbone: Backbone, rows: int) -> None:
    with torch.device("meta"):
        encoder = FrameEncoder(backbone, 3, rows, 4, 6)
        decoder = FrameDecoder(backbone, 3, rows, 4, 6)
        vectors, skips = encoder(torch.empty(2, 3, rows, rows))
    assert vectors.shape == (2, 6)
    assert decoder(vectors, decoder.read(skips)).shape == (2, 3, rows, rows)


@pytest.mark.parametrize(
    "convolution", [nn.Conv2d(6, 5, 3, padding=1), nn.ConvTranspose2d(6, 5, 4, 2, 1)]
)
def test_what_was_seen_and_what_comes_are_convolved_side_by_side(
    convolution: nn.Conv2d | nn.ConvTranspose2d,
) -> None:
    x, seen = generator(0, "pictures").normal((2, 4, 3, 8, 8))
    joined = Joined(convolution)
    wanted = convolution(torch.cat([x, seen], dim=1))
    torch.testing.assert_close(joined(x, joined.read(seen)), wanted)
