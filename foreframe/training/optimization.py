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
    """Take one step down the gradient of the scalar `loss`.

    Returns the gradient's global norm before clipping, a scalar.

    The clip is on the norm over all parameters, not on single values.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return norm
