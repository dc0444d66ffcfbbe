"""The layer table of a network, printed from the network itself: what each layer gives, and weighs.

A pass over the meta device needs neither memory nor time at any size. A training notes the table
among its facts, where reports find it.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Row = dict[str, Any]  # name, layer, output (a shape without the batch), parameters


def table(network: nn.Module, call: Callable[[nn.Module], object]) -> list[Row]:
    """Return a row for each layer in the order in which `call` runs them; `network` is unchanged.

    A layer is a module without modules in it, or one with parameters of its own. One that runs
    again has a row each time, and its parameters in the first alone; one that is used in another
    way than by a call stands at the end, its output is None. `call` gets the network on the meta
    device and runs it on tensors there.
    """
    rows: list[Row] = []
    seen: set[str] = set()

    def add(name: str, module: nn.Module, shape: list[int] | None) -> None:
        weights = 0 if name in seen else _own(module)
        layer = type(module).__name__
        rows.append({"name": name, "layer": layer, "output": shape, "parameters": weights})
        seen.add(name)

    def note(name: str, module: nn.Module, output: object) -> None:
        if isinstance(output, Tensor) and (_own(module) or not list(module.children())):
            add(name, module, list(output.shape[1:]))

    empty = _on_meta(network)
    for name, module in empty.named_modules():
        module.register_forward_hook(lambda it, _, output, name=name: note(name, it, output))
    with torch.no_grad():
        call(empty)
    for name, module in empty.named_modules():
        if _own(module) and name not in seen:
            add(name, module, None)
    return rows


def _own(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters(recurse=False) if each.requires_grad)


def _on_meta(network: nn.Module) -> nn.Module:
    """Return a copy without memory for its numbers, in eval mode."""
    # A deep copy would copy the numbers first; each is replaced by one that has none.
    memo: dict[int, Any] = {}
    for each in (*network.parameters(), *network.buffers()):
        bare = torch.empty_like(each, device="meta")
        weight = isinstance(each, nn.Parameter)
        memo[id(each)] = nn.Parameter(bare, each.requires_grad) if weight else bare
    return copy.deepcopy(network, memo).eval()
