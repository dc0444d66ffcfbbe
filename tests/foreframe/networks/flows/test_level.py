"""The steps of a level: their formula, their determinant, and the three ways to go back."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks import flows
from foreframe.networks.flows.level import Level
from foreframe.networks.flows.permutation import InvertibleConvolution
from foreframe.networks.flows.step import Step
from foreframe.networks.gaussian import Gaussian, total
from foreframe.randomness import generator
from tests.foreframe.networks.flows.examples import HIDDEN, scrambled

CHANNELS, CONDITION = 4, 3
OTHERS: list[flows.Memory] = ["checkpointed", "inverted"]


def level(memory: flows.Memory = "stored", steps: int = 3, condition: int = CONDITION) -> Level:
    made = Level(CHANNELS, steps, HIDDEN, condition, memory)
    scrambled(made)
    return made


def inputs(rows: int = 2, side: int = 4) -> tuple[Tensor, Tensor]:
    numbers = generator(3, "inputs")
    x, condition = (numbers.normal((rows, count, side, side)) for count in (CHANNELS, CONDITION))
    return x.requires_grad_(), condition.requires_grad_()


def gradients(made: Level, x: Tensor, condition: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return output and log|det|, and the gradients of a loss that looks at all of them."""
    y, log_determinant = made(x, condition)
    weights = torch.linspace(0.5, 1.5, y.numel()).view(y.shape).to(y)
    loss = (weights * y.square()).sum() - (log_determinant * torch.tensor([1.0, 2.0]).to(y)).sum()
    found = torch.autograd.grad(loss, [x, condition, *made.parameters()])
    return [y, log_determinant], list(found)


