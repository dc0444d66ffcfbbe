"""FVD's features: what exactly the network is fed, and an end-to-end distance."""

import pytest
import torch
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.features import i3d, layout, registry
from foreframe.metrics.frechet import REAL, FrechetDistance
from foreframe.metrics.fvd import VARIANTS, FvdFeatures
from tests.foreframe.features import synthetic

CPU = torch.device("cpu")
WEIGHTS = synthetic.weights(registry.entry("i3d"))


def clips(count: int, frames: int = 9, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, frames, side, side, 3)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator)


def test_the_network_is_fed_resized_frames_in_minus_one_to_one() -> None:
    clip = clips(1)
    model = i3d.I3D()
    layout.load(model, WEIGHTS.tensors, "synthetic")
    x_NCHW = clip[0].permute(0, 3, 1, 2) / 127.5 - 1
    large = functional.interpolate(x_NCHW, (224, 224), mode="bilinear", align_corners=False)
    with torch.no_grad():
        expected = model(large.transpose(0, 1)[None])
    found = FvdFeatures(WEIGHTS, CPU)(clip)
    assert found.shape == (1, 1, 400)
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-3, atol=1e-4)


def test_both_outputs_have_their_size_variant_and_digest() -> None:
    network = FvdFeatures(WEIGHTS, CPU, "pooled")
    assert network(clips(1)).shape == (1, 1, network.size) == (1, 1, 1024)
    assert network.variant == VARIANTS["pooled"] != VARIANTS["logits"]
    assert network.digest == WEIGHTS.digest


def test_clips_that_are_too_short_are_refused() -> None:
    with pytest.raises(UserError, match="8 frames are too short for FVD, which needs 9"):
        FvdFeatures(WEIGHTS, CPU)(clips(1, frames=8))


def test_the_distance_of_a_set_from_itself_is_nothing() -> None:
    metric = FrechetDistance(FvdFeatures(WEIGHTS, CPU), keep=False, allow_few=True)
    both = clips(2)
    metric.update(REAL, both)
    metric.update("same", both)
    result = metric.result("same")
    assert result.value < 1e-6
    assert (result.real, result.predicted, result.features) == (2, 2, 400)
