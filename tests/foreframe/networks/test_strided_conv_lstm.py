"""The convolutional LSTM with inputs of another size, against torch's own cell and by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from foreframe.networks.conv_lstm import Pair
from foreframe.networks.initialization import initialize
from foreframe.networks.strided_conv_lstm import Norm, Strided, StridedConvLSTM, Transposed
from foreframe.randomness import generator

INPUTS, HIDDEN, STEPS, ROWS = 3, 4, 3, 2
# The order of gates here is i, f, o, g; torch has i, f, g, o.
AS_TORCH = [0, 1, 3, 2]


def layer(inward: Strided | Transposed, *size: int, normalized: bool = False) -> StridedConvLSTM:
    made = StridedConvLSTM(inward, (size[0], size[1]), normalized=normalized)
    initialize(made, generator(0, "weights"))
    return made


def strided(side: int, normalized: bool = False) -> StridedConvLSTM:
    """Return one from pictures of about twice as many rows."""
    return layer(Strided(INPUTS, HIDDEN, 3, 2, 1), side, side, normalized=normalized)


def clips(side: int, steps: int = STEPS, rows: int = ROWS) -> Tensor:
    return generator(1, "clips").normal((rows, steps, INPUTS, side, side))


def of_gates(values: Tensor) -> Tensor:
    """Return what is said of four gates in torch's order."""
    return values.unflatten(0, (4, HIDDEN))[AS_TORCH].flatten(0, 1)


def stirred(made: nn.Module) -> None:
    """Draw all weights anew, so that none is 0."""
    numbers = generator(2, "weights")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(numbers.normal(parameter.shape))


def test_on_a_single_place_it_is_the_lstm_of_torch() -> None:
    made = layer(Strided(INPUTS, HIDDEN, 2, 1, 0), 1, 1)  # a kernel that sees its input as a whole
    stirred(made)
    reference = nn.LSTMCell(4 * INPUTS, HIDDEN)
    with torch.no_grad():
        reference.weight_ih.copy_(of_gates(made.inward.weight.flatten(1)))
        reference.weight_hh.copy_(of_gates(made.between.weight.flatten(1)))
        reference.bias_ih.copy_(of_gates(made.bias))
        reference.bias_hh.zero_()
    h, c = (first(ROWS).flatten(1) for first in (made.first_h, made.first_c))
    shown, last = made(clips(2), None)
    for step, x in enumerate(clips(2).flatten(2).unbind(dim=1)):
        h, c = reference(x, (h, c))
        torch.testing.assert_close(shown[:, step].flatten(1), h)
    torch.testing.assert_close([each.flatten(1) for each in last], [h, c])


