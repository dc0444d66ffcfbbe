"""LSTM cells one on top of the other, between two linear layers: the sequences of Denton 2018.

Cells and not `nn.LSTM`, whose fast version on a GPU promises no fixed order of summation.
Shapes: B rows, T steps, I inputs, H hidden values, O outputs.
"""

import torch
from torch import Tensor, nn

# The (h, c), (B,H) each, of every cell, the lowest first.
Memory = list[tuple[Tensor, Tensor]]


class StackedLSTM(nn.Module):
    """Linear, LSTM cells, linear, step by step."""

    def __init__(self, inputs: int, hidden: int, layers: int, outputs: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.inward = nn.Linear(inputs, hidden)
        self.cells = nn.ModuleList([nn.LSTMCell(hidden, hidden) for _ in range(layers)])
        self.outward = nn.Linear(hidden, outputs)

    def start(self, like: Tensor) -> Memory:
        """Return the memory before the first step, zeros, for the rows of a tensor."""
        zeros = like.new_zeros(len(like), self.hidden)
        return [(zeros, zeros) for _ in self.cells]

    def forward(self, x_BTI: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Return outputs (B,T,O) and the memory after the last step; T may be 0."""
        inward_BTH = self.inward(x_BTI)
        top = []
        for h in inward_BTH.unbind(dim=1):
            memory, below = list(memory), h
            for layer, cell in enumerate(self.cells):
                memory[layer] = cell(below, memory[layer])
                below = memory[layer][0]
            top.append(below)
        return self.outward(torch.stack(top, dim=1) if top else inward_BTH), memory
