"""Laws of the kind `causal_transformer`: causality, likelihood, conditions, size, learning."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from foreframe import priors
from foreframe.errors import UserError
from foreframe.networks import transformer
from foreframe.networks.initialization import initialize
from foreframe.priors import ACTIONS, AutoregressivePrior, Codes, Grid
from foreframe.randomness import generator
from tests.foreframe.priors import tiny, transformers

FEW = settings(max_examples=15, deadline=None)


def logits(prior: AutoregressivePrior, codes: Tensor, given: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return prior.logits(codes, prior.condition(given))


# ---- size


@FEW
@generated(data=st.data())
def test_the_size_is_that_of_the_formula(data: st.DataObject) -> None:
    heads, d, n, r, k, a, b = (data.draw(st.integers(1, 5)) for _ in range(7))
    f, (frames, rows, columns) = heads * d, (2, 3, 4)
    above = {"top": Codes((1, 3, 2), a), "middle": Codes((2, 1, 1), b)}
    chosen = transformers.settings(
        width=f, heads=heads, layers=n, mlp_ratio=r, condition_on=tuple(above), actions="input"
    )
    actions = tiny.actions((frames, rows, columns))
    with torch.device("meta"):
        prior = priors.build(chosen, Codes((frames, rows, columns), k), above, actions)
    tables = (k + 1 + frames + rows + columns + a + b) * f
    attention = (3 * f * f + 3 * f) + (f * f + f)
    mlp = (r * f * f + r * f) + (r * f * f + f)
    blocks = n * (attention + mlp + 2 * 2 * f)
    head = 2 * f + (f * k + k)
    driven = (2 * 2 * f + f) + (f * f + f)
    assert prior.trainable() == tables + blocks + head + driven


def test_gradients_reach_every_parameter() -> None:
    prior = transformers.driven()
    latents = tiny.given(prior, 4)
    prior.log_prob(tiny.codes(prior, 4), prior.condition(latents)).sum().backward()
    silent = [name for name, part in prior.named_parameters() if not _has_gradient(part)]
    assert not silent


def _has_gradient(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


# ---- causality


@FEW
@generated(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(1, 3),
    heads=st.sampled_from([1, 2, 4]),
    data=st.data(),
)
def test_a_code_moves_the_next_position_and_none_up_to_itself(
    grid: Grid, layers: int, heads: int, data: st.DataObject
) -> None:
    prior = transformers.prior(grid, layers=layers, heads=heads)
    count = math.prod(grid)
    position = data.draw(st.integers(0, count - 1))
    codes = tiny.codes(prior, 1)
    other = codes.clone()
    other.view(-1)[position] = (other.view(-1)[position] + 1) % prior.codebook_size
    moved = (logits(prior, codes, {}) != logits(prior, other, {})).any(dim=1).flatten()
    assert not moved[: position + 1].any()
    assert moved[position + 1 : position + 2].all()


def test_a_first_code_has_an_influence_on_the_last() -> None:
    prior = transformers.prior((3, 4, 4), layers=1)
    codes = tiny.codes(prior, 1)
    other = codes.clone()
    other[0, 0, 0, 0] = (other[0, 0, 0, 0] + 1) % prior.codebook_size
    moved = logits(prior, codes, {}) != logits(prior, other, {})
    assert moved[0, :, -1, -1, -1].all()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_fewer_code_frames_give_the_same_logits(frames: int) -> None:
    prior = transformers.driven()
    codes, given = tiny.codes(prior, 2), tiny.given(prior, 2)
    first = logits(prior, codes, given)[:, :, :frames]
    torch.testing.assert_close(logits(prior, codes[:, :frames], given), first)
    torch.testing.assert_close(logits(prior.shortened(frames), codes[:, :frames], given), first)


def test_an_unknown_code_is_no_code() -> None:
    prior = transformers.prior()
    codes, unknown = tiny.codes(prior, 1), torch.zeros((2, 2, 3), dtype=torch.bool)
    unknown[0, 0, 0] = True
    other = torch.full_like(codes, 3)
    other[0, 0, 0, 0] = codes[0, 0, 0, 0]
    zeros = torch.zeros_like(codes)
    zeros[0, 0, 0, 0] = codes[0, 0, 0, 0]
    with torch.no_grad():
        absent, same = (prior.logits(each, None, unknown) for each in (codes, other))
        first, code_zero = (prior.logits(each, None) for each in (codes, zeros))
    assert torch.equal(absent, same)
    # The second position sees the first code, which is known, and no other.
    assert torch.equal(absent[..., :2][:, :, 0, 0], first[..., :2][:, :, 0, 0])
    assert not torch.equal(absent, code_zero)


# ---- likelihood


def test_the_probabilities_of_all_grids_add_up_to_one() -> None:
    prior = transformers.prior((1, 1, 3), size=3, above={"top": Codes((1, 1, 1), 2)})
    every = torch.cartesian_prod(*[torch.arange(3)] * 3).view(27, 1, 1, 3)
    for code in range(2):
        above = {"top": torch.full((27, 1, 1, 1), code)}
        with torch.no_grad():
            found = prior.log_prob(every, prior.condition(above)).double()
        assert found.flatten(1).sum(dim=1).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_an_untrained_prior_knows_nothing() -> None:
    prior = transformers.prior(size=64, width=32)
    prior.initialize(generator(1, "weights"))
    with torch.no_grad():
        nats = -prior.log_prob(tiny.codes(prior, 16), None).mean().item()
    # Its logits have a variance of 1/3, which costs half of that.
    assert nats == pytest.approx(math.log(64) + 1 / 6, abs=0.1)


def test_a_rule_is_learned() -> None:
    """A code is the one before plus one; only the first is left to chance."""
    size, grid = 5, (2, 3, 3)
    prior = transformers.prior(grid, size=size, width=16)
    prior.initialize(generator(0, "weights"))

    def clips(first_B1: Tensor) -> Tensor:
        return ((first_B1 + torch.arange(18)) % size).unflatten(1, grid)

    optimizer = torch.optim.Adam(prior.parameters(), lr=0.01)
    for step in range(75):
        optimizer.zero_grad()
        codes = clips(generator(1, "first", step).integers(0, size, (16, 1)))
        (-prior.log_prob(codes, None).mean()).backward()
        optimizer.step()
    with torch.no_grad():
        nats_BN = -prior.log_prob(clips(torch.arange(size)[:, None]), None).flatten(1)
    assert nats_BN[:, 1:].max() < 0.05
    assert math.log(size) < nats_BN[:, 0].mean() < math.log(size) + 0.1


# ---- what it is given


@pytest.mark.parametrize("level", ["top", "middle"])
def test_a_code_above_is_felt_where_it_covers_and_nowhere_else(level: str) -> None:
    prior = transformers.driven()
    shape = prior.conditions[level].grid
    factors = [size // part for size, part in zip(prior.grid, shape, strict=True)]
    given = tiny.given(prior, 1)
    place = tuple(size - 1 for size in shape)
    other = {**given, level: given[level].clone()}
    other[level][0][place] = (other[level][0][place] + 1) % prior.conditions[level].codebook_size
    with torch.no_grad():
        before, after = prior.condition(given), prior.condition(other)
    assert before is not None and after is not None
    covered = torch.zeros(shape, dtype=torch.bool)
    covered[place] = True
    expected = torch.kron(covered.int(), torch.ones(factors, dtype=torch.int32)).bool()
    assert torch.equal((before != after).any(dim=-1)[0], expected)


@pytest.mark.parametrize("name", ["top", "middle", ACTIONS])
def test_what_is_given_moves_its_own_position_and_later_ones_alone(name: str) -> None:
    prior = transformers.driven()
    codes, given = tiny.codes(prior, 1), tiny.given(prior, 1)
    other = {**given, name: given[name].clone()}
    if name == ACTIONS:
        other[name][0, 4, 1] += 1  # of the third code-frame
    else:
        shape = prior.conditions[name]
        own = (0, shape.grid[0] // 2)
        other[name][own] = (other[name][own] + 1) % shape.codebook_size
    moved = (logits(prior, codes, given) != logits(prior, codes, other)).any(dim=1)[0]
    assert not moved[:2].any()
    assert moved[2:].all()


def test_all_other_weights_begin_as_they_do_without_actions() -> None:
    codes = Codes((4, 2, 2), 7)
    plain, driven = (
        priors.build(transformers.settings(actions=each), codes, {}, tiny.actions((4, 2, 2)))
        for each in ("none", "input")
    )
    for prior in (plain, driven):
        prior.initialize(generator(1, "weights"))
    weights, more = plain.state_dict(), driven.state_dict()
    assert plain.actions is None and len(weights) < len(more)
    assert all(torch.equal(weights[name], more[name]) for name in weights)


def test_a_condition_without_the_actions_is_refused() -> None:
    prior = transformers.driven()
    given = tiny.given(prior, 1)
    del given[ACTIONS]
    with pytest.raises(UserError, match=r"level bottom takes actions, but none are given"):
        prior.condition(given)


# ---- the network


def test_heads_look_on_their_own_and_weigh_by_a_softmax() -> None:
    numbers = generator(0, "heads")
    query, key, value = (numbers.normal((2, 3, 5, 4)) for _ in range(3))
    found = transformer.causal(query, key, value)
    for head in range(3):
        for place in range(5):
            keys, values = key[:, head, : place + 1], value[:, head, : place + 1]
            scores = (query[:, head, place, None] * keys).sum(dim=-1) / math.sqrt(4)
            expected = (scores.softmax(dim=1)[..., None] * values).sum(dim=1)
            torch.testing.assert_close(found[:, head, place], expected)


def test_tables_begin_as_small_normal_numbers() -> None:
    table = transformer.Embedding(100, 100)
    initialize(table, generator(0, "weights"))
    values = table.weight.detach() / 0.02
    assert values.mean().abs() < 0.05
    assert values.std().item() == pytest.approx(1, abs=0.05)
    assert (values.abs() < 1).double().mean().item() == pytest.approx(0.683, abs=0.02)


def block() -> transformer.Block:
    made = transformer.Block(8, 2, 3)
    initialize(made, generator(0, "weights"))
    return made


def test_a_block_adds_to_its_input() -> None:
    silent, x = block(), generator(0, "x").normal((2, 5, 8))
    with torch.no_grad():
        for name, part in silent.named_parameters():
            if name.startswith(("attention.out", "mlp.2")):
                part.zero_()
    assert torch.equal(silent(x, transformer.causal), x)


def test_what_a_block_adds_hardly_depends_on_the_scale_of_its_input() -> None:
    """Both layers read normalised features; the second also what the first has added to them."""
    made, x = block(), 100 * generator(0, "x").normal((2, 5, 8))
    with torch.no_grad():
        first, second = (made(scale * x, transformer.causal) - scale * x for scale in (1, 10))
    torch.testing.assert_close(first, second, atol=0.02, rtol=0)
    assert first.abs().max() > 0.2


# ---- settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 9}, r"width is 9, .* 2 heads .* Choose a width that heads divides"),
        ({"layers": 0}, "layers"),
        ({"mlp_ratio": 0}, "mlp_ratio"),
        ({"heads": 0}, "heads"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        transformers.settings(**change)


@pytest.mark.parametrize("shape", [(2, 4, 4), (3, 3, 4), (3, 4, 8)])
def test_a_grid_above_that_covers_no_whole_positions_is_refused(shape: Grid) -> None:
    above = {"top": Codes(shape, 5)}
    with pytest.raises(UserError, match=r"divide this along each axis; top has .*leave the level"):
        priors.build(transformers.settings(condition_on=("top",)), Codes((3, 4, 4), 7), above)
