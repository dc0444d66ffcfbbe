"""The feature networks: published sizes, layouts and shapes, and the parts in which they differ."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from foreframe.errors import ArtefactError
from foreframe.features import alexnet, i3d, inception_v3, layout, registry, vgg16
from tests.foreframe.features import synthetic


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_numbers_of_parameters_are_the_published_ones() -> None:
    """Torchvision states those of AlexNet, VGG-16 and Inception-v3 (1,000 classes, one head)."""
    with torch.device("meta"):
        assert parameters(i3d.I3D()) == 12_697_264
        assert parameters(inception_v3.InceptionV3(1000)) == 23_834_568
        assert parameters(inception_v3.InceptionV3()) == 23_834_568 + 8 * 2049
        for module, published in ((alexnet, 61_100_840), (vgg16, 138_357_544)):
            rest = sum(math.prod(shape) for shape in module.CLASSIFIER.values())
            assert parameters(module.build()) + rest == published


def test_the_public_file_of_inception_has_566_entries() -> None:
    """94 convolutions with five normalisation tensors each, and the last layer's two."""
    with torch.device("meta"):
        assert len(inception_v3.InceptionV3().state_dict()) == 566


# Facts about the public files, written down from their publishers' programs.
PUBLISHED: dict[str, dict[str, tuple[int, ...]]] = {
    "i3d": {
        "Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7),
        "Conv3d_2c_3x3.bn.running_var": (192,),
        "Mixed_3b.b1b.conv3d.weight": (128, 96, 3, 3, 3),
        "Mixed_4f.b3b.bn.bias": (128,),
        "Mixed_5c.b2b.conv3d.weight": (128, 48, 3, 3, 3),
        "logits.conv3d.weight": (400, 1024, 1, 1, 1),
        "logits.conv3d.bias": (400,),
    },
    "inception_v3": {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_mean": (192,),
        "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
        "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "fc.weight": (1008, 2048),
    },
    "alexnet": {"features.0.weight": (64, 3, 11, 11), "features.10.bias": (256,)},
    "vgg16": {"features.0.weight": (64, 3, 3, 3), "features.28.weight": (512, 512, 3, 3)},
    "lpips_alex": {"lin1.model.1.weight": (1, 192, 1, 1)},
    "lpips_vgg": {"lin4.model.1.weight": (1, 512, 1, 1)},
}


@pytest.mark.parametrize("name", registry.ENTRIES)
def test_the_layouts_are_those_of_the_public_files(name: str) -> None:
    found = registry.entry(name).published()
    assert {key: found.get(key) for key in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (2, 2), (3, 2), (7, 2)])
def test_same_padding_follows_tensorflow(size: int, kernel: int, stride: int) -> None:
    """ceil(n / stride) places, and of an odd number of zeros the last one is at the end."""
    line = torch.zeros(1, 1, size, 4, 4)
    padded = i3d.same(line + 1, (kernel, 1, 1), (stride, 1, 1))[0, 0, :, 0, 0]
    places = functional.conv1d(padded[None, None], torch.ones(1, 1, kernel), stride=stride)
    assert places.shape[-1] == math.ceil(size / stride)
    before = int(padded.argmax())
    assert len(padded) - before - size - before in {0, 1}


def test_i3d_gives_a_row_for_each_clip_and_logits_from_what_it_pools() -> None:
    model = i3d.I3D()
    layout.load(model, synthetic.tensors(layout.of(model)), "synthetic")
    clips = torch.rand(2, 3, 9, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        pooled_BD = model.pooled(clips)
        logits_BD = model(clips)
        alone = model(clips[1:])
    assert pooled_BD.shape == (2, 1024)
    weight, bias = model.logits.conv3d.weight.flatten(1), model.logits.conv3d.bias
    assert bias is not None
    torch.testing.assert_close(logits_BD, pooled_BD @ weight.T + bias, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone, logits_BD[1:], rtol=1e-4, atol=1e-4)
    assert logits_BD[0].std() > 1e-3
    assert not torch.allclose(logits_BD[0], logits_BD[1])


def test_inception_gives_a_row_for_each_image() -> None:
    model = inception_v3.InceptionV3()
    layout.load(model, synthetic.tensors(layout.of(model)), "synthetic")
    images = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        pooled_ND, logits_NK = model.pooled(images), model(images)
    assert pooled_ND.shape == (2, 2048)
    assert logits_NK.shape == (2, 1008)
    torch.testing.assert_close(logits_NK, pooled_ND @ model.fc.weight.T)
    assert not torch.allclose(pooled_ND[0], pooled_ND[1])


def test_inception_pools_as_the_network_of_2015_does() -> None:
    """Means leave the padding out, so a constant stays constant; the last module takes maxima."""
    ones = torch.ones(1, 192, 5, 5)
    mean = inception_v3.InceptionV3().Mixed_5b.pooled(ones)
    assert torch.equal(mean, ones)
    peak = torch.zeros(1, 2048, 5, 5)
    peak[..., 2, 2] = 1
    maximum = inception_v3.InceptionV3().Mixed_7c.pooled(peak)
    assert bool((maximum[..., 1:4, 1:4] == 1).all())


@pytest.mark.parametrize("module", [alexnet, vgg16])
def test_backbones_are_read_behind_rectifiers(module: object) -> None:
    build, taps = module.build, module.TAPS  # type: ignore[attr-defined]
    side = module.FEWEST_PIXELS  # type: ignore[attr-defined]
    model = build()
    assert all(isinstance(model.features[tap], nn.ReLU) for tap in taps)
    with torch.no_grad():
        activations = model(torch.rand(1, 3, side, side))
    assert tuple(x.shape[1] for x in activations) == model.widths
    with pytest.raises(RuntimeError, match="too small"):
        model(torch.rand(1, 3, side - 1, side - 1))


def test_weights_of_another_layout_are_refused() -> None:
    model = vgg16.build()
    right = synthetic.tensors(layout.of(model))
    cases = {
        "features.0.weight is missing": {
            k: v for k, v in right.items() if k != "features.0.weight"
        },
        "extra is unknown": {**right, "extra": torch.ones(1)},
        r"features.0.bias is \(3,\), not \(64,\)": {**right, "features.0.bias": torch.ones(3)},
        "and 23 more": {},
    }
    for words, tensors in cases.items():
        with pytest.raises(ArtefactError, match=words):
            layout.load(model, tensors, "a file")


def test_counters_of_batches_may_be_there_or_not() -> None:
    model = nn.BatchNorm2d(3)
    layout.load(model, {**model.state_dict()}, "new")
    old = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    layout.load(model, old, "old")
    assert not model.training
