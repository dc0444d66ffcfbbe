"""G-SWM: its size, what objects show, what they cost, and how they come, go on and are known."""

import math
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.networks import initialization
from foreframe.networks.object_draws import CERTAIN, Drawing, most_present
from foreframe.networks.object_frames import covered
from foreframe.networks.object_world import Objects, Others, bernoulli_divergence, boxes
from foreframe.predictors import Context
from foreframe.predictors.g_swm import GSWM, Settings, build
from foreframe.predictors.recurrent import WIDTH
from foreframe.predictors.svg import LatentsOnly
from foreframe.randomness import Draws, generator
from tests.foreframe.predictors import moving, sliding
from tests.foreframe.predictors.sliding import FRAMES, ONE, ROWS, SIDE

DRAWN = LatentsOnly(latents="sample", temperature=1.0, frames="mean")
MEAN = LatentsOnly(latents="mean", temperature=1.0, frames="mean")
COUNT, LOOKS, DYNAMICS, HIDDEN, WIDE, GRID = 3, 4, 5, 6, 2, 2
NAMES = {"where", "depth", "what", "presence", "dynamics"}


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "view": moving.view(channels="colour", frames=FRAMES),
        "grid": GRID,
        "objects": COUNT,
        "looks": LOOKS,
        "dynamics": DYNAMICS,
        "hidden": HIDDEN,
        "width": WIDE,
        "glimpse": 8,
        "size": 0.3,
        "presence": 0.1,
        "rejection": 0.8,
        "propagations": 1,
        "deviation": 0.2,
        "kl_weight": ONE,
        "free_bits": 0.0,
    }
    return Settings(**moving.common("g_swm", **(known | changes)))


def model(**changes: Any) -> GSWM:
    given = moving.given(SIDE, channels=3, frames=FRAMES)
    made: GSWM = sliding.ready(build(settings(**changes), given))
    last = _of(made.discovery[-1])
    with torch.no_grad():  # so that something is discovered
        last.bias[2 * (5 + LOOKS)] = 3.0
    return made


def some(count: int = COUNT, **changes: Tensor) -> Objects:
    """Return objects of any make, all of them there."""
    widths = (5 + LOOKS, 1, DYNAMICS, *[HIDDEN] * 4)
    drawn = [
        generator(0, "object", place).normal((ROWS, count, width))
        for place, width in enumerate(widths)
    ]
    there = {"presence": torch.ones(ROWS, count, 1)}
    return Objects(*drawn)._replace(**(there | changes))


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def convolution(inputs: int, outputs: int, side: int) -> int:
    return side * side * inputs * outputs + outputs


def test_the_weights_are_those_of_its_layers() -> None:
    attributes = 5 + LOOKS
    known = attributes + 1 + DYNAMICS

    def perceptron(inputs: int, outputs: int) -> int:
        return linear(inputs, HIDDEN) + linear(HIDDEN, outputs)

    discovery = convolution(6, WIDE, 4) + convolution(WIDE, WIDE, 4) + convolution(WIDE, WIDE, 3)
    discovery += convolution(WIDE, 2 * attributes + 1 + 2 * DYNAMICS, 1)
    others = perceptron(2 * known, HIDDEN + 1)
    glance = convolution(3, WIDE, 4) + linear(16 * WIDE, HIDDEN)

    def course(inputs: int) -> int:
        cell = 4 * (inputs * HIDDEN + HIDDEN * HIDDEN + 2 * HIDDEN)
        change = perceptron(HIDDEN + DYNAMICS, 2 * attributes + 1)
        return cell + perceptron(HIDDEN, 2 * DYNAMICS) + change

    looks = linear(LOOKS, 16 * WIDE) + convolution(WIDE, WIDE, 4) + convolution(WIDE, 4, 3)
    wanted = discovery + others + glance + linear(HIDDEN, 4) + looks
    wanted += course(known + HIDDEN) + course(known + 2 * HIDDEN)
    assert model().trainable() == wanted


