"""Stacked cells: the same as torch's own LSTM, in one call or in several."""

import torch
from torch import nn

from foreframe.networks.initialization import initialize
from foreframe.networks.stacked_lstm import StackedLSTM
from foreframe.randomness import generator

ROWS, STEPS, INPUTS, HIDDEN, LAYERS, OUTPUTS = 2, 5, 3, 4, 2, 6


def network() -> StackedLSTM:
    built = StackedLSTM(INPUTS, HIDDEN, LAYERS, OUTPUTS)
    initialize(built, generator(0, "weights"))
    return built


X_BTI = generator(0, "x").normal((ROWS, STEPS, INPUTS))


def test_the_cells_are_an_lstm_of_so_many_layers() -> None:
    stacked, whole = network(), nn.LSTM(HIDDEN, HIDDEN, LAYERS, batch_first=True)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = {
        f"{name}_l{layer}": getattr(cell, name)
        for layer, cell in enumerate(stacked.cells)
        for name in names
    }
    whole.load_state_dict(weights)
    out, memory = stacked(X_BTI, stacked.start(X_BTI))
    top, (h, c) = whole(stacked.inward(X_BTI))
    torch.testing.assert_close(out, stacked.outward(top))
    torch.testing.assert_close(memory, list(zip(h, c, strict=True)))


def test_parts_of_a_sequence_are_the_whole_and_none_changes_nothing() -> None:
    stacked = network()
    whole, last = stacked(X_BTI, stacked.start(X_BTI))
    none, memory = stacked(X_BTI[:, :0], stacked.start(X_BTI))
    first, memory = stacked(X_BTI[:, :2], memory)
    second, memory = stacked(X_BTI[:, 2:], memory)
    torch.testing.assert_close(torch.cat([none, first, second], dim=1), whole)
    torch.testing.assert_close(memory, last)
