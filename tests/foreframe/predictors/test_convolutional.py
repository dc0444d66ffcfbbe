"""What the convolutional SRNN and VRNN have in common."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.predictors import Context, srnn, vrnn
from foreframe.predictors.learned import ROLE
from foreframe.randomness import Draws, generator
from foreframe.training.objective import Moment
from tests.foreframe.predictors.sequential import (
    DRAWN,
    FRAMES,
    GAUSSIAN,
    MEAN,
    MIXTURE,
    SMALL,
    Listed,
    Same,
    agree,
    clips,
    cost,
    followed,
    frames_of,
    fresh,
    given,
    ready,
    view,
)

SRNN: dict[str, Any] = {
    "kind": "srnn",
    "smoothing": False,
    "residual_posterior": False,
    "overshooting": 1,
    "prior_chain": "posterior",
}
SMOOTHING: dict[str, Any] = SRNN | {
    "smoothing": True,
    "residual_posterior": True,
    "overshooting": 2,
    "prior_chain": "self",
}
VRNN: dict[str, Any] = {"kind": "vrnn"}
FILTERS = [SRNN, VRNN]
ALL = [SRNN, SMOOTHING, VRNN]


def settings(kind: dict[str, Any], **changes: Any) -> Any:
    known = SMALL | kind | changes
    known = {"view": view(known["output"])} | known
    return (srnn if kind["kind"] == "srnn" else vrnn).Settings(**known)


@pytest.mark.parametrize("kind", FILTERS)
def test_the_deviation_of_frames_begins_where_the_settings_say(kind: dict[str, Any]) -> None:
    model = ready(settings(kind, output=GAUSSIAN | {"raw_deviation": -0.5}))
    assert model.output.raw_deviation.item() == -0.5


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("kind", FILTERS)
@torch.no_grad()
def test_with_the_prior_for_a_posterior_terms_are_what_futures_are_told(
    kind: dict[str, Any], context: int
) -> None:
    model = ready(settings(kind))
    agree(model.posterior, model.prior)
    x_BCTHW, noise = clips(model), Same(3, apart=False)
    terms = model.terms(x_BCTHW, context, noise)
    means = followed(model, x_BCTHW, context, noise)
    wanted = cost(model, x_BCTHW[:, :, context:], means)
    torch.testing.assert_close(terms.nll, wanted, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(terms.kl["z"], torch.zeros(3, FRAMES - context))
    torch.testing.assert_close(terms.log_ratio, torch.zeros(3, FRAMES - context))


@pytest.mark.parametrize("kind", FILTERS)
@torch.no_grad()
def test_a_frame_changes_the_terms_from_its_own_on(kind: dict[str, Any]) -> None:
    model = ready(settings(kind))
    model.output.raw_deviation.fill_(-2)  # so that frames tell small differences
    x_BCTHW = clips(model)
    changed = x_BCTHW.clone()
    changed[:, :, 3] = 1 - changed[:, :, 3]
    before, after = (model.terms(each, 1, Same(3)) for each in (x_BCTHW, changed))
    for one, other in zip(values(before), values(after), strict=True):
        torch.testing.assert_close(one[:, :2], other[:, :2])
        assert ((one[:, 2:] - other[:, 2:]).abs() > 1e-4).all()


def values(terms: Any) -> tuple[Tensor, Tensor, Tensor]:
    return terms.nll, terms.kl["z"], terms.log_ratio


@pytest.mark.parametrize("kind", ALL)
@torch.no_grad()
def test_minus_the_mean_log_ratio_is_the_divergence(kind: dict[str, Any]) -> None:
    # Of one scored frame, before which nothing is drawn: later ones see what was drawn before.
    model, count = ready(settings(kind)), 4000
    x_BCTHW = clips(model, 1, 2).expand(count, -1, -1, -1, -1)
    terms = model.terms(x_BCTHW, 1, fresh(count))
    found, wanted = -terms.log_ratio, terms.kl["z"]
    torch.testing.assert_close(wanted, wanted[:1].expand(count, -1), rtol=1e-4, atol=1e-4)
    assert wanted[0].item() > 0.02
    error = found.std().item() / math.sqrt(count)
    assert abs(found.mean().item() - wanted[0].item()) < 4 * error


@pytest.mark.parametrize("kind", FILTERS)
@torch.no_grad()
def test_any_posterior_weighs_to_the_same_likelihood(kind: dict[str, Any]) -> None:
    # One model that is weighed by its own posterior and by its prior. The frames are noisy enough
    # that a few thousand trajectories tell the likelihood.
    model, count = ready(settings(kind)), 3000
    x_BCTHW = clips(model, 1, 4).expand(count, -1, -1, -1, -1)

    def estimate() -> tuple[float, float]:
        terms = model.terms(x_BCTHW, 2, fresh(count))
        weights = (terms.log_ratio - terms.nll).sum(dim=1).double()
        total = weights.logsumexp(dim=0) - math.log(count)
        spread = (weights - total).exp().std().item() / math.sqrt(count)
        return total.item(), spread

    own, own_error = estimate()
    agree(model.posterior, model.prior)
    prior, prior_error = estimate()
    assert own_error > 0.001, "the weights hardly differ, so nothing is tested"
    assert abs(own - prior) < 4 * math.hypot(own_error, prior_error)


@pytest.mark.parametrize("output", [GAUSSIAN, MIXTURE])
@pytest.mark.parametrize("kind", ALL)
def test_everything_learns(kind: dict[str, Any], output: dict[str, Any]) -> None:
    model = ready(settings(kind, output=output)).train()
    batch = {"x": clips(model)}
    model.loss(batch, Moment(10, 20, 0, 10, 20, generator(0, "step")))["loss"].backward()
    still = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert not still


@pytest.mark.parametrize("output", [GAUSSIAN, MIXTURE])
@pytest.mark.parametrize("kind", ALL)
def test_futures_do_not_depend_on_what_else_is_asked_for(
    kind: dict[str, Any], output: dict[str, Any]
) -> None:
    model = ready(settings(kind, output=output))
    context = Context(frames_of(2, 2), [7, 8])
    draws = Draws.each(0, [7, 8], range(2))
    together = model.predict(context, 3, DRAWN, draws).frames
    alone = model.predict(context, 3, DRAWN, draws.of([3])).frames
    assert torch.equal(alone[0], together[3])
    assert len({each.numpy().tobytes() for each in together}) == 4


@pytest.mark.parametrize("kind", FILTERS)
def test_a_mixture_has_probabilities_and_a_gaussian_a_density(kind: dict[str, Any]) -> None:
    assert ready(settings(kind, output=GAUSSIAN)).grey_level == 1 / 256
    model = ready(settings(kind, output=MIXTURE))
    context, future = Context(frames_of(2, 2), [7, 8]), frames_of(2)[:, 2:]
    weights = model.likelihood(context, future, Draws.first(0, [7, 8]))
    assert weights.grey_level == 1
    assert (weights.values < 0).all()


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("kind", FILTERS)
@torch.no_grad()
def test_latents_are_drawn_unless_means_are_asked_for(kind: dict[str, Any], context: int) -> None:
    model = ready(settings(kind))
    seen = model.encode(clips(model)[:, :, :context])
    for options in (DRAWN, MEAN):
        starts = [model.start(seen, options, fresh(3, seed)) for seed in (0, 1)]
        # The first latent belongs to the second frame.
        drawn = options.random and context > 1
        assert drawn != torch.equal(starts[0].latent, starts[1].latent)
        later = [
            model.advance(starts[0], context, options, fresh(3, seed))[1].latent for seed in (0, 1)
        ]
        assert options.random != torch.equal(later[0], later[1])


@pytest.mark.parametrize("context", [1, 3])
@pytest.mark.parametrize("kind", ALL)
@torch.no_grad()
def test_every_frame_has_numbers_of_its_own(kind: dict[str, Any], context: int) -> None:
    model, noise = ready(settings(kind)), Listed(3)
    x_BCTHW = clips(model)
    followed(model, x_BCTHW, context, noise)
    assert noise.asked == [("prior", time) for time in range(1, FRAMES)]
    noise.asked.clear()
    model.terms(x_BCTHW, context, noise)
    assert len(set(noise.asked)) == len(noise.asked)
    posterior = [time for purpose, time in noise.asked if purpose == "posterior"]
    assert posterior == list(range(context, FRAMES))


@pytest.mark.parametrize(("height", "width"), [(20, 16), (16, 20)])
@pytest.mark.parametrize("kind", FILTERS)
def test_frames_that_cannot_be_halved_three_times_are_refused(
    kind: dict[str, Any], height: int, width: int
) -> None:
    chosen = settings(kind)
    with pytest.raises(UserError, match=f"{height} x {width} pixels. Set source.height and"):
        ROLE.build(chosen, given(chosen, height, width))


@pytest.mark.parametrize(
    ("output", "changes", "said"),
    [
        (GAUSSIAN, {"dequantise": False}, "view.dequantise is False"),
        (GAUSSIAN, {"scaling": "symmetric"}, "view.scaling is symmetric"),
        (MIXTURE, {"scaling": "unit"}, "view.scaling is unit"),
        (MIXTURE, {"bits": 5}, "view.bits is 5"),
        (MIXTURE, {"dequantise": True}, "view.dequantise is True"),
        (MIXTURE, {"frames": 1}, "view.frames is 1"),
    ],
)
def test_a_view_that_the_output_does_not_speak_of_is_refused(
    output: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        settings(VRNN, output=output, view=view(output, **changes))