def test_a_frame_is_what_objects_and_a_black_ground_show() -> None:
    built, objects = model(), some()
    shown = built.frames(objects)
    assert shown.masks.shape == (ROWS, COUNT + 1, SIDE, SIDE)
    torch.testing.assert_close(shown.masks.sum(dim=1), torch.ones(ROWS, SIDE, SIDE))
    assert (shown.colours[:, -1] == 0).all()
    colours, opacity = built.frames.drawn(objects)
    near = opacity * (-objects.attributes[..., 4, None, None]).sigmoid()
    shares = near / (near.sum(dim=1, keepdim=True) + 1e-6)
    wanted = ((shares * opacity)[:, :, None] * colours).sum(dim=1)
    torch.testing.assert_close(shown.frame, wanted)
    gone = some(presence=torch.zeros(ROWS, COUNT, 1))
    assert built.frames(gone).frame.abs().max() == 0


def test_the_nearest_of_two_objects_hides_the_other() -> None:
    built = model()
    objects = some(2)
    same = objects.attributes[:, :1, :4].expand(-1, 2, -1)
    apart = torch.tensor([-8.0, 8.0])[None, :, None].expand(ROWS, -1, -1)
    attributes = torch.cat([same, apart, objects.attributes[..., 5:]], dim=2)
    masks = built.frames(objects._replace(attributes=attributes)).masks
    opacity = built.frames.drawn(objects._replace(attributes=attributes))[1]
    torch.testing.assert_close(masks[:, 0], opacity[:, 0], atol=1e-3, rtol=1e-2)
    assert masks[:, 1].max() < 1e-2


def test_presences_diverge_as_bernoulli_variables_do() -> None:
    logits, other = torch.tensor([-3.0, 0.0, 5.0]), torch.tensor([1.0, -2.0, 5.0])
    one, two = (torch.distributions.Bernoulli(logits=each) for each in (logits, other))
    wanted = torch.distributions.kl_divergence(one, two)
    torch.testing.assert_close(bernoulli_divergence(logits, other), wanted)
    assert bernoulli_divergence(torch.tensor(200.0), torch.tensor(-200.0)).isfinite()


def test_an_object_hears_of_others_that_are_there_and_not_of_itself() -> None:
    others = Others(3, 4)
    initialization.initialize(others, generator(0, "weights"))
    known, presence = generator(0, "known").normal((1, 3, 3)), torch.tensor([[[1.0], [1.0], [0.0]]])
    told = others(known, presence)
    changed = known.clone()
    changed[:, 2] += 1  # is not there
    assert torch.equal(others(changed, presence)[:, :2], told[:, :2])
    assert (others(known, torch.tensor([[[1.0], [0.0], [0.0]]]))[:, 0] == 0).all()
    pair = others.pairs(torch.cat([known[:, 0], known[:, 1]], dim=1))[:, 1:]
    torch.testing.assert_close(told[:, 0], pair)


def test_what_is_covered_is_the_share_that_others_have() -> None:
    own, other = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    own[0, 0, :2], own[0, 1, :, 0] = 1, 0.5
    other[0, 0, 0], other[0, 1, 0] = 1, 1
    torch.testing.assert_close(covered(own, other), torch.tensor([[0.5, 0.25]]))


def test_cells_discover_objects_that_lie_in_them() -> None:
    built = model()
    drawn = torch.zeros(1, GRID**2, 5 + LOOKS)
    found = boxes(built._in_cells(drawn))
    torch.testing.assert_close(found[..., :2], torch.full((1, 4, 2), 0.05 + 0.95 * 0.3))
    middles = 0.99 * torch.tensor([(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)])
    torch.testing.assert_close(found[0, :, 2:], middles)
    drawn[..., 2], drawn[..., 3] = 100, -100
    edges = 0.99 * (middles / 0.99 + torch.tensor([0.5, -0.5]))
    torch.testing.assert_close(boxes(built._in_cells(drawn))[0, :, 2:], edges)


def plain(**changes: Any) -> GSWM:
    """Return one whose cells all discover the same opaque thing in their middle."""
    built = model(**({"objects": GRID**2} | changes))
    last, drawn = _of(built.discovery[-1]), _of(built.frames.looks[-2])
    with torch.no_grad():
        for layer in (last, drawn):
            layer.weight.zero_()
        last.bias.zero_()[2 * (5 + LOOKS)] = 1.0
        drawn.bias.fill_(10.0)
    return built


class _Layer(Protocol):
    weight: Tensor
    bias: Tensor


def _of(layer: Any) -> _Layer:
    """Return a layer, which has a bias."""
    found: _Layer = layer
    return found


