"""SVG-LP: its size, which frames its latents and its skips come from, and its loss."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.networks.stacked_lstm import StackedLSTM
from foreframe.networks.svg_frames import Backbone
from foreframe.predictors import Context
from foreframe.predictors.svg import SVG, LatentsOnly, Settings, build
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving

CONTEXT = 2
BETA = 0.1
DRAWN = LatentsOnly(latents="sample", temperature=1.0, frames="mean")
MEAN = LatentsOnly(latents="mean", temperature=1.0, frames="mean")
BACKBONES: tuple[Backbone, ...] = ("dcgan", "vgg")
# As in the paper, for moving digits and for the robot arm.
PAPER: dict[str, Any] = {
    "width": 64,
    "features": 128,
    "hidden": 256,
    "predictor_layers": 2,
    "latent_layers": 1,
}


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "backbone": "dcgan",
        "width": 4,
        "features": 6,
        "hidden": 8,
        "predictor_layers": 2,
        "latent_layers": 1,
        "latent_dim": 3,
        "context": CONTEXT,
        "kl_weight": Ramp(first=BETA, last=BETA, begin=0, steps=1, of="run"),
        "free_bits": 0.0,
    }
    return Settings(**moving.common("svg", **(known | changes)))


def model(**changes: Any) -> SVG:
    built = build(settings(**changes), moving.given())
    moving.drawn(built)
    built.scaling = Scaling(built.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return built


def always(network: StackedLSTM, mean: float, deviation: float = 1.0) -> None:
    """Let a prior or posterior be N(mean, deviation^2), whatever it is told."""
    with torch.no_grad():
        network.outward.weight.zero_()
        network.outward.bias.copy_(torch.tensor([mean] * 3 + [2 * math.log(deviation)] * 3))


def normalized(inputs: int, outputs: int, side: int) -> int:
    """Return the weights of a convolution and of the normalisation of what it gives."""
    return inputs * outputs * side**2 + 3 * outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def dcgan(widths: list[int], colours: int) -> int:
    below = [colours, *widths[:-1]]
    encoder = sum(normalized(*pair, 4) for pair in zip(below, widths, strict=True))
    decoder = sum(
        normalized(2 * own, lower, 4) for own, lower in zip(widths[1:], widths[:-1], strict=True)
    )
    return encoder + decoder + 16 * 2 * widths[0] * colours + colours


def vgg(widths: list[int], colours: int) -> int:
    found = normalized(2 * 64, 64, 3) + 9 * 64 * colours + colours  # the decoder's last stage
    for stage, (below, own) in enumerate(zip([colours, *widths[:-1]], widths, strict=True)):
        more = (1 if stage < 2 else 2) * normalized(own, own, 3)
        found += normalized(below, own, 3) + more
        if stage == 1:
            found += normalized(2 * own, own, 3) + normalized(own, below, 3)
        elif stage > 1:
            found += normalized(2 * own, own, 3) + normalized(own, own, 3)
            found += normalized(own, below, 3)
    return found


@pytest.mark.parametrize(
    ("backbone", "rows", "colours", "latent_dim", "wanted"),
    [
        ("dcgan", 64, 1, 10, 12_614_057),  # moving digits
        ("vgg", 64, 3, 64, 22_831_747),  # the robot arm
        ("dcgan", 128, 3, 64, 25_275_523),
        ("vgg", 128, 3, 64, 39_356_035),
    ],
)
def test_the_weights_are_those_of_its_layers(
    backbone: Backbone, rows: int, colours: int, latent_dim: int, wanted: int
) -> None:
    view = moving.view(channels="grey" if colours == 1 else "colour")
    chosen = settings(**PAPER, backbone=backbone, latent_dim=latent_dim, view=view)
    with torch.device("meta"):
        built = build(chosen, moving.given(rows, channels=colours))
    widths = [64, 128, 256, 512, 512][: 4 if rows == 64 else 5]
    frames = {"dcgan": dcgan, "vgg": vgg}[backbone](widths, colours)
    heads = normalized(512, 128, 4) + normalized(128, 512, 4)
    cell = 2 * (256 * 4 * 256 + 4 * 256)
    latents = linear(128, 256) + cell + linear(256, 2 * latent_dim)
    predictor = linear(128 + latent_dim, 256) + 2 * cell + linear(256, 128)
    assert built.trainable() == frames + heads + 2 * latents + predictor == wanted


@pytest.mark.parametrize("time", [1, 2, 4])
def test_a_frame_moves_its_own_cost_and_later_ones_and_no_earlier_one(time: int) -> None:
    moved = moving.moved_by(model(), moving.clips(), time)
    assert moved.tolist() == [frame >= time for frame in range(1, 5)]


@pytest.mark.parametrize("of", ["prior", "posterior"])
def test_the_posterior_sees_a_frame_and_the_prior_those_before(of: str) -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    always(built.posterior if of == "prior" else built.prior, 0.0)
    before = built.terms(x_BCTHW, 1, noise).kl["latent"]
    after = built.terms(moving.perturbed(x_BCTHW, 2), 1, noise).kl["latent"]
    moved = ((before - after).abs() > 1e-6).all(dim=0)
    first = 3 if of == "prior" else 2
    assert moved.tolist() == [frame >= first for frame in range(1, 5)]


class Shifted(moving.Repeated):
    """Its numbers as the prior N(0, 1) needs them, to give what the posterior N(1/2, 1/4) gives."""

    def normal(self, purpose: str, time: int, shape: Sequence[int]) -> Tensor:
        return 0.5 + 0.5 * super().normal(purpose, time, shape)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("known", [CONTEXT, 3])
def test_what_is_predicted_of_true_frames_is_what_is_scored(backbone: Backbone, known: int) -> None:
    built, x_BCTHW, noise = model(backbone=backbone), moving.clips(), moving.Repeated(4)
    always(built.prior, 0.0)
    always(built.posterior, 0.5, 0.5)
    state = built.start(built.encode(x_BCTHW[:, :, :known]), DRAWN, noise)
    errors = []
    for time in range(known, 5):
        x_BCHW = x_BCTHW[:, :, time]
        frame, state = built.advance(state, time, DRAWN, Shifted(4))
        errors.append((frame - x_BCHW).square().flatten(1).mean(dim=1))
        state = state._replace(frame=x_BCHW)
    found = built.terms(x_BCTHW, known, noise)
    torch.testing.assert_close(found.nll, torch.stack(errors, dim=1))
    # KL(N(1/2, 1/4) || N(0, 1)) in each of three dimensions.
    wanted = 3 * (0.5 * (0.25 + 0.25 - 1) + math.log(2))
    torch.testing.assert_close(found.kl["latent"], torch.full((4, 5 - known), wanted))


def test_prior_and_posterior_say_frame_by_frame_what_they_say_of_a_clip() -> None:
    built, x_BCTHW, noise = model(), moving.clips(), moving.Repeated(4)
    said: dict[str, list[Tensor]] = {"prior": [], "posterior": []}
    for name, network in (("prior", built.prior), ("posterior", built.posterior)):
        network.register_forward_hook(lambda _, __, out, to=said[name]: to.append(out[0]))
    built.terms(x_BCTHW, 1, noise)
    state = built.start(built.encode(x_BCTHW[:, :, :3]), DRAWN, noise)
    for time in (3, 4):
        _, state = built.advance(state, time, DRAWN, noise)
        state = state._replace(frame=x_BCTHW[:, :, time])
    torch.testing.assert_close(torch.cat(said["prior"][1:], dim=1), said["prior"][0])
    torch.testing.assert_close(said["posterior"][1], said["posterior"][0][:, :2])


@pytest.mark.parametrize("backbone", BACKBONES)
def test_vectors_are_within_1_of_0_and_frames_within_0_and_1(backbone: Backbone) -> None:
    built = model(backbone=backbone)
    seen: list[tuple[Tensor, Tensor]] = []
    last = built.decoder.stages[-1]
    with torch.no_grad():
        built.predictor.outward.weight.mul_(100)
        for parameter in (*built.decoder.joined[-1].parameters(), *last.parameters()):
            parameter.mul_(100)
    built.decoder.register_forward_hook(lambda _, inputs, out: seen.append((inputs[0], out)))
    built.terms(moving.clips(), 1, moving.Repeated(4))
    [(vectors_BF, frames_BCHW)] = seen
    assert 0.9 < vectors_BF.abs().max() <= 1
    assert 0 <= frames_BCHW.min() < 0.1
    assert 0.9 < frames_BCHW.max() <= 1


def test_the_log_ratio_is_that_of_the_latents_that_were_drawn() -> None:
    built, noise = model(), moving.Repeated(4)
    always(built.prior, 0.0)
    always(built.posterior, 0.5, 0.5)
    found = built.terms(moving.clips(), 3, noise).log_ratio
    drawn = torch.stack([noise.normal("latent", time, (3,)) for time in (3, 4)], dim=1)
    z = 0.5 + 0.5 * drawn
    wanted = 0.5 * (drawn.square() - z.square()) - math.log(2)
    torch.testing.assert_close(found, wanted.sum(dim=2))


def test_a_prediction_is_taken_for_the_last_frame() -> None:
    built, noise = model(), moving.Repeated(4)
    state = built.start(built.encode(moving.clips()), DRAWN, noise)
    frame, after = built.advance(state, 5, DRAWN, noise)
    assert torch.equal(after.frame, frame)


@pytest.mark.parametrize(("known", "sources"), [(1, [0, 1, 1, 1]), (2, [1, 1, 1]), (4, [3])])
def test_skips_follow_the_frames_up_to_the_last_of_the_context(
    known: int, sources: list[int]
) -> None:
    built, x_BCTHW = model(), moving.clips()
    given: list[Any] = []
    built.decoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[1]))
    built.terms(x_BCTHW, known, moving.Repeated(4))
    for place, source in enumerate(sources):
        wanted = built.decoder.read(built.encoder(x_BCTHW[:, :, source])[1])
        found = [said.unflatten(0, (4, len(sources)))[:, place] for said in given[0]]
        torch.testing.assert_close(found, wanted)


def test_the_loss_is_the_errors_of_a_clip_and_beta_times_its_divergence() -> None:
    built, x_BCTHW = model(), moving.clips()
    always(built.prior, 0.0)
    always(built.posterior, 0.0)
    with torch.no_grad():
        built.posterior.outward.bias[:3] = 1.0
        # Of no influence on frames, so that noise has none.
        built.predictor.inward.weight[:, built.settings.features :] = 0
    found = built.loss({"x": x_BCTHW}, moving.moment())
    error = built.terms(x_BCTHW, 1, moving.Repeated(4)).nll
    torch.testing.assert_close(found["loss"], error.sum() / 4 + BETA * 4 * 3 * 0.5)
    torch.testing.assert_close(found["error"], error.mean())


def context(frames: int = CONTEXT) -> Context:
    grey = generator(0, "frames").integers(0, 255, (1, frames, 16, 16, 1)).to(torch.uint8)
    return Context(grey.expand(-1, -1, -1, -1, 3), [3])


@pytest.mark.parametrize(("options", "differ"), [(DRAWN, True), (MEAN, False)])
def test_futures_differ_where_latents_are_drawn(options: LatentsOnly, differ: bool) -> None:
    built = model()
    one, other = built.predict(context(), 2, options, Draws.each(0, [3], range(2))).frames
    assert torch.equal(one, other) is not differ


def test_a_temperature_is_of_the_prior() -> None:
    built, noise = model(), moving.Repeated(1)
    seen = built.encode(moving.clips(1)[:, :, :CONTEXT])
    hot = LatentsOnly(latents="sample", temperature=2.0, frames="mean")
    started, cold = built.start(seen, hot, noise), built.start(seen, DRAWN, noise)
    assert torch.equal(started.predictor[0][0], cold.predictor[0][0])
    frames = [built.advance(started, 2, options, noise)[0] for options in (hot, DRAWN)]
    assert not torch.equal(*frames)


def test_fewer_given_frames_than_in_training_are_refused() -> None:
    with pytest.raises(UserError, match="SVG is given 1 frames and needs 2"):
        model().predict(context(1), 1, MEAN, Draws.first(0, [3]))


@pytest.mark.parametrize("size", [(8, 8), (48, 48), (32, 16)])
def test_frames_of_another_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"16, 32, 64, 128 rows, not {size[0]} x {size[1]}"):
        build(settings(), moving.given(*size))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context": 5}, "view.frames is 5, of which 5 are the context"),
        ({"view": moving.view(scaling="symmetric")}, "view.scaling is symmetric"),
        ({"view": moving.view(dequantise=True)}, "view.dequantise is True"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


def test_frames_have_no_distribution_to_draw_from() -> None:
    with pytest.raises(ValueError, match="Input should be 'mean'"):
        LatentsOnly.model_validate({"latents": "sample", "temperature": 1.0, "frames": "sample"})


@pytest.mark.parametrize("backbone", BACKBONES)
def test_it_learns(backbone: Backbone, tmp_path: Path) -> None:
    found = moving.losses(build(settings(backbone=backbone), moving.given()), tmp_path)
    assert found[-1] < 0.7 * found[0]
