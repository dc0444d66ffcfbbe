"""Critics of clips: their levels, what they are told of flow, and that a clip is judged alone."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from foreframe.networks.clip_critics import ClipCritic, CriticSettings, Inverse, PairCritic
from foreframe.networks.clip_features import ClipFeatures, ClipVectors, Design, Level
from foreframe.networks.flow_field import correlation
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

Layer = Literal["convolution", "volume", "recurrent"]
NAMES: dict[str, Layer] = {"c": "convolution", "v": "volume", "r": "recurrent"}
# For frames of 120 rows.
FIRST = ("cccrcrc", (32, 64, 128, 128, 256, 256, 512))
BEST = ("vvvrr", (64, 128, 128, 256, 256))
CORRELATION = Inverse(form="correlation", kappa=3, levels=1, widths=())
RELATION = Inverse(form="relation", kappa=3, levels=1, widths=(5, 4))


def levels(names: str, widths: Sequence[int]) -> tuple[Level, ...]:
    pairs = zip(names, widths, strict=True)
    return tuple(Level(layer=NAMES[name], width=width) for name, width in pairs)


def settings(names: str = "cvrr", **changes: Any) -> CriticSettings:
    widths = range(3, 3 + len(names))
    values: dict[str, Any] = {"levels": levels(names, widths), "pads_time": True, "inverse": None}
    return CriticSettings(**(values | changes))


def critic(chosen: CriticSettings, rows: int = 16) -> ClipCritic:
    made = ClipCritic((1, rows, rows), chosen)
    initialize(made, generator(0, "weights"))
    return made


def clips(rows: int = 3, frames: int = 6, side: int = 16) -> Tensor:
    return generator(1, "clips").normal((rows, 1, frames, side, side))


def convolution(inputs: int, outputs: int, taps: int = 9) -> int:
    """Return the weights of a convolution, with a bias and the lengths that are normalised."""
    return taps * inputs * outputs + 2 * outputs


def recurrent(inputs: int, outputs: int, side: int) -> int:
    kernel = 9 if side > 1 else 1
    gates = 4 * outputs
    inward = 9 * inputs * gates + gates  # and its lengths
    return inward + kernel * outputs * gates + gates + 2 * outputs * side**2


def count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def test_the_first_critic_has_the_weights_of_its_layers() -> None:
    with torch.device("meta"):
        made = ClipCritic((1, 120, 120), settings(FIRST[0], levels=levels(*FIRST)))
        assert made(torch.empty(2, 1, 5, 120, 120)).shape == (2,)
    wanted = (
        convolution(1, 32)
        + convolution(32, 64)
        + convolution(64, 128)
        + recurrent(128, 128, 8)
        + convolution(128, 256)
        + recurrent(256, 256, 2)
        + convolution(256, 512)
        + 512
        + 2
    )
    assert made.after.shape == (512, 1, 1)
    assert count(made) == wanted


def test_the_best_critic_has_the_weights_of_its_layers() -> None:
    with torch.device("meta"):
        made = ClipCritic((1, 120, 120), settings(BEST[0], levels=levels(*BEST)))
        assert made(torch.empty(2, 1, 10, 120, 120)).shape == (2,)
    wanted = (
        convolution(1, 64, 27)
        + convolution(64, 128, 27)
        + convolution(128, 128, 27)
        + recurrent(128, 256, 8)
        + recurrent(256, 256, 4)
        + 256 * 4 * 4
        + 2
    )
    assert made.after.shape == (256, 4, 4)
    assert count(made) == wanted


@pytest.mark.parametrize(("padded", "steps"), [(True, 6), (False, 2)])
def test_volumes_keep_the_steps_or_lose_two_each(padded: bool, steps: int) -> None:
    chosen = settings("vvc", pads_time=padded)
    made = critic(chosen)
    assert made.after(clips().transpose(1, 2)).shape == (3, steps, 5, 2, 2)
    assert chosen.least == (1 if padded else 5)
    assert made(clips(frames=chosen.least)).shape == (3,)


def test_a_volume_sees_the_frames_beside_and_a_recurrent_level_those_before() -> None:
    for names, moved in (("v", [2, 3, 4]), ("r", [3, 4, 5]), ("c", [3])):
        made, x_BCTHW = critic(settings(names)), clips()
        other = x_BCTHW.clone()
        other[:, :, 3] += 1
        before, after = (made.after(x.transpose(1, 2)) for x in (x_BCTHW, other))
        differ = (before != after).flatten(2).any(dim=2).all(dim=0)
        assert differ.nonzero().flatten().tolist() == moved


def test_the_last_step_decides() -> None:
    made = critic(settings("cr"))
    logit = made(clips())
    wanted = made.judge(made.after(clips().transpose(1, 2))[:, -1].flatten(1))[:, 0]
    torch.testing.assert_close(logit, wanted)


@pytest.mark.parametrize("inverse", [None, CORRELATION, RELATION])
def test_a_clip_is_judged_by_itself_and_by_every_frame(inverse: Inverse | None) -> None:
    made, x_BCTHW = critic(settings(inverse=inverse)).double(), clips().double()
    together = made(x_BCTHW)
    torch.testing.assert_close(torch.cat([made(row[None]) for row in x_BCTHW]), together)
    for frame in range(6):
        other = x_BCTHW.clone()
        other[:, :, frame] += 1
        assert (made(other) != together).all()


def test_it_is_told_the_flow_from_the_features_before_to_those_of_each_step() -> None:
    made, seen = critic(settings(inverse=CORRELATION)), []
    made.after.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    made(clips())
    features = made.before(clips().transpose(1, 2))
    told_BTXHW = seen[0]
    torch.testing.assert_close(told_BTXHW[:, :, :3], features)
    assert not told_BTXHW[:, 0, 3:].any()
    for step in range(1, 6):
        wanted = correlation(features[:, step - 1], features[:, step], 3)
        torch.testing.assert_close(told_BTXHW[:, step, 3:], wanted)


def test_a_relation_is_between_the_same_features_and_learns() -> None:
    made, seen = critic(settings(inverse=RELATION)), []
    assert made.field is not None and made.field.relation is not None
    made.field.relation.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    made(clips()).sum().backward()
    features = made.before(clips().transpose(1, 2))
    torch.testing.assert_close(seen[0][0].unflatten(0, (3, 5)), features[:, :-1])
    torch.testing.assert_close(seen[0][1].unflatten(0, (3, 5)), features[:, 1:])
    assert all(each.grad is not None for each in made.field.parameters())


def test_all_weights_are_normalised_but_those_from_state_to_state() -> None:
    made = critic(settings(inverse=RELATION))
    plain = {
        name
        for name, part in made.named_modules()
        if isinstance(getattr(part, "weight", None), Tensor)
        and not parametrize.is_parametrized(part)
    }
    assert plain == {"after.levels.1.cell.between", "after.levels.2.cell.between"}


DESIGN = Design(kernel=4, normalized=False, recurrent_norm=False, pads_time=True)


def pairs() -> PairCritic:
    vectors = ClipVectors((1, 16, 16), levels("cr", (3, 4)), 6, DESIGN)
    made = PairCritic(vectors, 5, (7, 8), (9, 10))
    initialize(made, generator(0, "weights"))
    return made


def test_a_pair_is_judged_by_both_and_by_itself() -> None:
    made, z_BZ = pairs().double(), generator(2, "z").normal((3, 5)).double()
    x_BCTHW = clips().double()
    logits = made(x_BCTHW, z_BZ)
    assert logits.shape == (3,)
    assert (made(x_BCTHW, z_BZ + 1) != logits).all()
    assert (made(x_BCTHW + 1, z_BZ) != logits).all()
    alone = [made(x[None], z[None]) for x, z in zip(x_BCTHW, z_BZ, strict=True)]
    torch.testing.assert_close(torch.cat(alone), logits)


def test_a_vector_sees_the_lowest_level_as_a_whole() -> None:
    made: Any = ClipVectors((1, 16, 16), levels("cr", (3, 4)), 6, DESIGN)
    assert made.features.shape == (4, 4, 4)
    assert made.top.cell.inward.kernel_size == (4, 4)
    initialize(made, generator(0, "weights"))
    assert made(clips().transpose(1, 2)).shape == (3, 6, 6)


def test_logits_keep_their_digits_where_networks_compute_in_few() -> None:
    made, pair = critic(settings()), pairs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(clips()), pair(clips(), generator(2, "z").normal((3, 5)))
    assert [each.dtype for each in found] == [torch.float32] * 2


def test_encoders_normalise_over_the_batch() -> None:
    design = Design(kernel=3, normalized=True, recurrent_norm=True, pads_time=True)
    made = ClipFeatures((1, 16, 16), levels("cvr", (3, 4, 5)), design)
    names = [type(part).__name__ for part in made.modules()]
    assert [names.count(name) for name in ("BatchNorm2d", "BatchNorm3d", "_Small")] == [1, 1, 3]
    initialize(made, generator(0, "weights"))
    seen: list[Tensor] = []
    made.levels[1].layers[1].register_forward_hook(lambda _, __, out: seen.append(out))  # type: ignore[index,union-attr]
    made.train()(clips().transpose(1, 2))
    torch.testing.assert_close(seen[0].mean(dim=(0, 2, 3, 4)), torch.zeros(4), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kappa": 4}, "kappa is 4, but a patch has a middle"),
        ({"form": "relation"}, "Give a relation one or more"),
        ({"widths": (4,)}, "and a correlation none"),
    ],
)
def test_an_inverse_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Inverse(**(CORRELATION.model_dump() | changes))


def test_an_inverse_after_the_last_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"inverse\.levels is 1 of 1 levels"):
        settings("c", inverse=CORRELATION)