@pytest.mark.parametrize(("rejection", "cells"), [(0.5, [0, 1, 2, 3]), (0.999, [0, 0, 1, 2])])
def test_what_known_objects_cover_is_not_discovered_again(
    rejection: float, cells: list[int]
) -> None:
    built, x_BCHW = plain(rejection=rejection), sliding.clips()[:, :, 0]
    first = built.encode(x_BCHW[:, :, None]).objects
    middles = boxes(first.attributes)[0, :, 2:]
    assert (first.presence == 1).all()
    alone = first._replace(presence=first.presence * torch.tensor([1.0, 0, 0, 0])[:, None])
    again, _ = built._discovered(alone, x_BCHW, 1, CERTAIN)
    torch.testing.assert_close(boxes(again.attributes)[0, :, 2:], middles[cells])


def test_the_most_present_are_kept_and_their_order() -> None:
    known = some(presence=torch.tensor([[0.9], [0.1], [0.4]]).expand(ROWS, -1, -1))
    new = some()
    new = new._replace(
        attributes=-new.attributes,
        presence=torch.tensor([[0.2], [0.8], [0.3]]).expand(ROWS, -1, -1),
    )
    found = most_present(known, new)
    assert found.presence[0, :, 0].tolist() == pytest.approx([0.9, 0.4, 0.8])
    for place, wanted in enumerate((known, known, new)):
        row = (0, 2, 1)[place]
        torch.testing.assert_close(found.known[:, place], wanted.known[:, row])


def test_all_that_is_drawn_costs_by_name_and_no_frame_an_earlier_one() -> None:
    built, x_BCTHW, noise = model().double(), sliding.clips().double(), sliding.Repeated(ROWS)
    found = built.terms(x_BCTHW, 0, noise)
    assert set(found.kl) == NAMES
    for kl in found.kl.values():
        assert (kl > 0).all()
    after = built.terms(moving.perturbed(x_BCTHW, 2), 0, noise)
    for one, other in ((found.nll, after.nll), (found.kl["dynamics"], after.kl["dynamics"])):
        moved = ((one - other).abs() > 1e-9).any(dim=0)
        assert moved.tolist() == [frame >= 2 for frame in range(FRAMES)]


def test_the_first_frame_costs_what_is_discovered_in_it() -> None:
    built, x_BCTHW = plain().double(), sliding.clips(frames=1).double()
    found = built.terms(x_BCTHW, 0, sliding.Repeated(ROWS))
    # Every cell says N(0, softplus(0)^2), and presence with a logit of 1 where 0.1 is expected.
    deviation = math.log(2)
    each = 0.5 * (deviation**2 - 1) - math.log(deviation)
    sure = torch.distributions.Bernoulli(logits=torch.tensor(1.0))
    rare = torch.distributions.Bernoulli(torch.tensor(0.1))
    presence = float(torch.distributions.kl_divergence(sure, rare))
    kept = built_presence(built, x_BCTHW)
    for name, count in {"where": 4, "depth": 1, "what": LOOKS, "dynamics": DYNAMICS}.items():
        torch.testing.assert_close(found.kl[name][:, 0], count * each * kept, rtol=1e-5, atol=1e-5)
    wanted = torch.full((ROWS,), GRID**2 * presence).double()
    torch.testing.assert_close(found.kl["presence"][:, 0], wanted, rtol=1e-5, atol=1e-5)


def built_presence(built: GSWM, x_BCTHW: Tensor) -> Tensor:
    """Return how many cells (B,) discover something under the repeated noise."""
    yes, no = sliding.Repeated(ROWS).gumbel("discovered presence", 0, (GRID**2, 1, 2)).unbind(-1)
    return (1 + yes - no > 0).double().sum(dim=(1, 2))


