"""What makes single frames: samples, latents, features and pictures that are a clip's own."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors.moving import Repeated
from tests.foreframe.predictors.pairs import (
    BLACK,
    PLAIN,
    context,
    encoder,
    layer_of,
    layers,
    pictures,
    plain,
    ready,
)
from tests.foreframe.predictors.test_ali import model, of_points


def test_an_implicit_posterior_is_what_noise_beside_the_point_becomes() -> None:
    found, x_B1S = ready(of_points()), generator(0, "x").normal((5, 1, 2))
    noise = Repeated(5)
    eps = noise.normal("infer", 0, (2, 1, 1))
    wanted = found.encoder(torch.cat([x_B1S[:, 0, :, None, None], eps], dim=1), None)
    assert torch.equal(found.infer(x_B1S, {}, noise), wanted)
    assert wanted.shape == (5, 2)


def test_samples_depend_on_no_batch_and_no_order() -> None:
    chosen, known = model(), context(3)
    draws = Draws.each(0, known.numbers, range(5))
    whole = chosen.predict(known, 1, PLAIN, draws).frames
    assert whole.shape == (15, 1, 8, 8, 3)
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 15
    for rows in ([11], [14, 0, 7], list(reversed(range(15)))):
        assert torch.equal(chosen.predict(known, 1, PLAIN, draws.of(rows)).frames, whole[rows])


def test_latents_and_features_are_a_pictures_own() -> None:
    chosen = model()
    x_B = pictures(11)[0]
    frames_NHWC = (255 * x_B).clamp(0, 255).round().to(torch.uint8)[:, 0, 0, :, :, None]
    frames_NHWC = frames_NHWC.expand(-1, -1, -1, 3)
    numbers = list(range(40, 51))
    [whole] = chosen.latents(frames_NHWC, numbers, 7)
    features = chosen.features(frames_NHWC, 2)
    for row in (0, 10):
        one = frames_NHWC[row : row + 1]
        assert torch.equal(chosen.latents(one, numbers[row : row + 1], 7)[0], whole[row : row + 1])
        assert torch.equal(chosen.features(one, 2), features[row : row + 1])
    assert not torch.equal(chosen.latents(frames_NHWC, numbers, 8)[0], whole)
    # Both layers, 8 x 4 x 4 and 8 values, and the mean of three latents.
    assert features.shape == (11, 128 + 8 + 3)
    x = frames_NHWC[:, None, None, :, :, 0].float() / 255
    mean, deviation = chosen.posterior(x, {}).mean, chosen.posterior(x, {}).deviation
    torch.testing.assert_close(features[:, -3:], mean)
    assert chosen.encoder is not None
    first, layer = (layer_of(chosen.encoder.chain, place) for place in (0, 1))
    before = first.norm(first.convolution(x[:, :, 0]))
    torch.testing.assert_close(features[:, :128], before.flatten(1))
    last = layer.norm(layer.convolution(functional.leaky_relu(before, 0.1)))
    torch.testing.assert_close(features[:, 128:136], last.flatten(1))
    torch.testing.assert_close(chosen.features(frames_NHWC, 1), features[:, 128:])
    eps = Draws.first(7, numbers).normal("infer infer", (0,), (3,))
    torch.testing.assert_close(whole, mean + deviation * eps)


def test_decoded_pictures_are_those_of_the_latents() -> None:
    chosen = model()
    z_BZ = generator(0, "z").normal((5, 3))
    wanted = (255 * chosen.made(z_BZ, {})[:, 0, 0]).round().to(torch.uint8)
    found = chosen.decoded([z_BZ])
    assert found.shape == (5, 8, 8, 3)
    assert ((found[..., 0].int() - wanted.int()).abs() <= 1).all()
    assert torch.equal(chosen.decoded([z_BZ[3:4]]), found[3:4])


def test_points_are_no_frames() -> None:
    found, frames_NHWC = ready(of_points()), torch.zeros(1, 1, 1, 3, dtype=torch.uint8)
    asked: tuple[Callable[[], object], ...] = (
        lambda: found.predict(context(1), 1, PLAIN, Draws.first(0, [20])),
        lambda: found.latents(frames_NHWC, [0], 0),
        lambda: found.decoded([torch.zeros(1, 2)]),
    )
    for ask in asked:
        with pytest.raises(UserError, match="ALI models the states of a source"):
            ask()


def test_an_implicit_posterior_of_pictures_has_latents_and_no_mean() -> None:
    down = layers((5, 1, 8), (4, 1, 8))
    chosen, frames_NHWC = model(encoder=encoder(down, "implicit", **plain(0.1))), BLACK
    one, other = (chosen.latents(frames_NHWC, [0], seed)[0] for seed in (0, 1))
    assert one.shape == (1, 3) and not torch.equal(one, other)
    with pytest.raises(UserError, match="implicit posterior, which has no mean"):
        chosen.features(frames_NHWC, 1)


def test_more_layers_than_there_are_give_no_features() -> None:
    with pytest.raises(UserError, match="layers is 3, but the encoder of ALI has 2"):
        model().features(BLACK, 3)
