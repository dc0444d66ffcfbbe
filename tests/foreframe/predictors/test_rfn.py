"""The recurrent flow network: its sizes, what each part sees, and two ways to one number."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.flows.actnorm import ActNorm
from foreframe.predictors import Context
from foreframe.predictors.learned import ROLE, Given
from foreframe.predictors.recurrent import WIDTH
from foreframe.predictors.rfn import RecurrentFlow, Settings, Temperatures
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.sequential import Same, agree

CHAIN: dict[str, Any] = {
    "smoothing": False,
    "residual_posterior": False,
    "overshooting": 1,
    "prior_chain": "posterior",
}
SMALL: dict[str, Any] = CHAIN | {
    "levels": 2,
    "steps": 2,
    "coupling_width": 6,
    "extractor": "vgg",
    "widths": (4, 6),
    "conditioning": (3, 4),
    "skips": "conditioning",
    "hidden": 5,
    "latent": 2,
    "latent_network": (6, 5),
    "base_width": 6,
    "base_deviation": "softplus",
    "memory": "stored",
}
THESIS = SMALL | {
    "levels": 5,
    "steps": 10,
    "coupling_width": 256,
    "widths": (32, 64, 128, 256, 512),
    "conditioning": (16, 32, 64, 128, 128),
    "hidden": 256,
    "latent": 3,
    "latent_network": (256, 256),
    "base_width": 512,
}
PLAIN = Temperatures(flow=1.0, prior=1.0)
SIDE, FRAMES = 8, 5


def settings(base: dict[str, Any] = SMALL, channels: str = "grey", **changes: Any) -> Settings:
    view = moving.view(frames=FRAMES, scaling="centred", dequantise=True, channels=channels)
    known = moving.common("rfn", view=view) | base
    known |= {"kl_weight": Ramp(first=0.0, last=1.0, begin=0, steps=10, of="run")}
    return Settings(**(known | {"free_bits": 0.0} | changes))


def given(chosen: Settings, side: int = SIDE) -> Given:
    return Given(Shape(chosen.view.colours, FRAMES, side, side), (), {})


def ready(**changes: Any) -> RecurrentFlow:
    """Return a network in eval mode that has begun from data, and whose flow hears its conditions.

    In float64, so that nothing but a cause has an effect.
    """
    chosen = settings(**changes)
    model = ROLE.build(chosen, given(chosen))
    assert isinstance(model, RecurrentFlow)
    model.initialize(generator(0, "weights"))
    model.scaling = Scaling(chosen.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    with torch.no_grad():
        model.prepare({"x": clips().float()}, moving.moment())
        for name, parameter in model.named_parameters():
            if not parameter.any():  # what begins as nothing
                parameter.copy_(generator(1, name).normal(parameter.shape) / 10)
    return model.double().eval()


def clips(count: int = 2) -> Tensor:
    return moving.clips(count, FRAMES, 12)[..., :SIDE, :SIDE].double() - 0.5


def weights(base: dict[str, Any], channels: str = "grey", **changes: Any) -> int:
    chosen = settings(base, channels, **changes)
    with torch.device("meta"):
        return ROLE.build(chosen, given(chosen, 64)).trainable()


@pytest.mark.parametrize(
    ("skips", "millions", "printed"),
    [("none", 33.5, 33), ("conditioning", 35.0, 35), ("flow", 58.2, 58), ("both", 59.7, 60)],
)
def test_the_four_ways_to_skip_have_the_weights_of_table_9_1(
    skips: str, millions: float, printed: int
) -> None:
    found = weights(THESIS, skips=skips) / 1e6
    assert found == pytest.approx(millions, abs=0.05)
    assert found == pytest.approx(printed, abs=0.5)


@pytest.mark.parametrize(("levels", "printed"), [(3, 22), (4, 36), (5, 61)])
def test_deeper_flows_grow_as_in_table_9_2(levels: int, printed: int) -> None:
    # The thesis prints no widths; of these the sizes are within a tenth of its own.
    changes = {
        "levels": levels,
        "steps": 5,
        "widths": tuple(64 * 2**level for level in range(levels)),
        "conditioning": THESIS["conditioning"][:levels],
        "latent": 5,
        "latent_network": (256, 64),
        "smoothing": True,
    }
    assert weights(THESIS, "colour", **changes) / 1e6 == pytest.approx(printed, rel=0.1)


def moved(model: RecurrentFlow, time: int, quantity: str) -> list[bool]:
    """Return which steps change once frame `time` is another one."""
    x, noise = clips(), Same(2)
    with torch.no_grad():
        one, other = (model.terms(each, 1, noise) for each in (x, moving.perturbed(x, time)))
    pair = [{"nll": each.nll, "kl": each.kl["z"]}[quantity] for each in (one, other)]
    return ((pair[0] - pair[1]).abs() > 1e-9).any(dim=0).tolist()


def test_a_frame_costs_what_it_costs_whatever_comes_after_it() -> None:
    model = ready()
    for time in range(1, FRAMES):
        for quantity in ("nll", "kl"):
            assert moved(model, time, quantity) == [step >= time - 1 for step in range(FRAMES - 1)]


def test_smoothing_looks_ahead() -> None:
    assert moved(ready(smoothing=True), FRAMES - 1, "kl") == [True] * (FRAMES - 1)


@torch.no_grad()
def test_with_smoothing_the_posterior_hears_of_frames_by_what_looks_ahead_alone() -> None:
    model = ready(smoothing=True)
    told = SMALL["hidden"] + SMALL["widths"][-1]
    model.lookahead.recurrence.gates.weight[:, :told] = 0
    before = model.terms(clips(), 1, Same(2)).about
    for time in range(FRAMES):
        after = model.terms(moving.perturbed(clips(), time), 1, Same(2)).about
        for name in ("posterior_mean", "posterior_deviation"):
            assert torch.equal(before[name], after[name])


@pytest.mark.parametrize("skips", ["none", "conditioning", "flow", "both"])
def test_the_flow_hears_of_the_last_frame_as_the_skips_say(skips: str) -> None:
    model = ready(skips=skips)
    h, z = (
        generator(0, name).normal((2, count, 2, 2)).double() for name, count in (("h", 5), ("z", 2))
    )
    features = model.extractor(clips()[:, :, 0])
    with torch.no_grad():
        one, _ = model._conditioned(h, z, features)
        other, _ = model._conditioned(h, z, [each + 1 for each in features])
    channels = [3 + 4, 4 + 6] if skips in ("flow", "both") else [3, 4]
    assert [each.shape[1] for each in one] == channels
    for before, after, own in zip(one, other, (3, 4), strict=True):
        changed = (before - after).abs().amax(dim=(0, 2, 3)) > 0
        assert changed[:own].any() == (skips in ("conditioning", "both"))
        assert changed[own:].all()


@pytest.mark.parametrize(
    ("chain", "extractor"), [("self", "vgg"), ("posterior", "vgg"), ("posterior", "dcgan")]
)
def test_steps_told_the_true_frames_cost_what_all_at_once_do(chain: str, extractor: str) -> None:
    # With a posterior that says what the prior says, both ways draw the same latents.
    model, x = ready(prior_chain=chain, extractor=extractor), clips()
    noise = Same(2, apart=False)
    agree(model.posterior, model.prior)  # type: ignore[arg-type]
    costs, sizes = [], iter(range(2, FRAMES))

    def told(noises: Any, conditions: Any, base: Any, temperature: float) -> Tensor:
        frame = x[:, :, next(sizes)]
        costs.append(-model.flow.log_prob(frame, conditions, base))
        return frame

    model.flow.sample = told  # type: ignore[method-assign]
    with torch.no_grad():
        found = model.terms(x, 2, noise)
        state = model.start(model.encode(x[:, :, :2]), PLAIN, noise)
        for time in range(2, FRAMES):
            _, state = model.advance(state, time, PLAIN, noise)
    torch.testing.assert_close(torch.stack(costs, dim=1), found.nll)
    assert found.kl["z"].abs().max() < 1e-9
    assert found.log_ratio is not None and found.log_ratio.abs().max() < 1e-9


def test_the_loss_is_the_same_whatever_the_flow_keeps() -> None:
    found = [
        ready(memory=memory).terms(clips(), 1, Same(2)).nll for memory in ("stored", "inverted")
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=0)


def futures(options: Temperatures, count: int = WIDTH) -> Tensor:
    model = ready().float()
    frames = (clips(1) + 0.5).mul(255).round().to(torch.uint8).movedim(1, -1)
    known = Context(frames[:, :3].expand(-1, -1, -1, -1, 3).contiguous(), [7])
    return model.predict(known, 2, options, Draws.each(0, known.numbers, range(count))).frames


def test_each_temperature_has_a_spread_of_its_own() -> None:
    cold, flow, prior = (
        futures(Temperatures(flow=flow, prior=prior)).float()
        for flow, prior in ((1e-6, 1e-6), (0.5, 1e-6), (1e-6, 1.0))
    )
    assert (cold - cold[:1]).abs().max() <= 1
    # Noise of the flow is everywhere; a latent of the first step reaches every pixel too.
    for each in (flow, prior):
        assert each.std(dim=0).mean() > 1


def test_a_future_is_the_same_alone_and_among_others() -> None:
    assert torch.equal(futures(PLAIN, 3), futures(PLAIN, WIDTH + 1)[:3])


def test_every_normalisation_begins_from_the_first_batch() -> None:
    chosen = settings()
    model = ROLE.build(chosen, given(chosen))
    assert isinstance(model, RecurrentFlow)
    model.initialize(generator(0, "weights"))
    norms = [each for each in model.modules() if isinstance(each, ActNorm)]
    assert norms and not any(norm.started for norm in norms)
    with torch.no_grad():
        model.prepare({"x": clips().float()}, moving.moment())
    assert all(norm.started for norm in norms)


@pytest.mark.parametrize("memory", ["stored", "inverted"])
def test_it_learns_a_moving_square(memory: str, tmp_path: Path) -> None:
    chosen = settings(memory=memory)
    model = ROLE.build(chosen, given(chosen, 16))
    assert isinstance(model, RecurrentFlow)
    found = moving.losses(model, tmp_path)
    assert sum(found[-5:]) < sum(found[:5]) - 5 * 100  # nats of a clip, and more


def test_what_the_chain_is_told_to_do_reaches_it() -> None:
    model = ready(residual_posterior=True, overshooting=3, prior_chain="self")
    chain = model.chain
    assert (chain.residual_posterior, chain.depth, chain.compared) == (True, 3, "self")


@pytest.mark.parametrize("name", ["flow", "prior"])
def test_a_temperature_is_above_0(name: str) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Temperatures(**({"flow": 1.0, "prior": 1.0} | {name: 0.0}))


def test_frames_that_cannot_be_halved_so_often_are_refused() -> None:
    chosen = settings()
    with pytest.raises(UserError, match=r"halves frames 2 times, .* 6 x 6 .*multiples of 4"):
        ROLE.build(chosen, given(chosen, 6))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widths": (4, 6, 8)}, "widths has 3 numbers, but levels is 2"),
        ({"conditioning": (4,)}, "conditioning has 1 numbers, but levels is 2"),
        ({"view": moving.view(frames=FRAMES)}, "scaling"),
        ({"view": moving.view(frames=1, scaling="centred", dequantise=True)}, "only given"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)