@pytest.mark.parametrize("propagations", [1, 3])
def test_propagations_are_that_many_and_their_costs_add_up(propagations: int) -> None:
    x_BCTHW, noise = sliding.clips().double(), sliding.Repeated(ROWS)
    built = model(propagations=propagations).double()
    objects = built.encode(x_BCTHW[:, :, :1]).objects
    drawing, x_BCHW = Drawing(1.0, soft=False, noise=noise), x_BCTHW[:, :, 1]
    costs = torch.zeros(ROWS).double()
    for step in range(propagations):
        objects, cost = built._propagated(objects, x_BCHW, f"{step}", 1, drawing)
        costs = costs + cost["dynamics"]
    objects, cost = built._discovered(objects, x_BCHW, 1, drawing)
    found = built.terms(x_BCTHW[:, :, :2], 1, noise)
    torch.testing.assert_close(found.kl["dynamics"][:, 0], costs + cost["dynamics"])
    error = built.frames(objects).frame - x_BCHW
    nll = error.square().sum(dim=(1, 2, 3)) / 0.08
    nll = nll + error[0].numel() * math.log(0.2 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(found.nll[:, 0], nll)


def test_clips_are_followed_without_chance() -> None:
    built, x_BCTHW = model(), sliding.clips()
    found = built.follow(x_BCTHW, 2)
    assert found.modules is None
    assert found.rendered.masks.shape == (ROWS, FRAMES, COUNT + 1, SIDE, SIDE)
    assert found.refined.masks.shape == (ROWS, FRAMES - 1, 2, COUNT + 1, SIDE, SIDE)
    for one, other in zip(found.rendered, found.refined, strict=True):
        torch.testing.assert_close(one[:, 1:], other[:, :, -1])
    twice = model(propagations=2)
    shown = twice.frames(twice.encode(x_BCTHW).objects).frame
    torch.testing.assert_close(found.rendered.frame[:, -1], shown, rtol=1e-4, atol=1e-5)


def test_a_future_goes_on_by_the_prior() -> None:
    built, noise = model(), sliding.Repeated(ROWS)
    state = built.encode(sliding.clips()[:, :, :2])
    frame, after = built.advance(state, 2, DRAWN, noise)
    objects, costs = built._propagated(
        state.objects, None, "0", 2, Drawing(1.0, soft=False, noise=noise)
    )
    assert costs == {}
    torch.testing.assert_close(after.objects.attributes, objects.attributes)
    torch.testing.assert_close(frame, built.frames(objects).frame)
    assert torch.equal(after.objects.seen, state.objects.seen)


def test_a_future_does_not_depend_on_what_else_is_asked_for() -> None:
    built = model()
    known = Context(sliding.pictures()[:, :2], [10, 11, 12])
    draws = Draws.each(0, known.numbers, range(WIDTH // 2))
    together = built.predict(known, 3, DRAWN, draws).frames
    for rows in ([3], [WIDTH + 1, 0]):
        assert torch.equal(built.predict(known, 3, DRAWN, draws.of(rows)).frames, together[rows])
    nothing = Context(known.frames[:, :0], known.numbers)
    with pytest.raises(UserError, match="cannot generate clips from nothing"):
        built.predict(nothing, 1, DRAWN, draws)
    with pytest.raises(UserError, match="GSWM has no modules"):
        built.roll(sliding.clips(), torch.zeros(1), DRAWN, sliding.Repeated(ROWS))


def test_presence_is_relaxed_in_training_alone() -> None:
    built, x_BCTHW = model(), sliding.clips()
    seen: list[Tensor] = []
    built.frames.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].presence))
    built.terms(x_BCTHW, 0, sliding.Repeated(ROWS))
    assert all(((each == 0) | (each == 1)).all() for each in seen)
    seen.clear()
    built.train().terms(x_BCTHW, 0, sliding.Repeated(ROWS))
    assert ((seen[-1] > 0) & (seen[-1] < 1)).all()


def test_a_short_training_lowers_the_loss(tmp_path: Path) -> None:
    built = build(settings(view=moving.view(frames=3)), moving.given(16, frames=3))
    found = moving.losses(built, tmp_path)
    assert sum(found[-6:]) < 0.85 * sum(found[:6])  # 0.755, of noisy steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"glimpse": 6}, "glimpse is 6, but its rows are halved down to 4"),
        ({"glimpse": 2}, "glimpse is 2"),
        ({"objects": 5}, "objects is 5, but 4 cells discover one each"),
        ({"propagations": 0}, "greater than or equal to 1"),
        ({"view": moving.view(scaling="symmetric")}, "view.scaling is symmetric"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**changes)


@pytest.mark.parametrize(("rows", "columns"), [(8, 16), (12, 12), (9, 9)])
def test_frames_that_have_no_such_grid_are_refused(rows: int, columns: int) -> None:
    with pytest.raises(
        UserError, match=rf"square frames of 2 x 1, 2, 4, .* not {rows} x {columns}"
    ):
        build(settings(), moving.given(rows, columns, channels=3))
