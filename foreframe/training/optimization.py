"""The optimiser and its step size: a schedule is a pure function of the step and has no state."""

import math

import torch
from torch import Tensor, nn

from foreframe.config.training import Training

# Xu 2022, 5.1; Kingma and Ba 2015.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return Adam, or Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    # One kernel for all parameters: small networks spend their time on calls otherwise.
    return kind(
        parameters,
        lr=training.learning_rate,
        betas=BETAS,
        eps=EPSILON,
        weight_decay=training.weight_decay,
        fused=True,
    )


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Return the step size of step `step` (from 0) in a run of `steps`.

    It rises linearly over the warm-up, then stays, or falls to 0 along half a cosine.
    """
    if step < training.warmup_steps:
        return training.learning_rate * (step + 1) / training.warmup_steps
    if training.schedule == "constant":
        return training.learning_rate
    progress = (step - training.warmup_steps) / max(1, steps - training.warmup_steps)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def step(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float, clip: float | None) -> Tensor:
    """Take one step down the gradient of the scalar `loss`: `gradient`, then `follow`.

    Returns the gradient's global norm before clipping, a scalar.
    """
    norm = gradient(optimizer, loss)
    follow(optimizer, norm, rate, clip)
    return norm


def gradient(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """Work out the gradient of the scalar `loss`; return its norm over all weights, a scalar."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    gradients = [weight.grad for weight in _weights(optimizer) if weight.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)


def follow(optimizer: torch.optim.Optimizer, norm: Tensor, rate: float, clip: float | None) -> None:
    """Take one step down the gradient; `norm`, a scalar, is its norm over all weights.

    The clip is on that norm, not on single values.
    """
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(_weights(optimizer), clip, norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]
