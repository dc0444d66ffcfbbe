"""Starting weights: each module's rule, the same from any process, and nothing left undrawn."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal, weight_norm

from foreframe.networks import causal
from foreframe.networks.initialization import initialize
from foreframe.networks.quantizer import Averages, Quantizer
from foreframe.randomness import Numbers, generator

AVERAGES = Averages(
    decay=0.99, epsilon=1e-5, initial_count=0.0, init="uniform", restart_threshold=0.0
)

MODULES: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv3d(2, 3, 3),
    "convolution without bias": lambda: nn.Conv2d(4, 3, 3, bias=False),
    "transposed": lambda: nn.ConvTranspose3d(2, 3, 4),
    "linear": lambda: nn.Linear(5, 4),
    "lstm": lambda: nn.LSTM(3, 6, num_layers=2),
    "gru cell": lambda: nn.GRUCell(3, 9),
    "embedding": lambda: nn.Embedding(500, 3),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "group norm": lambda: nn.GroupNorm(2, 4),
    "layer norm": lambda: nn.LayerNorm([4, 4]),
    "instance norm": lambda: nn.InstanceNorm1d(4, affine=True),
    "slope": lambda: nn.PReLU(3),
    "weight norm": lambda: weight_norm(nn.Conv2d(3, 5, 3)),
    "causal": lambda: causal.corner(2, 3, (2, 2, 2)),
    "nothing to draw": lambda: nn.ReLU(),
    "codebook": lambda: Quantizer(4, 2, AVERAGES),
}


def built(name: str, seed: int) -> nn.Module:
    """Return a module that is built under one global seed and drawn by another generator."""
    torch.manual_seed(seed)
    module = nn.Sequential(MODULES[name](), nn.Linear(2, 2))
    initialize(module, generator(0, "weights"))
    return module


@pytest.mark.parametrize("name", MODULES)
def test_the_global_seed_has_no_influence(name: str) -> None:
    first, second = built(name, 1).state_dict(), built(name, 2).state_dict()
    assert first.keys() == second.keys()
    for key, values in first.items():
        assert torch.equal(values, second[key]), key
        assert values.isfinite().all()


def drawn(module: nn.Module) -> nn.Module:
    initialize(module, generator(0, "weights"))
    return module


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.Conv2d(4, 64, 3, bias=False), 4 * 9),
        (nn.Linear(50, 80), 50),
        # A transposed convolution's first slice is that of an input channel.
        (nn.ConvTranspose3d(2, 3, 4), 3 * 64),
        (weight_norm(nn.Conv2d(4, 64, 3)), 4 * 9),
    ],
)
def test_weights_are_uniform_within_one_over_the_root_of_the_inputs(
    module: nn.Module, inputs: int
) -> None:
    weight = drawn(module).weight
    assert isinstance(weight, Tensor)
    bound = 1 / math.sqrt(inputs)
    assert weight.abs().max() <= bound * (1 + 1e-6)
    assert abs(weight.std().item() / (bound / math.sqrt(3)) - 1) < 0.1


def test_a_recurrent_layer_is_uniform_within_one_over_the_root_of_its_state() -> None:
    for parameter in drawn(nn.LSTM(3, 16)).parameters():
        assert parameter.abs().max() <= 0.25
        assert parameter.abs().max() > 0.2


@pytest.mark.parametrize("name", ["batch norm", "group norm", "layer norm", "instance norm"])
def test_a_normalisation_begins_as_no_scale_and_no_shift(name: str) -> None:
    module = drawn(MODULES[name]())
    assert isinstance(module.weight, Tensor)
    assert isinstance(module.bias, Tensor)
    assert (module.weight == 1).all()
    assert (module.bias == 0).all()


def test_weight_normalisation_begins_as_the_layer_would_without_it() -> None:
    plain, parted = drawn(nn.Conv2d(3, 5, 3)), drawn(weight_norm(nn.Conv2d(3, 5, 3)))
    torch.testing.assert_close(parted.weight, plain.weight)
    assert torch.equal(parted.bias, plain.bias)  # type: ignore[arg-type]


class Scaled(nn.Module):
    """A module with a parameter of its own, and a part."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.part = nn.Linear(3, 3)


class Drawn(Scaled):
    """The same, with a rule."""

    def draw(self, numbers: Numbers) -> None:
        self.scale.fill_(2.0)


class Forgetful(Scaled):
    """The same, with a rule that leaves its parameter out."""

    def draw(self, numbers: Numbers) -> None:
        pass


def test_a_module_of_ones_own_says_how_it_begins() -> None:
    module = drawn(Drawn())
    assert isinstance(module, Drawn)
    assert (module.scale == 2).all()
    assert torch.equal(module.part.weight, drawn(nn.Linear(3, 3)).weight)  # type: ignore[arg-type]


def shared() -> nn.Module:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return nn.Sequential(first, second)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Scaled(), "Scaled .the network itself. has parameters, but nothing says how they begin"),
        (nn.Sequential(Scaled()), r"Scaled \(0\) has parameters"),
        (Forgetful(), "The parameter scale of the network was never drawn"),
        (shared(), "1.weight is the parameter 0.weight again"),
        (orthogonal(nn.Linear(3, 3)), "Nothing says how weight of ParametrizedLinear begins"),
    ],
)
def test_a_parameter_that_nobody_draws_once_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        drawn(module)
