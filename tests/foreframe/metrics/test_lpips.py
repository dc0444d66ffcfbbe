"""LPIPS: equal to that of torchmetrics on the same networks with the published heads; ranges."""

from pathlib import Path

import pytest
import torch
import torchmetrics
from torchmetrics.functional.image import lpips as reference

from foreframe.errors import ArtefactError, UserError
from foreframe.features import archive, registry
from foreframe.features.store import Weights
from foreframe.metrics import lpips
from foreframe.metrics.lpips import BACKBONES, NEEDED, Backbone, Lpips
from tests.foreframe.features import synthetic

CPU = torch.device("cpu")
SHIPPED = Path(torchmetrics.__file__).parent / "functional/image/lpips_models"
each = pytest.mark.parametrize("backbone", ["alex", "vgg"])


def build(backbone: Backbone) -> tuple[Lpips, Weights, Weights]:
    """Return the metric on a synthetic backbone with the published heads, and both weights."""
    network, heads = NEEDED[backbone]
    backbone_weights = synthetic.weights(registry.entry(network))
    head_weights = Weights(heads, archive.read(SHIPPED / f"{backbone}.pth"), "0" * 64)
    return Lpips(backbone, backbone_weights, head_weights, CPU), backbone_weights, head_weights


def pair(side: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(2, 3, side, side + 8, 3, generator=generator)
    return real, (real + 0.2 * torch.randn(real.shape, generator=generator)).clamp(0, 1)


@each
def test_agrees_with_torchmetrics(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    metric, weights, heads = build(backbone)
    network = BACKBONES[backbone].build()
    network.load_state_dict(weights.tensors)
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda *_: network.features)
    theirs = reference._LPIPS(pretrained=False, net=backbone)
    theirs.load_state_dict(heads.tensors, strict=False)
    real, predicted = pair()
    images = (x.flatten(end_dim=1).permute(0, 3, 1, 2) for x in (real, predicted))
    with torch.no_grad():
        expected = theirs(*images, normalize=True).reshape(2, 3).double()
    found = metric(real, predicted)
    assert float(expected.min()) > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@each
def test_equal_frames_have_no_distance_and_both_orders_the_same(backbone: Backbone) -> None:
    metric, _, _ = build(backbone)
    real, predicted = pair()
    assert metric(real, real).eq(0).all()
    assert metric(real, predicted).gt(0).all()
    torch.testing.assert_close(metric(real, predicted), metric(predicted, real))


def test_eight_bits_and_unit_range_agree_and_more_noise_is_further() -> None:
    metric, _, _ = build("alex")
    real, predicted = pair()
    bytes_ = [(x * 255).round().to(torch.uint8) for x in (real, predicted)]
    units = [x.float() / 255 for x in bytes_]
    torch.testing.assert_close(metric(*bytes_), metric(*units))
    assert metric(real, 0.5 * real + 0.5 * predicted).mean() < metric(real, predicted).mean()


def test_frames_that_do_not_fit_are_refused() -> None:
    metric, _, _ = build("alex")
    real, predicted = pair()
    for first, second, words in (
        (real[:, :, :30], predicted[:, :, :30], "30 x 48 pixels are too small"),
        (real, predicted[:, :2], "shape"),
        (2 * real - 1, predicted, "span"),
        (real[..., :1], predicted[..., :1], "repeat a grey one"),
        (real * float("nan"), predicted, "NaN"),
    ):
        with pytest.raises(UserError, match=words):
            metric(first, second)


def test_weights_of_the_other_backbone_are_refused_and_digests_differ() -> None:
    metric, weights, heads = build("alex")
    with pytest.raises(ArtefactError, match="another layout"):
        Lpips("vgg", weights, heads, CPU)
    other = Lpips("alex", Weights(weights.name, weights.tensors, "1" * 64), heads, CPU)
    assert metric.digest != other.digest
    assert metric.variant == lpips.VARIANTS["alex"]