def test_a_picture_is_seen_through_a_convolution_and_the_state_through_another() -> None:
    made = strided(3)
    stirred(made)
    h, c = (generator(3, name).normal((ROWS, HIDDEN, 3, 3)) for name in ("h", "c"))
    x = clips(5, steps=1)
    gates = (
        functional.conv2d(x[:, 0], made.inward.weight, stride=2, padding=1)
        + functional.conv2d(h, made.between.weight, padding=1)
        + made.bias[:, None, None]
    )
    i, f, o, g = gates.split(HIDDEN, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    wanted = (o.sigmoid() * c.tanh(), c)
    torch.testing.assert_close(
        made(x, (generator(3, "h").normal(h.shape), generator(3, "c").normal(c.shape)))[1], wanted
    )


@pytest.mark.parametrize(
    ("inward", "side", "wanted"),
    [
        (Strided(INPUTS, HIDDEN, 3, 2, 1), 15, 8),
        (Strided(INPUTS, HIDDEN, 4, 2, 1), 8, 4),
        (Strided(INPUTS, HIDDEN, 3, 1, 1), 5, 5),
        (Strided(INPUTS, HIDDEN, 4, 1, 0), 4, 1),
        (Transposed(INPUTS, HIDDEN, 4, 2, 1, 0), 4, 8),
        (Transposed(INPUTS, HIDDEN, 4, 1, 0, 0), 1, 4),
        (Transposed(INPUTS, HIDDEN, 3, 2, 1, 0), 8, 15),
        (Transposed(INPUTS, HIDDEN, 3, 2, 1, 1), 15, 30),
    ],
)
def test_the_state_has_the_size_that_the_input_map_gives(
    inward: Strided | Transposed, side: int, wanted: int
) -> None:
    shown, (h, c) = layer(inward, wanted, wanted)(clips(side), None)
    assert shown.shape == (ROWS, STEPS, HIDDEN, wanted, wanted)
    assert h.shape == c.shape == shown[:, -1].shape
    assert torch.equal(h, shown[:, -1])


@pytest.mark.parametrize("normalized", [False, True])
def test_a_sequence_in_parts_is_the_same_sequence(normalized: bool) -> None:
    made = strided(3, normalized).eval()
    stirred(made)
    whole, last = made(clips(6), None)
    first, state = made(clips(6)[:, :1], None)
    rest, end = made(clips(6)[:, 1:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
    torch.testing.assert_close(end, last)


@pytest.mark.parametrize("normal", [False, True])
def test_it_begins_with_an_open_forget_gate_and_small_kernels(normal: bool) -> None:
    inward = Strided(40, 20, 3, 2, 1)
    made: Any = StridedConvLSTM(weight_norm(inward) if normal else inward, (4, 4), normalized=True)
    initialize(made, generator(0, "weights"))
    i, f, o, g = made.bias.chunk(4)
    assert (f == 1).all()
    assert not torch.cat([i, o, g]).any()
    assert made.first_h.value.shape == made.first_c.value.shape == (20, 4, 4)
    assert not made.first_h.value.any() and not made.first_c.value.any()
    assert made.inward.weight.std().item() == pytest.approx(0.05, rel=0.02)
    assert made.inward.bias is None
    for kernel in made.between.weight.chunk(4):
        rows = kernel.flatten(1)
        torch.testing.assert_close(rows @ rows.T, 0.01 * torch.eye(20), rtol=0, atol=1e-7)
    for norm in (made.norm_x, made.norm_h, made.norm_c):
        assert (norm.weight == 0.1).all()


def normal_of(x_BCHW: Tensor, weight_C: Tensor, shift_C: Tensor | float = 0.0) -> Tensor:
    mean = x_BCHW.mean(dim=(0, 2, 3), keepdim=True)
    spread = x_BCHW.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
    shift = shift_C[:, None, None] if isinstance(shift_C, Tensor) else shift_C
    return weight_C[:, None, None] * (x_BCHW - mean) / (spread + 1e-5).sqrt() + shift


def test_normalised_it_is_its_formula() -> None:
    made: Any = strided(3, normalized=True).train()
    stirred(made)
    state: Pair = (clips(3)[:, 0, :1].expand(-1, HIDDEN, -1, -1), torch.ones(ROWS, HIDDEN, 3, 3))
    x = clips(6, steps=1)
    gates = (
        normal_of(made.inward(x[:, 0]), made.norm_x.weight)
        + normal_of(made.between(state[0]), made.norm_h.weight)
        + made.bias[:, None, None]
    )
    i, f, o, g = gates.split(HIDDEN, dim=1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    h = o.sigmoid() * normal_of(c, made.norm_c.weight, made.norm_c.bias).tanh()
    torch.testing.assert_close(made(x, state)[1], (h, c))


def test_a_single_value_is_normalised_by_what_came_before() -> None:
    norm = Norm(2).train()
    norm.running_mean, norm.running_var = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 9.0])
    found = norm(torch.tensor([5.0, 5.0]).view(1, 2, 1, 1))
    torch.testing.assert_close(found.flatten(), torch.tensor([2.0, 1.0]))
    assert norm.running_mean.tolist() == [1.0, 2.0]
    two = norm(torch.tensor([[5.0, 5.0], [7.0, 9.0]])[..., None, None])
    torch.testing.assert_close(two.flatten().abs(), torch.ones(4))
