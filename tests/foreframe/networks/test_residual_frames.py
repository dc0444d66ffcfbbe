"""Encoders of frames: features at every resolution, and how blocks change what they are given."""

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.initialization import initialize
from foreframe.networks.residual_frames import (
    ResidualBlock,
    ResidualEncoder,
    StridedEncoder,
    Style,
    cut,
    enlarging,
    of_clips,
    sizes,
)
from foreframe.randomness import generator

Layers = TypeVar("Layers", bound=nn.Module)

STYLE = Style(slope=0.2, groups=2, state_groups=2, residual=0.1)


def drawn(layers: Layers) -> Layers:
    initialize(layers, generator(0, "weights"))
    layers.eval()
    return layers


def features(*shape: int) -> Tensor:
    return generator(0, "features").normal(shape)


def test_features_are_those_of_the_thesis_at_64_rows() -> None:
    with torch.device("meta"):
        style = Style(slope=0.2, groups=4, state_groups=16, residual=0.1)
        encoder = ResidualEncoder(3, 64, 64, style)
        found = encoder(torch.empty(1, 3, 64, 64))
    shapes = {size: tuple(h_BCHW.shape[1:]) for size, h_BCHW in found.items()}
    assert shapes == {
        64: (64, 64, 64),
        32: (128, 32, 32),
        16: (256, 16, 16),
        8: (512, 8, 8),
        4: (512, 4, 4),
        1: (512, 1, 1),
    }
    # Castrejon 2022, table 4.2: the part of the encoder in the count of the whole.
    assert sum(weight.numel() for weight in encoder.parameters()) == 24_113_920


@pytest.mark.parametrize("kind", [ResidualEncoder, StridedEncoder])
@pytest.mark.parametrize("rows", [8, 16])
@torch.no_grad()
def test_widths_are_those_of_the_features(
    kind: type[ResidualEncoder] | type[StridedEncoder], rows: int
) -> None:
    encoder = drawn(kind(3, rows, 4, STYLE))
    found = encoder(features(2, 3, rows, rows))
    assert tuple(found) == sizes(rows)
    for size, h_BCHW in found.items():
        assert h_BCHW.shape == (2, encoder.widths[size], size, size)


def test_the_strided_features_at_full_resolution_are_the_frame() -> None:
    x_BCHW = features(2, 3, 8, 8)
    assert torch.equal(drawn(StridedEncoder(3, 8, 4, STYLE))(x_BCHW)[8], x_BCHW)


@torch.no_grad()
def test_residual_features_are_halved_by_their_maxima() -> None:
    encoder = drawn(ResidualEncoder(3, 8, 4, STYLE))
    found = encoder(features(2, 3, 8, 8))
    for above, size in ((8, 4), (4, 1)):
        halved = functional.max_pool2d(found[above], above // size)
        torch.testing.assert_close(found[size], encoder.stages[str(size)](halved))


@torch.no_grad()
def test_a_clip_has_the_features_of_its_frames() -> None:
    encoder = drawn(ResidualEncoder(3, 8, 4, STYLE))
    x_BCTHW = features(2, 3, 4, 8, 8)
    together = cut(of_clips(encoder, x_BCTHW), slice(1, 3))
    for size, h_BTCHW in together.items():
        alone = torch.stack([encoder(x_BCTHW[:, :, time])[size] for time in (1, 2)], dim=1)
        torch.testing.assert_close(h_BTCHW, alone)


@pytest.mark.parametrize("rows", [2, 3, 4, 6, 12, 20, 36])
def test_rows_that_halving_does_not_bring_to_4_are_refused(rows: int) -> None:
    with pytest.raises(ValueError, match=f"{rows} rows"):
        sizes(rows)


@pytest.mark.parametrize("outputs", [4, 6])
@torch.no_grad()
def test_a_branch_counts_as_much_as_it_is_said_to(outputs: int) -> None:
    x_BCHW, results = features(2, 4, 5, 5), []
    for residual in (0.1, 1.0):
        style = Style(slope=0.2, groups=2, state_groups=2, residual=residual)
        block = drawn(ResidualBlock(4, outputs, style, 2))
        results.append(block(x_BCHW) - block.shortcut(x_BCHW))
    torch.testing.assert_close(10 * results[0], results[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_is_below_0_is_scaled_by_the_slope() -> None:
    assert torch.equal(STYLE.activation()(torch.tensor([-1.0, 2.0])), torch.tensor([-0.2, 2.0]))


@pytest.mark.parametrize(("rows", "larger"), [(1, 4), (2, 4), (4, 8)])
def test_the_way_up_leads_to_the_next_resolution(rows: int, larger: int) -> None:
    layers = drawn(enlarging(4, 6, rows, STYLE))
    assert layers(features(2, 4, rows, rows)).shape == (2, 6, larger, larger)
