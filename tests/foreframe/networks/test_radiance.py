"""Radiance fields: what density and colour depend on, and the sizes of the document."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.networks.radiance import COLOURS, Field, waves
from foreframe.randomness import generator
from tests.foreframe.networks import scenes
from tests.foreframe.networks.scenes import APPEARANCE, FEATURES, SHAPE

COUNT, POINTS = 3, 7


def inputs() -> dict[str, Tensor]:
    numbers = generator(0, "inputs")
    found = {
        "points": numbers.normal((COUNT, POINTS, 3)),
        "ways": numbers.normal((COUNT, POINTS, 3)),
        "shape": numbers.normal((COUNT, SHAPE)),
        "appearance": numbers.normal((COUNT, APPEARANCE)),
    }
    return {name: each.double() for name, each in found.items()}


def of(field: Field, noise: Tensor | None = None, features: int = FEATURES, **changes: Any) -> Any:
    known = inputs() | changes
    return field(
        known["points"], known["ways"], known["shape"], known["appearance"], noise, features
    )


def test_waves_are_sines_and_cosines_of_octaves() -> None:
    points = inputs()["points"]
    found = waves(points, 3)
    assert found.shape == (COUNT, POINTS, 18)
    wanted = [
        wave(2**octave * math.pi * points[..., axis])
        for wave in (torch.sin, torch.cos)
        for axis in range(3)
        for octave in range(3)
    ]
    torch.testing.assert_close(found, torch.stack(wanted, dim=2))


def test_density_is_told_by_shape_alone_and_colour_by_all() -> None:
    field, known = scenes.field(density=2.0), inputs()
    density, sent = of(field)
    assert density.shape == (COUNT, POINTS) and sent.shape == (COUNT, POINTS, FEATURES)
    for name, moves in (("ways", False), ("appearance", False), ("shape", True), ("points", True)):
        changed: dict[str, Any] = {name: known[name].flip(0)}
        other_density, other_sent = of(field, **changed)
        assert torch.equal(other_density[0], density[0]) != moves
        assert not torch.allclose(other_sent[0], sent[0])


def test_densities_are_not_negative_and_colours_between_0_and_1() -> None:
    noise = 3 * generator(0, "noise").normal((COUNT, POINTS)).double()
    density, sent = of(scenes.field(), noise)
    assert density.min() == 0 < density.max()
    assert (sent[..., :COLOURS] > 0).all() and (sent[..., :COLOURS] < 1).all()
    quiet, same = of(scenes.field())
    assert torch.equal(same, sent)
    lifted = scenes.field()
    with torch.no_grad():
        lifted.density.bias.add_(5)
    whole = of(lifted)[0] - 5
    torch.testing.assert_close(density, (whole + noise).relu())
    torch.testing.assert_close(quiet, whole.relu())


def test_fewer_features_are_the_first_of_all() -> None:
    _, every = of(scenes.field())
    _, colours = of(scenes.field(), features=COLOURS)
    torch.testing.assert_close(colours, every[..., :COLOURS])


def test_points_are_divided_and_ways_may_tell_nothing() -> None:
    near = of(scenes.field(divided=12.0))
    far = of(scenes.field(), points=inputs()["points"] / 12)
    for one, other in zip(near, far, strict=True):
        torch.testing.assert_close(one, other)
    blind = scenes.field(way_waves=0)
    assert torch.equal(of(blind)[1], of(blind, ways=None)[1])


def test_the_sizes_are_those_of_table_10_8() -> None:
    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    def weights(width: int, layers: int, skip: bool) -> int:
        seen = linear(60, width) + linear(128, width)
        sent = linear(width, width) + linear(128, width) + linear(24, width) + linear(width, 128)
        return seen * (1 + skip) + (layers - 1) * linear(width, width) + linear(width, 1) + sent

    for width, layers, skip in ((64, 8, 4), (16, 4, None)):
        settings = scenes.field_settings(
            layers=layers, width=width, skip=skip, point_waves=10, way_waves=4
        )
        with torch.device("meta"):
            built = Field(settings, 128, 128, 128)
        found = sum(each.numel() for each in built.parameters())
        assert found == weights(width, layers, skip is not None)


@pytest.mark.parametrize("skip", [1, 4])
def test_a_skip_to_no_layer_is_refused(skip: int) -> None:
    with pytest.raises(ValueError, match=f"skip is {skip}, but the layers .* are 2 to 3"):
        scenes.field_settings(skip=skip)


def test_densities_begin_as_they_are_told() -> None:
    assert scenes.field(density=0.7).density.bias.item() == pytest.approx(0.7)
