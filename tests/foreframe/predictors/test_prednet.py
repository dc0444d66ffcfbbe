"""PredNet: its size, its equations, and what feeding predictions back means for its errors."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.sampling import Options
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.prednet import PredNet, Settings, State, build
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving

OPTIONS = Options()
WIDTHS = (4, 6)


def settings(**changes: Any) -> Settings:
    return Settings(**moving.common("prednet", **({"widths": WIDTHS, "errors": "all"} | changes)))


def model(**changes: Any) -> PredNet:
    built = build(settings(**changes), moving.given())
    moving.drawn(built)
    with torch.no_grad():  # so that no prediction of pixels is 0, under a ReLU
        bias_of(built.predictions[0]).fill_(0.5)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def bias_of(layer: nn.Module) -> Tensor:
    bias = layer.bias
    assert isinstance(bias, Tensor)
    return bias


def convolution(inputs: int, outputs: int) -> int:
    return 9 * inputs * outputs + outputs


def test_the_weights_are_those_of_the_driving_network() -> None:
    with torch.device("meta"):
        view = moving.view(channels="colour")
        wide = settings(widths=(48, 96, 192), view=view)
        built = build(wide, moving.given(128, 160, channels=3))
    channels, above = (3, 48, 96, 192), (48, 96, 192, 0)
    # Inputs of a cell: two errors for each channel, the layer above, its own state.
    cells = sum(
        convolution(3 * own + top, 4 * own) for own, top in zip(channels, above, strict=True)
    )
    predictions = sum(convolution(own, own) for own in channels)
    upward = sum(convolution(2 * own, top) for own, top in zip(channels, above[:3], strict=False))
    assert built.trainable() == cells + predictions + upward == 6_915_948


@pytest.mark.parametrize("time", [1, 2, 4])
def test_a_frame_moves_its_own_cost_and_later_ones_and_no_earlier_one(time: int) -> None:
    moved = moving.moved_by(model(), moving.clips(), time)
    assert moved.tolist() == [frame >= time for frame in range(1, 5)]


@pytest.mark.parametrize("known", [1, 3])
def test_what_is_predicted_of_true_frames_is_what_is_scored(known: int) -> None:
    built, x_BCTHW, noise = model(errors="pixels"), moving.clips(), moving.Repeated(4)
    state = built.start(built.encode(x_BCTHW[:, :, :known]), OPTIONS, noise)
    frame, _ = built.advance(state, known, OPTIONS, noise)
    found = 0.5 * (frame - x_BCTHW[:, :, known]).abs().flatten(1).mean(dim=1)
    torch.testing.assert_close(built.terms(x_BCTHW, known, noise).nll[:, 0], found)


def test_a_prediction_is_taken_for_a_frame_that_was_given() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    frame, state = built.advance(built.encode(x_BCTHW), 5, OPTIONS, noise)
    seen = built.encode(torch.cat([x_BCTHW, frame[:, :, None]], dim=2))
    torch.testing.assert_close(seen, state)


def test_a_step_is_the_equations_of_the_paper() -> None:
    built, x_BCTHW = model(), moving.clips()
    before, after = (built.encode(x_BCTHW[:, :, :frames]) for frames in (2, 3))
    r_2, c_2 = built.cells[2](before.errors[2], before.representations[2])
    r_1, c_1 = built.cells[1](
        torch.cat([before.errors[1], functional.interpolate(r_2, scale_factor=2)], dim=1),
        before.representations[1],
    )
    r_0, c_0 = built.cells[0](
        torch.cat([before.errors[0], functional.interpolate(r_1, scale_factor=2)], dim=1),
        before.representations[0],
    )
    e_0 = parted(x_BCTHW[:, :, 2] - built.predictions[0](r_0).clamp(0, 1))
    e_1 = parted(pooled(built.upward[0](e_0)) - built.predictions[1](r_1).relu())
    e_2 = parted(pooled(built.upward[1](e_1)) - built.predictions[2](r_2).relu())
    wanted = State([(r_0, c_0), (r_1, c_1), (r_2, c_2)], [e_0, e_1, e_2])
    torch.testing.assert_close(after, wanted)
    assert built.terms(x_BCTHW[:, :, :3], 2, moving.Repeated(4)).nll[:, 0].tolist() == (
        pytest.approx((mean(e_0) + 0.1 * (mean(e_1) + mean(e_2))).tolist())
    )


def parted(difference_BCHW: Tensor) -> Tensor:
    return torch.cat([difference_BCHW.clamp(min=0), -difference_BCHW.clamp(max=0)], dim=1)


def pooled(x_BCHW: Tensor) -> Tensor:
    return functional.max_pool2d(x_BCHW, 2).relu()


def mean(e_BEHW: Tensor) -> Tensor:
    return e_BEHW.mean(dim=(1, 2, 3))


def test_errors_are_not_negative_and_tell_what_was_wrong() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    frame, _ = built.advance(built.encode(x_BCTHW[:, :, :4]), 4, OPTIONS, noise)
    errors = built.encode(x_BCTHW).errors
    assert all((error >= 0).all() for error in errors)
    missing, excess = errors[0].chunk(2, dim=1)
    torch.testing.assert_close(missing - excess, x_BCTHW[:, :, 4] - frame)


def test_without_errors_the_layer_above_knows_its_bias_only() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    _, state = built.advance(built.encode(x_BCTHW), 5, OPTIONS, noise)
    assert not state.errors[0].any()
    missing, excess = state.errors[1].chunk(2, dim=1)
    above = missing - excess + built.predictions[1](state.representations[1][0]).relu()
    bias = bias_of(built.upward[0]).relu()[None, :, None, None]
    torch.testing.assert_close(above, bias.expand_as(above))


@pytest.mark.parametrize(("bias", "wanted"), [(9.0, 1.0), (-9.0, 0.0)])
def test_a_predicted_pixel_is_within_0_and_1(bias: float, wanted: float) -> None:
    built, x_BCTHW = model(), moving.clips()
    with torch.no_grad():
        bias_of(built.predictions[0]).fill_(bias)
    frame, _ = built.advance(built.encode(x_BCTHW), 5, OPTIONS, moving.Repeated(4))
    assert (frame == wanted).all()


def test_a_clip_has_one_future() -> None:
    built = model()
    grey = generator(0, "frames").integers(0, 255, (1, 2, 16, 16, 1)).to(torch.uint8)
    context = Context(grey.expand(-1, -1, -1, -1, 3), [3])
    one, other = built.predict(context, 2, OPTIONS, Draws.each(0, [3], range(2))).frames
    assert torch.equal(one, other)


@pytest.mark.parametrize("size", [(18, 16), (16, 10)])
def test_frames_that_cannot_be_halved_for_each_layer_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"multiples of 4, not {size[0]} x {size[1]}"):
        build(settings(), moving.given(*size))


@pytest.mark.parametrize("errors", ["pixels", "all"])
def test_it_learns(errors: str, tmp_path: Path) -> None:
    found = moving.losses(build(settings(errors=errors), moving.given()), tmp_path)
    assert found[-1] < 0.7 * found[0]
