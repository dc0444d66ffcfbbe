"""Starting weights from given numbers: each module's own rule, and no parameter left to chance.

PyTorch's constructors draw from a global generator, so what a network begins with would depend on
whatever ran before it. Here every parameter is drawn again, once, by the rule of its module's
class, which is PyTorch's own; a module of this project may have a rule of its own, a method
`draw(numbers)` for the parameters that are directly its. A parameter that nobody draws is an error.
"""

import math
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from foreframe.randomness import Numbers

Rule = Callable[[nn.Module, Numbers], None]


@runtime_checkable
class Draws(Protocol):
    """A module that knows how its own parameters, and not those of its parts, begin."""

    def draw(self, numbers: Numbers) -> None:
        """Fill every parameter that is directly this module's."""


@torch.no_grad()
def initialize(model: nn.Module, numbers: Numbers) -> None:
    """Draw every parameter of a network on the CPU, in the order of its modules.

    Raises:
        TypeError: a parameter belongs to two modules, or to one whose class has no rule, or its
            rule leaves it out.
    """
    parameters = dict(_owned(model))
    for parameter in parameters.values():
        parameter.fill_(math.nan)
    for name, module in model.named_modules():
        rule = _rule(module)
        if rule is not None:
            rule(module, numbers)
        elif any(owner == name for owner, _ in parameters):
            raise TypeError(
                f"{type(module).__name__} ({name or 'the network itself'}) has parameters, but "
                "nothing says how they begin. Give it a method draw(numbers)."
            )
    for (owner, name), parameter in parameters.items():
        if parameter.isnan().any():
            raise TypeError(f"The parameter {name} of {owner or 'the network'} was never drawn.")


def _owned(model: nn.Module) -> Iterator[tuple[tuple[str, str], nn.Parameter]]:
    """Yield ((name of its module, own name), parameter) of each; those of parametrizations too."""
    seen: dict[int, str] = {}
    for owner, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen:
                raise TypeError(
                    f"{owner}.{name} is the parameter {seen[id(parameter)]} again. Let one module "
                    "have it, and the other be given it."
                )
            seen[id(parameter)] = f"{owner}.{name}"
            yield (owner, name), parameter


def _rule(module: nn.Module) -> Rule | None:
    """Return how a module's own parameters begin; None: it has none, as far as is known."""
    if isinstance(module, Draws):
        return lambda module, numbers: module.draw(numbers)  # type: ignore[operator]
    if isinstance(module, parametrize.ParametrizationList):
        return _nothing  # drawn with the module whose weight it is
    return next((rule for kind, rule in RULES.items() if isinstance(module, kind)), None)


def _nothing(module: nn.Module, numbers: Numbers) -> None:
    pass


def _convolution(module: nn.Module, numbers: Numbers) -> None:
    weight = module.weight
    assert isinstance(weight, Tensor)
    if not parametrize.is_parametrized(module):
        return draw(weight, _bias(module), numbers)
    _check_parametrizations(module)
    # The plain weight is drawn; assigning it gives its length and its direction, so the layer
    # begins as it would without weight normalisation (Salimans and Kingma 2016).
    plain = torch.empty_like(weight)
    draw(plain, _bias(module), numbers)
    module.weight = plain
    return None


def _check_parametrizations(module: nn.Module) -> None:
    lists = module.parametrizations
    assert isinstance(lists, nn.ModuleDict)
    for name, parts in lists.items():
        assert isinstance(parts, nn.ModuleList)
        found = [type(part).__name__ for part in parts]
        if (name, found) != ("weight", ["_WeightNorm"]):
            raise TypeError(
                f"Nothing says how {name} of {type(module).__name__} begins under {found}."
            )


def _bias(module: nn.Module) -> Tensor | None:
    bias = module.bias
    assert bias is None or isinstance(bias, Tensor)
    return bias


def _recurrent(module: nn.Module, numbers: Numbers) -> None:
    assert isinstance(module, nn.RNNBase | nn.RNNCellBase)
    bound = 1 / math.sqrt(module.hidden_size)
    for parameter in module.parameters(recurse=False):
        parameter.copy_(numbers.uniform(parameter.shape, -bound, bound))


def _embedding(module: nn.Module, numbers: Numbers) -> None:
    assert isinstance(module, nn.Embedding)
    module.weight.copy_(numbers.normal(module.weight.shape))
    if module.padding_idx is not None:
        module.weight[module.padding_idx].zero_()


def _norm(module: nn.Module, numbers: Numbers) -> None:
    """Scales begin as 1 and shifts as 0: a normalisation changes nothing else at first."""
    for name, parameter in module.named_parameters(recurse=False):
        parameter.fill_(1.0 if name == "weight" else 0.0)


def _slope(module: nn.Module, numbers: Numbers) -> None:
    assert isinstance(module, nn.PReLU)
    module.weight.fill_(module.init)


RULES: dict[type[nn.Module], Rule] = {
    nn.modules.conv._ConvNd: _convolution,
    nn.Linear: _convolution,
    nn.Bilinear: _convolution,
    nn.RNNBase: _recurrent,
    nn.RNNCellBase: _recurrent,
    nn.Embedding: _embedding,
    nn.modules.batchnorm._NormBase: _norm,
    nn.GroupNorm: _norm,
    nn.LayerNorm: _norm,
    nn.PReLU: _slope,
}


@torch.no_grad()
def draw(weight: Tensor, bias: Tensor | None, numbers: Numbers) -> None:
    """Fill one layer's weight, and its bias if it has one, uniformly on +-1/sqrt(n).

    n is the size of the weight's first slice: what PyTorch's convolutions and linear layers do.
    """
    bound = 1 / math.sqrt(weight[0].numel())
    weight.copy_(numbers.uniform(weight.shape, -bound, bound))
    if bias is not None:
        bias.copy_(numbers.uniform(bias.shape, -bound, bound))
