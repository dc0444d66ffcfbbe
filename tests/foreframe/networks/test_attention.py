"""Laws of strictly causal attention, held against a plain double loop."""

import itertools
import math

import torch
from torch import Tensor

from foreframe.networks.attention import CausalAttention, CausalHeads, coordinates
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

GRID = (2, 3, 2)
POSITIONS = 12


def layer(scale: float = 0.5) -> CausalAttention:
    return CausalAttention(5, 4, 3, scale)


def test_it_is_a_softmax_over_the_positions_before() -> None:
    attention = layer()
    inputs = torch.randn(2, 5, *GRID)
    outputs = attention(inputs).flatten(2)
    query, key, value = (
        part(inputs).flatten(2) for part in (attention.query, attention.key, attention.value)
    )
    for position in range(1, POSITIONS):
        scores = torch.einsum("bd,bdn->bn", query[:, :, position], key[:, :, :position])
        weights = (0.5 * scores).softmax(dim=1)
        expected = torch.einsum("bn,ben->be", weights, value[:, :, :position])
        torch.testing.assert_close(outputs[:, :, position], expected)


def test_the_first_position_gives_zeros_and_no_gradient_is_lost_to_nan() -> None:
    attention = layer(scale=100.0)
    inputs = torch.randn(1, 5, *GRID, requires_grad=True)
    outputs = attention(inputs)
    assert (outputs[:, :, 0, 0, 0] == 0).all()
    outputs.square().sum().backward()
    assert inputs.grad is not None and inputs.grad.isfinite().all()


def test_a_single_position_gives_zeros() -> None:
    assert (layer()(torch.randn(2, 5, 1, 1, 1)) == 0).all()


def test_a_position_moves_none_before_it() -> None:
    attention = layer()
    inputs = torch.randn(1, 5, *GRID)
    for position in range(POSITIONS):
        other = inputs.clone()
        other.view(1, 5, -1)[:, :, position] += 1
        changes = (attention(inputs) != attention(other)).any(dim=1).flatten()
        assert not changes[:position].any()
        if position > 1:
            # Its query moves, and there are at least two values to weigh anew.
            assert changes[position]


def test_the_value_of_a_position_is_not_seen_by_itself() -> None:
    attention = layer()
    inputs = torch.randn(1, 5, *GRID)
    with torch.no_grad():
        attention.query.weight.zero_()
        attention.key.weight.zero_()
    other = inputs.clone()
    other.view(1, 5, -1)[:, :, 7] += 1
    changes = (attention(inputs) != attention(other)).any(dim=1).flatten()
    assert changes.nonzero().flatten().tolist() == list(range(8, POSITIONS))


def test_coordinates_start_at_minus_a_half_and_stay_below_a_half() -> None:
    code = coordinates((4, 2, 8))
    assert code.shape == (3, 4, 2, 8)
    assert code[0, :, 0, 0].tolist() == [-0.5, -0.25, 0.0, 0.25]
    assert code[1, 0, :, 0].tolist() == [-0.5, 0.0]
    assert math.isclose(code[2, 0, 0, -1].item(), 0.375)


def heads() -> CausalHeads:
    attention = CausalHeads(3, 5, 8, 2)
    initialize(attention, generator(0, "weights"))
    return attention


def test_each_head_is_a_softmax_over_the_positions_before() -> None:
    attention = heads()
    queries, inputs = torch.randn(2, 3, *GRID), torch.randn(2, 5, *GRID)
    outputs = attention(queries, inputs, NONE).flatten(2)
    query = attention.query(queries).flatten(2)
    key, value = (part(inputs).flatten(2) for part in (attention.key, attention.value))
    assert (outputs[:, :, 0] == 0).all()
    for position, head in itertools.product(range(1, POSITIONS), (slice(0, 4), slice(4, 8))):
        scores = torch.einsum("bd,bdn->bn", query[:, head, position], key[:, head, :position])
        weights = (scores / 2).softmax(dim=1)
        expected = torch.einsum("bn,ben->be", weights, value[:, head, :position])
        torch.testing.assert_close(outputs[:, head, position], expected)


def test_dropout_acts_on_the_weights_of_attention_alone() -> None:
    """With values of one, what a position finds is the sum of the weights that are kept."""
    attention = heads()
    with torch.no_grad():
        lengths: Tensor = attention.value.parametrizations.weight.original0
        lengths.zero_()
        attention.value.bias.fill_(1.0)
    queries, inputs = torch.randn(1, 3, *GRID), torch.randn(1, 5, *GRID)
    found = [
        attention(queries, inputs, Dropout(0.25, generator(step))).flatten(2)[0, :, 1:]
        for step in range(400)
    ]
    sums = torch.stack(found)
    assert not torch.equal(sums[0], sums[1])
    # At the first position that looks at something, its one weight is dropped or enlarged.
    assert set(sums[:, :, 0].unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    torch.testing.assert_close(sums.mean(dim=0), torch.ones(8, POSITIONS - 1), atol=0.15, rtol=0)
