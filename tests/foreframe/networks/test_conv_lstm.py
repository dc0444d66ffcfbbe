"""Convolutional cells against torch's own cell, and what their states obey."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.networks.conv_lstm import ConvLSTM, LearnedState, NormalizedConvLSTM, Pair
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator

INPUTS, HIDDEN, GROUPS = 3, 4, 2


def cell(normalized: bool = False) -> Any:
    made = NormalizedConvLSTM(INPUTS, HIDDEN, GROUPS) if normalized else ConvLSTM(INPUTS, HIDDEN)
    initialize(made, generator(0, "weights"))
    return made


def inputs(rows: int, side: int) -> tuple[Tensor, Pair]:
    numbers = generator(1, "inputs")
    h, c = (numbers.normal((rows, HIDDEN, side, side)) for _ in range(2))
    return numbers.normal((rows, INPUTS, side, side)), (h, c)


def test_on_a_single_place_it_is_the_lstm_of_torch() -> None:
    made, (x, (h, c)) = cell(), inputs(5, 1)
    reference = nn.LSTMCell(INPUTS, HIDDEN)
    # Of a 3x3 kernel a single place sees the middle; torch has the gates in the order i, f, g, o.
    weight = made.gates.weight[:, :, 1, 1].unflatten(0, (4, HIDDEN))[[0, 1, 3, 2]].flatten(0, 1)
    bias = made.gates.bias.unflatten(0, (4, HIDDEN))[[0, 1, 3, 2]].flatten()
    with torch.no_grad():
        reference.weight_ih.copy_(weight[:, :INPUTS])
        reference.weight_hh.copy_(weight[:, INPUTS:])
        reference.bias_ih.copy_(bias)
        reference.bias_hh.zero_()
    wanted = reference(x.flatten(1), (h.flatten(1), c.flatten(1)))
    for found, value in zip(made(x, (h, c)), wanted, strict=True):
        torch.testing.assert_close(found.flatten(1), value)


def test_the_normalised_cell_is_its_formula() -> None:
    made, (x, (h, c)) = cell(normalized=True), inputs(2, 5)
    numbers = generator(2, "norms")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(numbers.normal(parameter.shape))

    def normal(value: Tensor, norm: nn.GroupNorm) -> Tensor:
        groups = value.unflatten(1, (GROUPS, -1)).flatten(2)
        centred = groups - groups.mean(dim=2, keepdim=True)
        scaled = centred / (centred.square().mean(dim=2, keepdim=True) + 1e-5).sqrt()
        plain = scaled.reshape(value.shape)
        return plain * norm.weight[:, None, None] + norm.bias[:, None, None]

    (input_convolution, input_norm), (convolution, norm) = made.input_gates, made.state_gates
    gates = normal(input_convolution(x), input_norm) + normal(convolution(h), norm)
    i, f, o, g = gates.unflatten(1, (4, HIDDEN)).unbind(1)
    memory = normal(f.sigmoid() * c + i.sigmoid() * g.tanh(), made.memory)
    found_h, found_c = made(x, (h, c))
    torch.testing.assert_close(found_c, memory)
    torch.testing.assert_close(found_h, o.sigmoid() * memory.tanh())


@pytest.mark.parametrize("normalized", [False, True])
def test_a_state_keeps_its_size_and_lies_between_minus_1_and_1(normalized: bool) -> None:
    made, (x, state) = cell(normalized), inputs(2, 6)
    for _ in range(3):
        state = made(100 * x, state)
    assert [value.shape for value in state] == [(2, HIDDEN, 6, 6)] * 2
    assert state[0].abs().max() <= 1
    assert made.hidden == HIDDEN


@pytest.mark.parametrize("normalized", [False, True])
def test_rows_are_independent(normalized: bool) -> None:
    made, (x, (h, c)) = cell(normalized), inputs(3, 4)
    alone = made(x[1:2], (h[1:2], c[1:2]))
    for one, many in zip(alone, made(x, (h, c)), strict=True):
        torch.testing.assert_close(one[0], many[1])


def test_only_the_normalised_cell_has_biases_twice() -> None:
    kernels = 9 * (INPUTS + HIDDEN) * 4 * HIDDEN
    found = [sum(weight.numel() for weight in cell(kind).parameters()) for kind in (False, True)]
    assert found == [kernels + 4 * HIDDEN, kernels + 2 * 4 * HIDDEN + 2 * (2 * 4 + 1) * HIDDEN]


def test_a_learned_start_is_0_for_every_row_and_is_learned() -> None:
    start = LearnedState(2, 3, 4)
    initialize(start, generator(0, "weights"))
    assert torch.equal(start(5), torch.zeros(5, 2, 3, 4))
    start(5).sum().backward()
    assert start.value.grad is not None
    assert torch.equal(start.value.grad, torch.full((2, 3, 4), 5.0))
