"""Laws of every prior: causality, likelihood, condition, file format; exact sizes of the thesis."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foreframe import priors
from foreframe.errors import UserError
from foreframe.priors import AutoregressivePrior, Codes, Prior
from foreframe.randomness import generator
from tests.foreframe.priors import tiny

FEW = settings(max_examples=15, deadline=None)
THESIS_TOP = {"channels": 256, "blocks": 5, "key_channels": 16, "value_channels": 128}


def parameters(prior: Prior) -> int:
    return sum(parameter.numel() for parameter in prior.parameters())


# ---- sizes


@pytest.mark.parametrize(("layers", "count"), [(4, 33888896), (6, 49625216), (8, 65361536)])
def test_the_top_prior_has_the_size_of_the_thesis(layers: int, count: int) -> None:
    settings = tiny.top_settings(**THESIS_TOP, residual_layers=layers)
    with torch.device("meta"):
        assert parameters(priors.build(settings, Codes((4, 32, 32), 512), {})) == count


@pytest.mark.parametrize(
    ("width", "layers", "blocks", "condition_layers", "count"),
    [
        (128, 2, 5, 15, 101606144),
        (128, 5, 2, 15, 101507072),
        (256, 1, 3, 7, 102430976),
        (256, 1, 2, 23, 102301696),
    ],
)
def test_the_bottom_prior_has_the_size_of_the_thesis(
    width: int, layers: int, blocks: int, condition_layers: int, count: int
) -> None:
    settings = tiny.bottom_settings(
        channels=width,
        residual_layers=layers,
        blocks=blocks,
        condition_layers=condition_layers,
        condition_channels=64,
        kernel=(3, 7, 7),
        condition_kernel=(3, 7, 7),
    )
    conditions = {"top": Codes((4, 32, 32), 512)}
    with torch.device("meta"):
        assert parameters(priors.build(settings, Codes((8, 64, 64), 512), conditions)) == count


@FEW
@generated(data=st.data())
def test_the_bottom_prior_has_the_size_of_its_formula(data: st.DataObject) -> None:
    odd = st.sampled_from([1, 3, 5])
    f, r, s, q, c, v = (data.draw(st.integers(1, 5)) for _ in range(6))
    kernel = tuple(data.draw(odd) for _ in range(3))
    tau = math.prod(kernel)
    settings = tiny.bottom_settings(
        channels=f,
        residual_layers=r,
        blocks=s,
        condition_layers=q,
        condition_channels=c,
        kernel=kernel,
        condition_kernel=kernel,
    )
    with torch.device("meta"):
        prior = priors.build(settings, Codes((2, 2, 2), v), {"top": Codes((1, 1, 1), v)})
    body = (8 * v * f + f) + s * (r * (3 * tau * f * f + 3 * f) + 2 * (f * f + f)) + (v * f + v)
    enlarging = (36 * v * c + c) + (48 * c * c + c) + (27 * c * c + c)
    stack = q * (3 * tau * c * c + 3 * c) + (c * f + f)
    assert parameters(prior) == body + enlarging + stack


# ---- causality


def changed(prior: AutoregressivePrior, position: int) -> torch.Tensor:
    """Return for each position whether its logits move with the code at `position`."""
    codes = tiny.codes(prior, 1)
    other = codes.clone()
    other.view(-1)[position] = (other.view(-1)[position] + 1) % prior.codebook_size
    condition = tiny.condition(prior, 1)
    with torch.no_grad():
        before, after = (prior.logits(ids, condition) for ids in (codes, other))
    return (before != after).any(dim=1).flatten()


@FEW
@generated(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(1, 2),
    blocks=st.integers(1, 2),
    data=st.data(),
)
def test_a_code_of_the_top_moves_every_later_position_and_no_other(
    grid: priors.Grid, layers: int, blocks: int, data: st.DataObject
) -> None:
    prior = tiny.top(grid, residual_layers=layers, blocks=blocks)
    count = math.prod(grid)
    position = data.draw(st.integers(0, count - 1))
    changes = changed(prior, position)
    assert not changes[: position + 1].any()
    # One position later a kernel or, at the start of a row, attention sees it. Attention to a
    # single position, however, is the same whatever that position holds as its key.
    if position + 2 < count:
        assert changes[position + 1 :].any()


@FEW
@generated(
    half=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    layers=st.integers(1, 2),
    data=st.data(),
)
def test_a_code_of_the_bottom_moves_no_position_up_to_it(
    half: priors.Grid, kernel: priors.Grid, layers: int, data: st.DataObject
) -> None:
    prior = tiny.bottom(half, kernel=kernel, residual_layers=layers)
    position = data.draw(st.integers(0, math.prod(prior.grid) - 1))
    changes = changed(prior, position)
    assert not changes[: position + 1].any()
    if (position + 1) % prior.grid[2]:
        # The next position of the row sees it through the input layer.
        assert changes[position + 1]


@pytest.mark.parametrize("layers", [4, 6, 8])
def test_depth_opens_no_leak(layers: int) -> None:
    prior = tiny.top((2, 3, 3), residual_layers=layers, blocks=5)
    for position in range(18):
        assert not changed(prior, position)[: position + 1].any()


@pytest.mark.parametrize("prior", [tiny.top(), tiny.bottom()], ids=["top", "bottom"])
def test_fewer_code_frames_give_the_same_logits(prior: AutoregressivePrior) -> None:
    codes, condition = tiny.codes(prior, 2), tiny.condition(prior, 2)
    with torch.no_grad():
        whole = prior.logits(codes, condition)
        part = prior.logits(codes[:, :1], condition)
    torch.testing.assert_close(part, whole[:, :, :1])


@pytest.mark.parametrize("prior", [tiny.top(), tiny.bottom()], ids=["top", "bottom"])
def test_an_unknown_code_is_no_code(prior: AutoregressivePrior) -> None:
    codes, condition = tiny.codes(prior, 1), tiny.condition(prior, 1)
    known = torch.zeros(prior.grid, dtype=torch.bool)
    with torch.no_grad():
        absent = prior.logits(codes, condition, known)
        zeros = prior.logits(torch.zeros_like(codes), condition)
        other = prior.logits(torch.full_like(codes, 3), condition, known)
    assert torch.equal(absent, other)
    assert not torch.equal(absent, zeros)


# ---- likelihood


@pytest.mark.parametrize("prior", [tiny.top(), tiny.bottom()], ids=["top", "bottom"])
def test_log_probabilities_are_those_of_a_softmax(prior: AutoregressivePrior) -> None:
    codes, condition = tiny.codes(prior, 2), tiny.condition(prior, 2)
    with torch.no_grad():
        log_probs = prior.log_prob(codes, condition)
        expected = prior.logits(codes, condition).log_softmax(dim=1)
    assert log_probs.shape == codes.shape and (log_probs <= 0).all()
    torch.testing.assert_close(log_probs, expected.gather(1, codes[:, None])[:, 0])


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_an_untrained_prior_knows_nothing(level: str) -> None:
    size = 64
    prior = getattr(tiny, level)(size=size, channels=16)
    prior.initialize(generator(1, "weights"))
    codes = tiny.codes(prior, 4)
    with torch.no_grad():
        nll = -prior.log_prob(codes, tiny.condition(prior, 4)).mean().item()
    assert nll == pytest.approx(math.log(size), abs=0.1)


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_one_batch_can_be_learned_by_heart(level: str) -> None:
    prior = getattr(tiny, level)(channels=16).train()
    codes, latents = tiny.codes(prior, 2), tiny.given(prior, 2)
    optimizer = torch.optim.AdamW(prior.parameters(), lr=0.01)
    for _ in range(150):
        loss = -prior.log_prob(codes, prior.condition(latents)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * math.log(prior.codebook_size)


# ---- the condition


@pytest.mark.parametrize(("conditioning", "moves"), [("input", True), ("none", False)])
def test_the_condition_has_an_effect_only_where_it_is_added(conditioning: str, moves: bool) -> None:
    prior = tiny.bottom(conditioning=conditioning)
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    other = {"top": (latents["top"] + 1) % 5}
    with torch.no_grad():
        before, after = (prior.log_prob(codes, prior.condition(top)) for top in (latents, other))
    assert torch.equal(before, after) != moves


@pytest.mark.parametrize(("conditioning", "reached"), [("input", True), ("none", False)])
def test_gradients_reach_the_stack_only_where_it_is_added(conditioning: str, reached: bool) -> None:
    prior = tiny.bottom(conditioning=conditioning)
    codes = tiny.codes(prior, 1)
    prior.log_prob(codes, prior.condition(tiny.given(prior, 1))).sum().backward()
    stack = [value.grad for name, value in prior.named_parameters() if name.startswith("stack")]
    assert stack
    assert all((gradient is not None) == reached for gradient in stack)
    rest = [value.grad for name, value in prior.named_parameters() if not name.startswith("stack")]
    assert all(gradient is not None for gradient in rest)


def test_the_first_position_sees_the_whole_condition_around_it() -> None:
    prior = tiny.bottom((2, 2, 2), condition_kernel=(3, 3, 3), condition_layers=2)
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    other = {"top": latents["top"].clone()}
    other["top"][0, -1, -1, -1] = (other["top"][0, -1, -1, -1] + 1) % 5
    with torch.no_grad():
        before, after = (prior.logits(codes, prior.condition(top)) for top in (latents, other))
    assert (before != after).any(dim=1)[0, 0, 0, 0]


def test_a_condition_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="grid of half its size"):
        priors.build(tiny.bottom_settings(), Codes((4, 4, 4), 7), {"top": Codes((2, 2, 3), 5)})


# ---- settings and files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": (3, 4, 3)}, "kernel is .* must be odd"),
        ({"condition_kernel": (2, 3, 3)}, "condition_kernel is .* must be odd"),
        ({"condition_on": ()}, "condition_on"),
        ({"condition_on": ("top", "middle")}, "condition_on"),
        ({"conditioning": "output"}, "conditioning"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.bottom_settings(**change)


def test_the_top_prior_is_given_no_other_level() -> None:
    with pytest.raises(ValidationError, match="condition_on"):
        tiny.top_settings(condition_on=("bottom",))


def test_the_attention_scale_can_be_that_of_its_input() -> None:
    scales = {
        name: tiny.top(attention_scale=name).trunk.blocks[0].attention.scale  # type: ignore[union-attr, index]
        for name in ("key", "input")
    }
    assert scales == {"key": 0.5, "input": pytest.approx(12**-0.5)}
