"""Encoders and decoders of frames to vectors: every backbone takes every size."""

import pytest
import torch

from foreframe.networks.svg_frames import SIZES, Backbone, FrameDecoder, FrameEncoder


@pytest.mark.parametrize("backbone", ["dcgan", "vgg"])
@pytest.mark.parametrize("rows", SIZES)
def test_frames_of_each_size_come_back_at_their_size(backbone: Backbone, rows: int) -> None:
    with torch.device("meta"):
        encoder, decoder = (part(backbone, 3, rows, 4, 6) for part in (FrameEncoder, FrameDecoder))
        vectors, skips = encoder(torch.empty(2, 3, rows, rows))
    assert vectors.shape == (2, 6)
    assert decoder(vectors, skips).shape == (2, 3, rows, rows)
