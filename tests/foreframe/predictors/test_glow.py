"""The flow alone: what it hears, what it models, and two ways to one number."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.metrics import bits_per_dimension
from foreframe.models import Shape
from foreframe.networks.flows.actnorm import ActNorm
from foreframe.networks.gaussian import Gaussian, total
from foreframe.predictors import Context
from foreframe.predictors.glow import Condition, Glow, Settings, Temperature
from foreframe.predictors.learned import ROLE, Given
from foreframe.predictors.recurrent import WIDTH
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.sequential import Listed, Same

SIDE, HOLE, LEVELS = 16, 8, 2
TOLD = Condition(extractor="vgg", widths=(4, 6), base_width=6, base_deviation="softplus")
PLAIN = Temperature(flow=1.0)
SMALL: dict[str, Any] = {"levels": LEVELS, "steps": 2, "coupling_width": 6, "memory": "stored"}


def settings(told: bool = False, **changes: Any) -> Settings:
    frames = 2 if told else 1
    view = {"frames": frames, "scaling": "centred", "dequantise": True, "channels": "colour"}
    known = moving.common("glow", view=moving.view(**view)) | SMALL
    known |= {"condition": TOLD if told else None, "hole": 0}
    return Settings(**(known | changes))


def given(chosen: Settings, height: int = SIDE, width: int = SIDE) -> Given:
    return Given(Shape(chosen.view.colours, chosen.view.frames, height, width), (), {})


def built(chosen: Settings, height: int = SIDE, width: int = SIDE) -> Glow:
    model = ROLE.build(chosen, given(chosen, height, width))
    assert isinstance(model, Glow)
    model.initialize(generator(0, "weights"))
    model.scaling = Scaling(chosen.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return model


def ready(told: bool = False, width: int = SIDE, **changes: Any) -> Glow:
    """Return a flow in eval mode that has begun from data and is no identity."""
    model = built(settings(told, **changes), width=width)
    x = pictures(4, model.settings.view.frames, width).movedim(-1, 1) / 256 - 0.5
    x = x[:, : model.settings.view.colours]
    with torch.no_grad():
        model.prepare({"x": x}, moving.moment())
        for name, parameter in model.named_parameters():
            if not parameter.any():  # what begins as nothing
                parameter.copy_(generator(1, name).normal(parameter.shape) / 10)
    return model.eval()


def pictures(count: int, frames: int = 1, width: int = SIDE) -> Tensor:
    """Return frames (N,T,H,W,3) without pattern, uint8."""
    shape = (count, frames, SIDE, width, 3)
    return generator(0, "pictures").integers(0, 256, shape).to(torch.uint8)


def holed(count: int = 2, hole: int = HOLE) -> Tensor:
    """Return clips (N,2,H,W,3) of a frame with a hole and the whole one."""
    whole = pictures(count)
    missing = whole.clone()
    start = (SIDE - hole) // 2
    missing[:, :, start : start + hole, start : start + hole] = 0
    return torch.cat([missing, whole], dim=1)


def nothing(count: int = 2) -> Context:
    return Context(pictures(count)[:, :0], list(range(5, 5 + count)))


def bits(model: Glow, context: Context, future: Tensor) -> Tensor:
    found = model.likelihood(context, future, Draws.first(0, context.numbers))
    assert found.values.shape == (1, len(future))
    nats_N = bits_per_dimension.importance_weighted_nats(found.values)
    return bits_per_dimension.clip_bits(nats_N, found.dimensions, found.grey_level)


def test_what_is_scored_is_the_density_of_the_latents_under_the_change_of_variables() -> None:
    # One level of an unconditional flow of a frame of 12 numbers: its Jacobian is worked out.
    model = built(settings(levels=1, hole=0), 2, 2).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(generator(1, name).normal(parameter.shape) / 10)
    x = generator(2, "x").normal((1, 3, 1, 2, 2)).double()

    def latent(values: Tensor) -> Tensor:
        return model.flow.latents(values, ())[-1].flatten()

    jacobian = torch.autograd.functional.jacobian(latent, x[:, :, 0]).reshape(12, 12)
    z = latent(x[:, :, 0])
    expected = total(Gaussian.standard(z).log_prob(z)[None]) + jacobian.det().abs().log()
    torch.testing.assert_close(-model.terms(x, 0, Same(1)).nll[:, 0], expected)


@pytest.mark.parametrize("told", [False, True])
def test_pictures_drawn_with_the_noise_of_a_picture_are_that_picture(told: bool) -> None:
    # What is set aside and the base are Gaussian: their standard scores are the noise.
    model = ready(told, hole=HOLE if told else 0).double()
    clips = (holed() if told else pictures(2)).double().movedim(-1, 1) / 256 - 0.5
    with torch.no_grad():
        last = clips[:, :, 0] if told else None
        inner = clips[:, :, -1]
        if told:
            inner = inner[..., 4:12, 4:12]
        conditions, _ = model._told(last, inner)
        latents = model.flow.latents(inner, conditions)
        scores: dict[str, Tensor] = {}
        keep = Gaussian.sample

        def scored(self: Gaussian, noise: Tensor, temperature: float = 1.0) -> Tensor:
            level = next(n for n, z in enumerate(latents) if z.shape == noise.shape)
            scores[str(level)] = (latents[level] - self.mean) / self.deviation
            return keep(self, scores[str(level)], temperature)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Gaussian, "sample", scored)
            frame, state = model.advance(last, 1, PLAIN, Same(2))
    assert len(scores) == LEVELS
    torch.testing.assert_close(frame, clips[:, :, -1], rtol=1e-9, atol=1e-9)
    assert (state is None) != told and (state is None or torch.equal(state, frame))


def test_latents_come_back_as_the_picture_they_were_taken_of() -> None:
    model, frames = ready(), pictures(3)[:, 0]
    latents = model.latents(frames, [4, 2, 9], 0)
    assert [tuple(each.shape[1:]) for each in latents] == model.flow.noise_shapes
    assert sum(each[0].numel() for each in latents) == frames[0].numel()
    assert torch.equal(model.decoded(latents), frames)
    # Their noise belongs to the number of the picture, not to its place.
    again = model.latents(frames[1:], [2, 9], 0)
    for each, other in zip(latents, again, strict=True):
        torch.testing.assert_close(each[1:], other, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(model.latents(frames[1:], [3, 9], 0)[0][:1], again[0][:1])


def test_the_picture_is_all_that_is_counted() -> None:
    model, future = ready(), pictures(2)
    found = model.likelihood(nothing(), future, Draws.first(0, [5, 6]))
    assert found.dimensions == future[0].numel() and found.grey_level == 1 / 256


@pytest.mark.parametrize("depth", [8, 2])
def test_uniform_values_cost_their_bits_and_what_a_gaussian_has_more(depth: int) -> None:
    """A flow that has begun from data and turns them is N(0, 1/12) of values in [0, 1)."""
    view = moving.view(frames=1, scaling="centred", dequantise=True, channels="colour", bits=depth)
    model, count = built(settings(levels=1, view=view)), 128
    first = model.scaling.inward(pictures(count), generator(1, "dequantise"))
    with torch.no_grad():
        model.prepare({"x": first}, moving.moment())
    found = bits(model.eval(), nothing(count), pictures(count)).mean().item()
    wanted = depth + math.log2(2 * math.pi * math.e / 12) / 2  # 8.25 of 8
    assert found == pytest.approx(wanted, abs=0.005)


def test_levels_of_two_bits_are_counted_as_four() -> None:
    model = ready(view=moving.view(frames=1, scaling="centred", dequantise=True, bits=2))
    found = model.likelihood(nothing(), pictures(2), Draws.first(0, [5, 6]))
    assert found.grey_level == 1 / 4 and found.dimensions == SIDE * SIDE
    drawn = model.predict(nothing(1), 1, PLAIN, Draws.each(0, [5], range(3))).frames
    assert set(drawn.unique().tolist()) <= {0, 85, 170, 255}


@pytest.mark.parametrize("part", ["coupling", "split", "base"])
def test_the_given_frame_reaches_every_part_that_is_conditional(part: str) -> None:
    model = ready(told=True, hole=HOLE)
    clips = holed().movedim(-1, 1) / 256 - 0.5
    found = []
    for each in (clips, moving.perturbed(clips, 0)):
        with torch.no_grad():
            conditions, base = model._told(each[:, :, 0], each)
            latents = model.flow.latents(clips[:, :, 1, 4:12, 4:12], conditions)
            kept = torch.zeros(2, 6, 4, 4)
            split = model.flow.splits[0](kept, conditions[0])
        found.append({"coupling": latents[0], "split": split.mean, "base": base.mean}[part])
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_a_frame_costs_what_it_costs_given_the_one_before_and_no_other() -> None:
    model = ready(told=True).double()
    x = pictures(2, 4).movedim(-1, 1).double() / 256 - 0.5
    with torch.no_grad():
        whole = model.terms(x, 1, Same(2)).nll
        alone = [
            -model.flow.log_prob(x[:, :, t], *model._told(x[:, :, t - 1], x)) for t in (1, 2, 3)
        ]
        logged = model.loss({"x": x}, moving.moment())
    torch.testing.assert_close(whole, torch.stack(alone, dim=1))
    torch.testing.assert_close(logged["loss"], whole.sum(dim=1).mean())
    torch.testing.assert_close(logged["nll"] * x[0, :, 1:].numel(), logged["loss"])


@pytest.mark.parametrize("told", [False, True])
def test_every_normalisation_begins_from_the_first_batch(told: bool) -> None:
    norms = [each for each in ready(told).modules() if isinstance(each, ActNorm)]
    assert len(norms) > 2 * LEVELS * SMALL["steps"] and all(norm.started for norm in norms)


@pytest.mark.parametrize("told", [False, True])
def test_a_future_is_the_same_alone_and_among_others(told: bool) -> None:
    model = ready(told, hole=HOLE if told else 0)
    context = Context(holed()[:, :1], [5, 6]) if told else nothing()
    draws = Draws.each(0, context.numbers, range(WIDTH - 1))
    together = model.predict(context, 1, PLAIN, draws).frames
    assert torch.equal(model.predict(context, 1, PLAIN, draws.of([9, 2])).frames, together[[9, 2]])
    assert not torch.equal(together[0], together[1]) and not torch.equal(together[0], together[7])


def test_the_temperature_is_that_of_every_latent() -> None:
    model = ready()
    noise = Listed(2)
    with torch.no_grad():
        for temperature in (1e-6, 0.5):
            frame, _ = model.advance(None, 0, Temperature(flow=temperature), noise)
            latents = model.flow.latents(frame, ())
            # At 0 all pictures are the most likely one.
            spread = max(float((each[0] - each[1]).abs().max()) for each in latents)
            assert (spread < 1e-3) == (temperature < 1e-3)
    assert noise.asked[:LEVELS] == [(f"flow {level}", 0) for level in (1, 2)]


@pytest.mark.parametrize("told", [False, True])
def test_it_learns_a_moving_square(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = 5 if told else 1
    view = moving.view(frames=frames, scaling="centred", dequantise=True)
    model = built(settings(told, view=view))
    if not told:
        # A training reads clips of 5 frames: of single ones it is shown the first.
        whole = model.loss
        monkeypatch.setattr(
            model, "loss", lambda batch, moment: whole({"x": batch["x"][:, :, :1]}, moment)
        )
    found = moving.losses(model, tmp_path)
    assert all(map(math.isfinite, found))
    assert sum(found[-5:]) < sum(found[:5]) - 5 * 50 * frames  # nats of a clip, and more


def test_more_is_given_than_it_knows_or_less_than_it_needs() -> None:
    frames = pictures(1, 2)
    known = Context(frames[:, :1], [5])
    alone, told = ready(), ready(told=True)
    with pytest.raises(UserError, match=r"is given 1 frames, .*ignore.*context to 0"):
        alone.predict(known, 1, PLAIN, Draws.first(0, [5]))
    with pytest.raises(UserError, match="ignore"):
        alone.likelihood(known, frames[:, 1:], Draws.first(0, [5]))
    with pytest.raises(UserError, match="is given 0 frames and needs 1"):
        told.predict(nothing(1), 1, PLAIN, Draws.first(0, [5]))
    with pytest.raises(UserError, match="condition is null"):
        told.latents(frames[:, 0], [5], 0)


def test_a_temperature_is_above_0() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Temperature(flow=0.0)


@pytest.mark.parametrize(
    ("told", "changes", "said"),
    [
        (True, {"levels": 3}, "widths has 2 numbers, but levels is 3"),
        (False, {"hole": 4}, "condition is null, and nothing would be around"),
        (False, {"view": moving.view()}, "scaling"),
        (False, {"view": moving.view(frames=2, scaling="centred", dequantise=True)}, "Set it to 1"),
        (True, {"view": moving.view(frames=1, scaling="centred", dequantise=True)}, "only given"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    told: bool, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        settings(told, **changes)
