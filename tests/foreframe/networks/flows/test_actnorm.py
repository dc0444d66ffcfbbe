"""ActNorm: what its start makes of data, and when it starts."""

import pytest
import torch

from foreframe.networks import flows
from foreframe.networks.flows.actnorm import ActNorm
from foreframe.networks.flows.base import BaseDistribution
from foreframe.networks.flows.convolutions import NormalizedConvolution
from foreframe.networks.flows.coupling import Coupling
from foreframe.networks.initialization import initialize
from foreframe.randomness import generator
from tests.foreframe.networks.flows.examples import base, glow, maps, picture, scrambled


def test_at_first_it_is_the_identity() -> None:
    norm, x = ActNorm(3), generator(0, "x").normal((2, 3, 4, 4))
    scrambled(norm)
    initialize(norm, generator(0, "weights"))
    assert torch.equal(norm(x), x)
    assert not norm.started


def test_its_formula_adds_before_it_scales() -> None:
    norm, x = ActNorm(3), generator(0, "x").normal((2, 3, 4, 4))
    scrambled(norm)
    wanted = [(x[:, c] + norm.bias[c]) * norm.log_scale[c].exp() for c in range(3)]
    torch.testing.assert_close(norm(x), torch.stack(wanted, dim=1))


def test_the_start_gives_mean_0_and_deviation_1_for_each_channel() -> None:
    norm, x = ActNorm(3), 5 + 7 * generator(0, "x").normal((4, 3, 6, 6))
    x[:, 1] *= 0.01
    with flows.starting(norm):
        y = norm(x)
    deviation, mean = torch.std_mean(y, dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(3), atol=1e-4, rtol=0)
    assert norm.started
    assert norm.bias.requires_grad


def test_it_starts_once_and_only_when_told() -> None:
    norm, numbers = ActNorm(2), generator(0, "x")
    first, second = (3 + numbers.normal((4, 2, 4, 4)) for _ in range(2))
    assert torch.equal(norm(first), first)
    with flows.starting(norm):
        started = norm(first)
        other = norm(second)
    assert torch.equal(norm(first), started)
    assert torch.equal(norm(second), other)
    loaded = ActNorm(2)
    loaded.load_state_dict(norm.state_dict())
    with flows.starting(loaded):
        assert torch.equal(loaded(second), other)


def test_starting_ends_when_something_fails() -> None:
    norm = ActNorm(2)
    with pytest.raises(KeyError), flows.starting(norm):
        raise KeyError
    assert not norm.starting


def test_a_convolution_with_it_is_both_one_after_the_other() -> None:
    made, x = NormalizedConvolution(3, 4, 3), generator(0, "x").normal((2, 3, 5, 5))
    scrambled(made)
    wanted = made.norm(torch.nn.functional.conv2d(x, made.weight, padding=1)).relu()
    torch.testing.assert_close(made(x), wanted)


@pytest.mark.parametrize("memory", ["stored", "checkpointed", "inverted"])
def test_every_one_in_a_flow_starts_from_what_those_before_it_make(memory: flows.Memory) -> None:
    made = glow((3, 8, 8), 2, 3, (2, 3), memory)
    x, conditions = 4 + 3 * picture(made, 6), maps(made, (2, 3), 6)
    with flows.starting(made):
        made.log_prob(x, conditions, base(made, 6))
    norms = {name: part for name, part in made.named_modules() if isinstance(part, ActNorm)}
    assert all(norm.started for norm in norms.values())
    seen = []
    for part in made.modules():
        if isinstance(part, NormalizedConvolution):
            part.register_forward_pre_hook(
                lambda part, inputs: seen.append(_normalized(part, inputs[0]))
            )
    made.log_prob(x, conditions, base(made, 6))
    assert len(seen) >= sum(isinstance(one, Coupling) for one in made.modules()) * 2 + 2
    for values in seen:
        deviation, mean = torch.std_mean(values, dim=(0, 2, 3), correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-3, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(mean), atol=1e-3, rtol=0)


def _normalized(part: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    assert isinstance(part, NormalizedConvolution)
    plain = torch.nn.functional.conv2d(x, part.weight, padding=part.weight.shape[-1] // 2)
    return part.norm(plain)


def test_the_network_of_a_base_starts_too() -> None:
    made, state = BaseDistribution(3, 2, 8, "softplus"), generator(0, "x").normal((4, 3, 4, 4))
    initialize(made, generator(0, "weights"))
    with flows.starting(made):
        made(state)
    hidden = _normalized(made.network[0], state)
    torch.testing.assert_close(hidden.std(correction=0), torch.tensor(1.0), atol=1e-3, rtol=0)