def worst(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    pairs = zip(found, wanted, strict=True)
    return max(float((one - two).norm() / two.norm()) for one, two in pairs)


def test_a_step_is_its_formula() -> None:
    made, (x, condition) = level(steps=1), inputs()
    y, log_determinant = made(x, condition)
    known, (step,) = dict(made.named_parameters()), made.steps
    weights = {name.removeprefix("steps.0."): value for name, value in known.items()}

    def normalized(value: Tensor, name: str) -> Tensor:
        bias, log_scale = (weights[f"{name}.{part}"] for part in ("bias", "log_scale"))
        return log_scale.exp()[:, None, None] * (value + bias[:, None, None])

    assert isinstance(step, Step)
    matrix = _matrix(step.permutation)
    v = torch.einsum("ij,bjhw->bihw", matrix, normalized(x, "norm"))
    hidden = torch.cat([v[:, :2], condition], dim=1)
    for layer, padding in ((0, 1), (1, 0)):
        name = f"coupling.network.{layer}"
        hidden = functional.conv2d(hidden, weights[f"{name}.weight"], padding=padding)
        hidden = normalized(hidden, f"{name}.norm").relu()
    last, bias = (weights[f"coupling.network.2.{name}"] for name in ("weight", "bias"))
    raw = functional.conv2d(hidden, last, bias, padding=1)
    raw = raw * (3 * weights["coupling.network.2.log_scale"]).exp()[:, None, None]
    bound, offset = (weights[f"coupling.{name}"][:, None, None] for name in ("bound", "offset"))
    log_alpha = bound * raw[:, [1, 3]].tanh() + offset
    wanted = torch.cat([v[:, :2], (v[:, 2:] + raw[:, [0, 2]]) * log_alpha.exp()], dim=1)
    torch.testing.assert_close(y, wanted)
    constant = 16 * (weights["norm.log_scale"].sum() + torch.linalg.slogdet(matrix)[1])
    torch.testing.assert_close(log_determinant, total(log_alpha) + constant)


def _matrix(permutation: InvertibleConvolution) -> Tensor:
    lower, upper = torch.eye(CHANNELS), torch.diag(permutation.sign * permutation.log_scale.exp())
    for row in range(CHANNELS):
        for column in range(CHANNELS):
            if row != column:
                (lower if row > column else upper)[row, column] = permutation.factors[row, column]
    return permutation.permutation @ lower @ upper


def test_the_log_determinant_is_that_of_the_jacobian() -> None:
    made, (x, condition) = level().double(), inputs(1, 2)
    x, condition = x.detach().double(), condition.detach().double()
    jacobian = torch.autograd.functional.jacobian(lambda value: made(value, condition)[0], x)
    wanted = torch.linalg.slogdet(jacobian.reshape(x.numel(), x.numel()))[1]
    torch.testing.assert_close(made(x, condition)[1][0], wanted, rtol=1e-6, atol=1e-6)


def test_a_density_on_the_plane_sums_to_1() -> None:
    made = Level(2, 3, HIDDEN, 0, "stored")
    scrambled(made, 0.3)
    side, count = 16.0, 320
    axis = (torch.arange(count) + 0.5) * (2 * side / count) - side
    points = torch.cartesian_prod(axis, axis)[:, :, None, None]
    with torch.no_grad():
        y, log_determinant = made(points, None)
        density = (total(Gaussian.standard(y).log_prob(y)) + log_determinant).exp()
    mass = density.double().sum() * (2 * side / count) ** 2
    assert math.isclose(float(mass), 1.0, abs_tol=2e-3)
    assert density.max() > 0.05


@pytest.mark.parametrize("memory", OTHERS)
def test_what_is_kept_changes_nothing_forward_and_gradients_in_the_last_digits(
    memory: flows.Memory,
) -> None:
    values, wanted = gradients(level(), *inputs())
    same, found = gradients(level(memory), *inputs())
    assert all(torch.equal(one, two) for one, two in zip(same, values, strict=True))
    assert worst(found, wanted) < 1e-5


def test_with_more_digits_undoing_gives_the_stored_gradients() -> None:
    x, condition = (value.detach().double().requires_grad_() for value in inputs())
    _, wanted = gradients(level(steps=8).double(), x, condition)
    _, found = gradients(level("inverted", steps=8).double(), x, condition)
    # The tolerance is float64's: nothing on the way is rounded to float32.
    assert worst(found, wanted) < 1e-12


def test_over_32_steps_undoing_loses_little() -> None:
    _, wanted = gradients(level(steps=32), *inputs())
    made = level("inverted", steps=32)
    _, found = gradients(made, *inputs())
    assert worst(found, wanted) < 1e-5
    with torch.no_grad():
        x, condition = inputs()
        back = made.inverse(made(x, condition)[0], condition)
    assert (back - x).abs().max() < 1e-4


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_have_the_same_bytes_again(memory: flows.Memory) -> None:
    first, second = (gradients(level(memory), *inputs())[1] for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


@pytest.mark.parametrize("memory", OTHERS)
def test_what_needs_no_gradient_has_none_and_the_rest_is_as_before(memory: flows.Memory) -> None:
    x, condition = inputs()
    found = []
    for kind in ("stored", memory):
        made = level(kind)
        for step in list(made.steps)[1:]:
            step.requires_grad_(False)
        y, log_determinant = made(x.detach(), condition.detach())
        (y.square().sum() - log_determinant.sum()).backward()
        known = [value.grad for value in made.parameters()]
        assert [value is None for value in known] == [
            not value.requires_grad for value in made.parameters()
        ]
        found.append([value for value in known if value is not None])
    assert worst(found[1], found[0]) < 1e-5


@pytest.mark.parametrize("memory", ["stored", *OTHERS])
def test_without_a_condition_there_are_gradients_too(memory: flows.Memory) -> None:
    made, (x, _) = level(memory, condition=0), inputs()
    y, log_determinant = made(x, None)
    (y.square().sum() - log_determinant.sum()).backward()
    assert x.grad is not None
    torch.testing.assert_close(made.inverse(y, None), x, atol=1e-4, rtol=1e-4)


def test_a_weight_that_changes_before_the_way_back_is_noticed() -> None:
    made = level("inverted")
    y, _ = made(*inputs())
    with torch.no_grad():
        dict(made.named_parameters())["steps.0.coupling.network.0.weight"].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def kept_bytes(memory: flows.Memory, steps: int) -> int:
    """Return the bytes kept for the way back of one more row: those of weights cancel."""

    def of(rows: int) -> int:
        made, (x, condition) = level(memory, steps), inputs(rows)
        kept: dict[int, Tensor] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda value: kept.setdefault(value.untyped_storage().data_ptr(), value),
            lambda value: value,
        ):
            made(x, condition)
        return sum(value.untyped_storage().nbytes() for value in kept.values())

    return of(3) - of(2)


def test_memory_grows_with_steps_unless_they_are_undone() -> None:
    growth = {
        memory: kept_bytes(memory, 8) / kept_bytes(memory, 2) for memory in ("stored", *OTHERS)
    }
    assert growth["inverted"] == 1
    assert growth["stored"] > 3
    assert kept_bytes("checkpointed", 8) < kept_bytes("stored", 8) / 5
