"""Steps of flow whose memory does not grow with their number: going back, they are undone.

Only what comes out of the last step is kept. The way back works out each step's input from its
output, the last first (Gomez et al. 2017). The network of a coupling sees the half that the
coupling leaves alone, so one evaluation in the way back serves both the inverse and its gradients:
a step costs 4/3 of a stored one, three parts for the network forward and back and one again.
The input comes back with the rounding errors of float32, so gradients differ from stored ones in
their last digits.

Shapes: K steps, B rows, C channels, H rows and W columns of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from foreframe.networks.flows.coupling import Coupling
from foreframe.networks.flows.precision import full_precision
from foreframe.networks.flows.step import Affine, Step, affine


def inverted(
    steps: Sequence[Step], maps: Affine, x_BCHW: Tensor, condition: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the output (B,C,H,W) of the steps and log|det| (B,) of their couplings."""
    parameters = [weight for step in steps for weight in step.coupling.parameters()]
    result: tuple[Tensor, Tensor] = _Inverted.apply(  # type: ignore[no-untyped-call]
        steps, x_BCHW, condition, maps.weight, maps.bias, *parameters
    )
    return result


class _Inverted(torch.autograd.Function):
    """Parameters are inputs, so that they have gradients; steps are what computes with them."""

    @staticmethod
    def forward(
        context: Any,
        steps: Sequence[Step],
        x_BCHW: Tensor,
        condition: Tensor | None,
        weight_KCC: Tensor,
        bias_KC: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        total_B = x_BCHW.new_zeros(len(x_BCHW))
        for step, weight_CC, bias_C in zip(steps, weight_KCC, bias_KC, strict=True):
            x_BCHW, log_B = step.coupling(affine(x_BCHW, weight_CC, bias_C), condition)
            total_B = total_B + log_B
        context.steps = steps
        # Keeping the parameters among them is how autograd sees that one changes too early.
        context.save_for_backward(x_BCHW, condition, weight_KCC, *parameters)
        return x_BCHW, total_B

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g_BCHW, g_log_B), steps = gradients, context.steps
        y_BCHW, condition, weight_KCC, *_ = context.saved_tensors
        back, g_condition = Affine.inverse_of(steps), None
        maps, couplings = [], []  # gradients, the last step first
        with full_precision(y_BCHW.device):
            for k in reversed(range(len(steps))):
                undone = _undo(steps[k].coupling, y_BCHW, condition, g_BCHW, g_log_B)
                y_BCHW = affine(undone.x, back.weight[k], back.bias[k])
                g_weight_CC = torch.einsum("bihw,bjhw->ij", undone.gradient, y_BCHW)
                maps.append((g_weight_CC, undone.gradient.sum(dim=(0, 2, 3))))
                couplings.append(undone.parameters)
                g_condition = _sum(g_condition, undone.condition)
                g_BCHW = affine(undone.gradient, weight_KCC[k].T, None)
        g_weight_KCC, g_bias_KC = (torch.stack(part[::-1]) for part in zip(*maps, strict=True))
        parameters = [gradient for own in reversed(couplings) for gradient in own]
        return None, g_BCHW, g_condition, g_weight_KCC, g_bias_KC, *parameters


@dataclass(frozen=True)
class _Undone:
    """The input of a coupling, and the gradients of it, of the condition and of the parameters."""

    x: Tensor
    gradient: Tensor
    condition: Tensor | None
    parameters: list[Tensor | None]


def _undo(
    coupling: Coupling,
    y_BCHW: Tensor,
    condition: Tensor | None,
    g_BCHW: Tensor,
    g_log_B: Tensor,
) -> _Undone:
    (y_a, y_b), (g_a, g_b) = y_BCHW.chunk(2, dim=1), g_BCHW.chunk(2, dim=1)
    kept = y_a.detach().requires_grad_()
    seen = None if condition is None else condition.detach().requires_grad_(condition.requires_grad)
    with torch.enable_grad():
        log_alpha, shift = coupling.terms(kept, seen)
    parameters = list(coupling.parameters())
    wanted = [one for one in (kept, seen, *parameters) if one is not None and one.requires_grad]
    g_shift = g_b * log_alpha.detach().exp()
    g_log_alpha = g_b * y_b + g_log_B[:, None, None, None]
    found = torch.autograd.grad([log_alpha, shift], wanted, [g_log_alpha, g_shift])
    gradients = {id(one): gradient for one, gradient in zip(wanted, found, strict=True)}
    x_b = y_b * (-log_alpha.detach()).exp() - shift.detach()
    return _Undone(
        torch.cat([y_a, x_b], dim=1),
        torch.cat([g_a + gradients[id(kept)], g_shift], dim=1),
        gradients.get(id(seen)),
        [gradients.get(id(one)) for one in parameters],
    )


def _sum(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    return more if total is None or more is None else total + more
