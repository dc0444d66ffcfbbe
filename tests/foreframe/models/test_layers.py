"""A layer table is the network's own: its weights add up, its shapes are those of a real pass."""

from typing import Any, cast

import torch
from torch import nn

from foreframe import autoencoders, priors
from foreframe.autoencoders.vqvae import Settings
from foreframe.config import reading
from foreframe.models import Shape, layers
from foreframe.priors import Codes, pixel_snail
from tests import report_artefacts


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters() if each.requires_grad)


def test_weights_add_up_to_those_of_the_network() -> None:
    sections = report_artefacts.parameters()
    settings = reading.validate(Settings, sections["autoencoders"]["vqvae"], "vqvae")
    model = autoencoders.build(settings, Shape(3, 16, 32, 32))
    clips = torch.empty(2, 3, 16, 32, 32, device="meta")
    rows = layers.table(model, lambda network: cast(Any, network).reconstruct(clips))
    assert sum(row["parameters"] for row in rows) == parameters(model)
    assert {row["output"][0] for row in rows if row["parameters"]} >= {3, settings.width}

    top = reading.validate(pixel_snail.Settings, sections["priors"]["top"], "top")
    prior = priors.build(top, Codes((4, 4, 4), 32), {})
    codes = torch.zeros(1, 4, 4, 4, dtype=torch.int64, device="meta")
    rows = layers.table(prior, lambda network: cast(Any, network).logits(codes, None))
    assert sum(row["parameters"] for row in rows) == parameters(prior)


def test_shapes_are_those_of_a_real_pass_and_the_network_stays_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Sequential(nn.ReLU(), nn.Flatten()))
    model.train()
    images = torch.randn(2, 3, 9, 9)
    rows = layers.table(model, lambda network: network(images.to("meta")))
    assert [(row["name"], row["layer"]) for row in rows] == [
        ("0", "Conv2d"), ("1.0", "ReLU"), ("1.1", "Flatten"),
    ]  # fmt: skip
    assert rows[0]["output"] == list(model[0](images).shape[1:])
    assert rows[-1]["output"] == list(model(images).shape[1:])
    assert model.training and not model[0]._forward_hooks
    assert {each.device.type for each in model.parameters()} == {"cpu"}


def test_a_layer_that_runs_twice_has_its_weights_once() -> None:
    layer = nn.Linear(4, 4)
    rows = layers.table(
        nn.Sequential(layer, layer), lambda it: it(torch.empty(1, 4, device="meta"))
    )
    assert [row["parameters"] for row in rows] == [20, 0]
