"""Feature Flow: its size, what flows, which frames it sees, and its futures."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.flow_field import flow
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.feature_flow import FeatureFlow, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import moving
from tests.foreframe.predictors.flowing import (
    CLOSED,
    FRAMES,
    OPTIONS,
    WHOLE,
    clips,
    context,
    model,
    settings,
)
from tests.foreframe.predictors.moving import Repeated

CENTRE = 4  # of 3 x 3 displacements
SURE = 1e4


def surely(built: FeatureFlow, place: int) -> None:
    """Let all fixels go by one displacement."""
    with torch.no_grad():
        built.generator.field.weight.zero_()
        bias = built.generator.field.bias
        assert bias is not None
        bias.zero_()[place] = SURE


def masked(built: FeatureFlow, logit: float) -> None:
    """Let the mask be the same everywhere."""
    with torch.no_grad():
        built.generator.rendered.weight[1:].zero_()
        bias = built.generator.rendered.bias
        assert bias is not None
        bias[1:] = logit


def convolution(inputs: int, outputs: int) -> int:
    """Return the weights of a 3x3 convolution without bias, and of the normalisation after it."""
    return 9 * inputs * outputs + 2 * outputs


def cell(width: int, side: int) -> int:
    return 2 * 9 * width * 4 * width + 4 * width + 2 * width * side**2


def count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_the_weights_are_those_of_its_layers() -> None:
    chosen = settings(WHOLE, view=moving.view(scaling="symmetric", frames=10), closed_frames=5)
    with torch.device("meta"):
        built = build(chosen, moving.given(120, frames=10))
    wanted = {
        "encoder": convolution(1, 64) + convolution(64, 128),
        "features_cell": cell(128, 30),
        "condition": convolution(128, 128)
        + convolution(128, 256)
        + convolution(256, 256)
        + convolution(256, 512)
        + convolution(512, 512),
        "flow": convolution(612, 512)
        + convolution(512, 256)
        + convolution(256, 256)
        + convolution(256, 128)
        + convolution(128, 64),
        "flow_cell": cell(64, 30),
        "field": 64 * 9 + 9,
        "decoder": convolution(128, 64) + convolution(64, 32),
        "rendered": 9 * 32 * 2 + 2,
    }
    parts = dict(built.generator.named_children())
    assert {name: count(part) for name, part in parts.items()} == wanted
    assert count(built.generator) == sum(wanted.values()) == 11_524_235


@pytest.mark.parametrize(
    ("rows", "encoder", "flow", "grid"),
    [
        (120, (2, 3), (2, 2, 2, 2, 2), 30),
        (120, (2, 3, 3), (2, 2, 2, 2), 15),
        (64, (2, 3), (2, 2, 2, 2), 16),
        (17, (2,), (2, 2, 2, 2), 9),
    ],
)
def test_frames_come_back_in_their_size_by_way_of_the_grid(
    rows: int, encoder: tuple[int, ...], flow: tuple[int, ...], grid: int
) -> None:
    widths = {"encoder": encoder, "condition": flow, "flow": flow, "decoder": encoder[::-1]}
    built = build(settings(widths), moving.given(rows))
    moving.drawn(built)
    x_BCTHW = torch.zeros(1, 1, 3, rows, rows)
    assert built.encode(x_BCTHW).last.fixels.shape == (1, 1, encoder[-1], grid, grid)
    assert built.played(x_BCTHW, Repeated(1)).made().shape == x_BCTHW.shape


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_frame_is_the_equation(recurrent: bool) -> None:
    built = model({"recurrent_features": recurrent, "recurrent_flow": recurrent})
    x_BCTHW, noise, made = clips()[:, :, :1], Repeated(4), built.generator
    frame, _ = built.advance(built.start(built.encode(x_BCTHW), OPTIONS, noise), 1, OPTIONS, noise)
    fixels = made.encoder(x_BCTHW[:, :, 0])
    if made.features_cell is not None:
        fixels = made.features_cell(fixels[:, None], None)[0][:, 0]
    assert made.condition is not None
    told = torch.cat([noise.normal("latent", 1, (3,)), made.condition(fixels).flatten(1)], dim=1)
    raised = made.flow(told[..., None, None])
    if made.flow_cell is not None:
        raised = made.flow_cell(raised[:, None], None)[0][:, 0]
    shown = made.rendered(made.decoder(flow(fixels, made.field(raised))))
    mask = shown[:, 1:].sigmoid()
    torch.testing.assert_close(frame, mask * x_BCTHW[:, :, 0] + (1 - mask) * shown[:, :1].tanh())


@pytest.mark.parametrize("normalized", [False, True])
def test_memories_may_be_normalised(normalized: bool) -> None:
    parts = [type(part).__name__ for part in model({"recurrent_norm": normalized}).modules()]
    assert parts.count("_Small") == (6 if normalized else 0)


def test_with_the_mask_at_1_the_frame_before_comes_back() -> None:
    built = model()
    masked(built, SURE)
    x_BCTHW = clips()
    played = built.played(x_BCTHW, Repeated(4))
    assert torch.equal(played.closed, x_BCTHW[:, :, : CLOSED - 1])
    assert torch.equal(played.open, x_BCTHW[:, :, CLOSED - 1 : CLOSED].expand(-1, -1, 3, -1, -1))
    assert played.errors()["open_error"] > 0


def test_with_all_mass_on_the_middle_frames_are_what_is_rendered_of_the_fixels() -> None:
    built = model()
    masked(built, -SURE)
    surely(built, CENTRE)
    x_BCTHW, made = clips()[:, :, :3], built.generator
    state = built.start(built.encode(x_BCTHW), OPTIONS, Repeated(4))
    frame, _ = built.advance(state, 3, OPTIONS, Repeated(4))
    wanted = made.rendered(made.decoder(state.last.fixels[:, 0]))[:, :1].tanh()
    torch.testing.assert_close(frame, wanted)
    surely(built, CENTRE + 1)
    shifted = functional.pad(state.last.fixels[:, 0], (1, -1))
    frame, _ = built.advance(state, 3, OPTIONS, Repeated(4))
    torch.testing.assert_close(frame, made.rendered(made.decoder(shifted))[:, :1].tanh())


@pytest.mark.parametrize("latents", ["each_frame", "each_clip", "none"])
@pytest.mark.parametrize("closed", [1, 3])
def test_what_is_trained_is_what_is_predicted(latents: str, closed: int) -> None:
    built = model(
        {"latents": latents, "latent_dim": 0 if latents == "none" else 3},
        closed_frames=closed,
        error_weight=0.0,
    )
    x_BCTHW, noise = clips(), Repeated(4)
    state = built.start(built.encode(x_BCTHW[:, :, :closed]), OPTIONS, noise)
    frames = []
    for time in range(closed, FRAMES):
        frame, state = built.advance(state, time, OPTIONS, noise)
        frames.append(frame)
    played = built.played(x_BCTHW, noise)
    torch.testing.assert_close(played.open, torch.stack(frames, dim=2))
    assert torch.equal(played.made()[:, :, :closed], x_BCTHW[:, :, :closed])


@pytest.mark.parametrize("time", range(FRAMES))
def test_closed_frames_are_predicted_of_true_ones_and_open_frames_of_made_ones(time: int) -> None:
    built, x_BCTHW = model(closed_frames=3).double(), clips().double()
    one, other = (built.played(x, Repeated(4)) for x in (x_BCTHW, moving.perturbed(x_BCTHW, time)))
    predicted, again = (torch.cat([each.closed, each.open], dim=2) for each in (one, other))
    moved = ((predicted - again).abs().flatten(3) > 1e-9).any(dim=3).all(dim=1).all(dim=0)
    known = time < 3  # no prediction sees a later frame
    assert moved.tolist() == [known and frame > time for frame in range(1, FRAMES)]


def test_a_future_is_one_whatever_else_is_asked_for_and_however_long() -> None:
    built, known = model(), context(3)
    draws = Draws.each(0, known.numbers, range(5))
    whole = built.predict(known, 4, OPTIONS, draws).frames
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 10
    rows = [7, 0, 3]
    alone = built.predict(known, 2, OPTIONS, draws.of(rows)).frames
    assert torch.equal(alone, whole[rows, :2])


@pytest.mark.parametrize(
    ("latents", "dimensions", "differ"),
    [("each_frame", 3, True), ("each_clip", 3, True), ("none", 0, False)],
)
def test_futures_differ_where_latents_are_drawn(
    latents: str, dimensions: int, differ: bool
) -> None:
    built, known = model({"latents": latents, "latent_dim": dimensions}), context(2, count=1)
    one, other = built.predict(known, 2, OPTIONS, Draws.each(0, [3], range(2))).frames
    assert torch.equal(one, other) is not differ


@pytest.mark.parametrize(("latents", "distinct"), [("each_frame", 4), ("each_clip", 1)])
def test_a_latent_is_new_for_each_frame_or_one_for_a_clip(latents: str, distinct: int) -> None:
    built = model({"latents": latents})
    told: list[Tensor] = []
    built.generator.flow.register_forward_pre_hook(lambda _, inputs: told.append(inputs[0]))
    built.played(clips(), Repeated(4))
    z_BTZ = torch.cat([each.unflatten(0, (4, -1))[:, :, :3, 0, 0] for each in told], dim=1)
    assert z_BTZ.shape == (4, 4, 3)
    assert len({tuple(z.tolist()) for z in z_BTZ[0]}) == distinct


@pytest.mark.parametrize("latents", ["each_frame", "each_clip"])
def test_a_temperature_is_what_latents_are_multiplied_by(latents: str) -> None:
    built, hot, x_BCTHW = model({"latents": latents}), Latents(temperature=2.0), clips()

    class Twice(Repeated):
        def normal(self, purpose: str, time: int, shape: Any) -> Tensor:
            return 2 * super().normal(purpose, time, shape)

    frames = []
    for options, noise in ((hot, Repeated(4)), (OPTIONS, Twice(4)), (OPTIONS, Repeated(4))):
        state = built.start(built.encode(x_BCTHW[:, :, :3]), options, noise)
        frames.append(built.advance(state, 3, options, noise)[0])
    torch.testing.assert_close(frames[0], frames[1])
    assert not torch.equal(frames[0], frames[2])


def test_memories_go_on_over_the_context() -> None:
    """The same last frame after others gives another future, by either memory alone."""
    x_BCTHW = clips()[:, :, :3]
    for features, of_flow in ((True, False), (False, True), (False, False)):
        built = model({"recurrent_features": features, "recurrent_flow": of_flow})
        frames = []
        for x in (x_BCTHW, moving.perturbed(x_BCTHW, 0)):
            state = built.start(built.encode(x), OPTIONS, Repeated(4))
            frames.append(built.advance(state, 3, OPTIONS, Repeated(4))[0])
        assert torch.equal(*frames) is not (features or of_flow)


def test_without_a_condition_noise_alone_says_where_fixels_go() -> None:
    built, noise = model({"condition": ()}), Repeated(4)
    state = built.start(built.encode(clips()[:, :, :3]), OPTIONS, noise)
    assert state.last.told.shape == (4, 1, 0)
    assert built.advance(state, 3, OPTIONS, noise)[0].shape == (4, 1, 16, 16)
    assert built.generator.flow[0].in_channels == 3
