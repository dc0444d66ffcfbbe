"""The deterministic autoencoder: its size, what it may see, and that it has one future."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from foreframe.config.sampling import Options
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.conv_lstm_autoencoder import ConvLSTMAutoencoder, Settings, build
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving

OPTIONS = Options()


def settings(**changes: Any) -> Settings:
    known = {"features": (4, 8, 8), "hidden": 8, "decoder": (8, 8, 4, 4, 4), "error": "squared"}
    return Settings(**moving.common("conv_lstm_autoencoder", **(known | changes)))


def model(**changes: Any) -> ConvLSTMAutoencoder:
    built = build(settings(**changes), moving.given())
    moving.drawn(built)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def convolution(inputs: int, outputs: int, side: int = 3) -> int:
    """Return the weights of a convolution and of the normalisation of what it gives."""
    return inputs * outputs * side**2 + 2 * outputs


def test_the_weights_are_those_of_its_layers() -> None:
    with torch.device("meta"):
        wide = settings(features=(64, 128, 256), hidden=256, decoder=(512, 256, 64, 64, 32))
        built = build(wide, moving.given(64))
    encoder = [(1, 64), (64, 128), (128, 256), (256, 256)]
    decoder = [(256, 512, 4), (512, 256, 3), (256, 64, 4), (64, 64, 3), (64, 32, 4)]
    cell = 9 * (256 + 256) * 4 * 256 + 4 * 256
    start = 2 * 256 * 8 * 8
    last = 9 * 32 + 1
    wanted = sum(convolution(*each) for each in [*encoder, *decoder]) + cell + start + last
    assert built.trainable() == wanted == 9_323_553


@pytest.mark.parametrize("time", [1, 2, 4])
def test_a_frame_moves_its_own_cost_and_later_ones_and_no_earlier_one(time: int) -> None:
    moved = moving.moved_by(model(), moving.clips(), time)
    assert moved.tolist() == [frame >= time for frame in range(1, 5)]


@pytest.mark.parametrize("error", ["squared", "cross_entropy"])
@pytest.mark.parametrize("known", [1, 3])
def test_what_is_predicted_of_true_frames_is_what_is_scored(error: str, known: int) -> None:
    built, x_BCTHW, noise = model(error=error), moving.clips(), moving.Repeated(4)
    state = built.start(built.encode(x_BCTHW[:, :, :known]), OPTIONS, noise)
    frame, _ = built.advance(state, known, OPTIONS, noise)
    squared = error == "squared"
    measure = functional.mse_loss if squared else functional.binary_cross_entropy
    found = measure(frame, x_BCTHW[:, :, known], reduction="none").flatten(1).mean(dim=1)
    torch.testing.assert_close(built.terms(x_BCTHW, known, noise).nll[:, 0], found)


def test_a_prediction_is_taken_for_a_frame_that_was_given() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    frame, state = built.advance(built.encode(x_BCTHW), 5, OPTIONS, noise)
    again, _ = built.advance(state, 6, OPTIONS, noise)
    seen = built.encode(torch.cat([x_BCTHW, frame[:, :, None]], dim=2))
    torch.testing.assert_close(built.advance(seen, 6, OPTIONS, noise)[0], again)


def test_a_clip_has_one_future() -> None:
    built = model()
    grey = generator(0, "frames").integers(0, 255, (1, 2, 16, 16, 1)).to(torch.uint8)
    context = Context(grey.expand(-1, -1, -1, -1, 3), [3])
    one, other = built.predict(context, 2, OPTIONS, Draws.each(0, [3], range(2))).frames
    assert torch.equal(one, other)


@pytest.mark.parametrize("size", [(20, 16), (16, 12)])
def test_frames_that_cannot_be_halved_three_times_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"{size[0]} x {size[1]} pixels.*multiples of 8"):
        build(settings(), moving.given(*size))


@pytest.mark.parametrize("error", ["squared", "cross_entropy"])
def test_it_learns(error: str, tmp_path: Path) -> None:
    found = moving.losses(build(settings(error=error), moving.given()), tmp_path)
    assert found[-1] < 0.7 * found[0]
