"""What goes in comes out again, under every scaling; noise fills a grey level and no more."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.randomness import generator
from tests.foreframe.data import seen

NORMALIZER = Normalizer((0.4, 0.5, 0.3), (0.2, 0.25, 0.21))
PLAIN = [
    {"scaling": scaling, "bits": bits, "dequantise": noise, "channels": channels}
    for scaling, bits, noise, channels in itertools.product(
        ("unit", "symmetric", "centred"), (1, 2, 5, 8), (False, True), ("colour", "grey")
    )
]


def all_levels(view: View) -> Tensor:
    """Return frames (1,8,16,16,3) with every pair of a place and a level, grey for a grey view."""
    values = torch.arange(8 * 16 * 16 * 3).reshape(1, 8, 16, 16, 3) * 7 % 256
    if view.channels == "grey":
        values = values[..., :1].expand(-1, -1, -1, -1, 3)
    return values.to(torch.uint8)


def scaled(**changes: Any) -> Scaling:
    return Scaling(seen.view(**changes), NORMALIZER)


@pytest.mark.parametrize("changes", PLAIN, ids=lambda changes: "-".join(map(str, changes.values())))
def test_frames_come_back_to_the_bit_at_the_depth_of_the_view(changes: dict[str, Any]) -> None:
    scaling = scaled(**changes)
    frames, numbers = all_levels(scaling.view), generator(0, "noise")
    x_BCTHW = scaling.inward(frames, numbers)
    assert x_BCTHW.dtype == torch.float32
    assert x_BCTHW.shape == (1, scaling.view.colours, 8, 16, 16)
    back = scaling.outward(x_BCTHW)
    step = 256 // scaling.levels
    assert torch.equal(back // step, frames // step)
    assert torch.equal(scaling.inward(back, generator(0, "noise")), x_BCTHW)
    if scaling.view.bits == 8:
        assert torch.equal(back, frames)
    # White stays white and black stays black, however few levels there are.
    assert int(back.min()) == 0 and int(back.max()) == 255


@pytest.mark.parametrize("changes", PLAIN[::2])
def test_neighbouring_levels_are_a_grey_level_apart_and_within_the_range(
    changes: dict[str, Any],
) -> None:
    scaling = scaled(**{**changes, "channels": "colour"})
    ramp = torch.arange(256).reshape(1, 1, 16, 16, 1).expand(-1, -1, -1, -1, 3).to(torch.uint8)
    values = scaling.inward(ramp, generator(0, "noise")).unique()
    low, high = {"unit": (0, 1), "symmetric": (-1, 1), "centred": (-0.5, 0.5)}[
        str(changes["scaling"])
    ]
    assert low <= float(values.min()) and float(values.max()) <= high
    if not changes["dequantise"]:
        assert len(values) == scaling.levels
        assert torch.allclose(values.diff(), torch.tensor(scaling.grey_level))


@pytest.mark.parametrize("bits", [1, 5, 8])
@pytest.mark.parametrize(
    ("scaling", "black", "white"),
    [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0), ("centred", -0.5, 0.5)],
)
def test_black_and_white_are_the_ends_of_the_range(
    scaling: str, black: float, white: float, bits: int
) -> None:
    frames = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2, 1).expand(1, 1, 1, 2, 3)
    ends = scaled(scaling=scaling, bits=bits).inward(frames, None)[0, 0, 0, 0].tolist()
    # Centred levels are 1 / n apart as under noise, so that white lies one level below its end.
    assert ends == [black, white - (1 / 2**bits if scaling == "centred" else 0)]


def test_noise_is_uniform_in_its_grey_level_and_named_by_its_position() -> None:
    scaling = scaled(scaling="centred", dequantise=True, bits=5)
    black = torch.zeros(4, 8, 64, 64, 3, dtype=torch.uint8)
    noise = (scaling.inward(black, generator(3, "noise")) + 0.5) / scaling.grey_level
    assert float(noise.min()) >= 0 and float(noise.max()) < 1
    counts = torch.histc(noise, 16, 0, 1)
    expected = noise.numel() / 16
    assert float(((counts - expected) ** 2 / expected).sum()) < 37.7  # chi squared, 15 deg., 0.1 %
    again = scaling.inward(black, generator(3, "noise"))
    assert torch.equal(again, scaling.inward(black, generator(3, "noise")))
    assert not torch.equal(again, scaling.inward(black, generator(4, "noise")))


def test_standard_is_the_normalizer_to_the_last_bit() -> None:
    scaling = scaled()
    frames = all_levels(scaling.view)
    x_BCTHW = scaling.inward(frames, None)
    assert torch.equal(x_BCTHW, NORMALIZER.normalize(frames))
    assert torch.equal(scaling.outward(x_BCTHW), frames)
    widths = [1 / (255 * std) for std in (0.2, 0.25, 0.21)]
    assert scaling.grey_level == pytest.approx(math.prod(widths) ** (1 / 3))


def test_what_is_no_frame_is_clamped() -> None:
    for changes in ({"scaling": "unit"}, {"scaling": "centred", "dequantise": True}):
        x_BCTHW = torch.tensor([-9.0, math.nan, 9.0]).reshape(1, 1, 1, 1, 3)
        back = scaled(**changes, channels="grey").outward(x_BCTHW)
        assert back[0, 0, 0, :, 0].tolist() == [0, back[0, 0, 0, 1, 0], 255]
        assert back[0, 0, 0, 1, 0] in (0, 127, 128)


def test_luma_of_grey_is_itself_and_of_colours_what_broadcasters_say() -> None:
    scaling = scaled(channels="grey", scaling="unit")
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    frames = colours.reshape(1, 1, 1, 3, 3)
    grey = scaling.outward(scaling.inward(frames, None))[0, 0, 0, :, 0]
    assert grey.tolist() == [round(255 * part) for part in (0.299, 0.587, 0.114)]


def test_a_grey_clip_has_a_third_of_the_dimensions() -> None:
    colour, grey = scaled(), scaled(channels="grey", scaling="unit")
    assert colour.dimensions(16, 24) == 8 * 16 * 24 * 3 == 3 * grey.dimensions(16, 24)
    for scaling in (colour, grey):
        frames = torch.zeros(2, 8, 16, 24, 3, dtype=torch.uint8)
        assert scaling.inward(frames, None)[0].numel() == scaling.dimensions(16, 24)


def test_states_are_left_as_they_are() -> None:
    states = generator(0, "states").normal((3, 8, 2))
    assert torch.equal(scaled(**seen.STATES).inward(states, None), states)
