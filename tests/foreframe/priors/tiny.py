"""Tiny priors of both kinds for tests: untrained, with every number drawn from a seed."""

from typing import Any

import torch

from foreframe.config.training import Training
from foreframe.priors import (
    ACTIONS,
    AutoregressivePrior,
    Codes,
    Grid,
    Prior,
    build,
    conditional_pixel_snail,
    density,
    pixel_snail,
)
from foreframe.priors.actions import Actions
from foreframe.randomness import generator

TRAINING = Training(
    optimizer="adamw",
    learning_rate=0.01,
    weight_decay=0.01,
    batch_size=2,
    epochs=1,
    gradient_clip=None,
    schedule="constant",
    warmup_steps=0,
    log_every=1,
    diverging="stop",
    shards=1,
)


def top_settings(**changes: Any) -> pixel_snail.Settings:
    values: dict[str, Any] = {
        "kind": "pixel_snail",
        "level": "top",
        "condition_on": (),
        "actions": "none",
        "channels": 6,
        "residual_layers": 1,
        "blocks": 2,
        "key_channels": 4,
        "value_channels": 5,
        "attention_scale": "key",
        "training": TRAINING,
    }
    return pixel_snail.Settings(**(values | changes))


def bottom_settings(**changes: Any) -> conditional_pixel_snail.Settings:
    values: dict[str, Any] = {
        "kind": "conditional_pixel_snail",
        "level": "bottom",
        "condition_on": ("top",),
        "actions": "none",
        "channels": 6,
        "residual_layers": 1,
        "blocks": 2,
        "kernel": (3, 3, 5),
        "condition_layers": 1,
        "condition_channels": 4,
        "condition_kernel": (3, 3, 3),
        "conditioning": "input",
        "training": TRAINING,
    }
    return conditional_pixel_snail.Settings(**(values | changes))


def top(
    grid: Grid = (2, 3, 3), size: int = 7, seed: int = 0, **changes: Any
) -> AutoregressivePrior:
    prior = build(top_settings(**changes), Codes(grid, size), {}, actions(grid))
    return drawn(prior, seed)


def bottom(
    half: Grid = (1, 2, 2), size: int = 7, seed: int = 0, **changes: Any
) -> AutoregressivePrior:
    grid = (2 * half[0], 2 * half[1], 2 * half[2])
    conditions = {"top": Codes(half, 5)}
    prior = build(bottom_settings(**changes), Codes(grid, size), conditions, actions(grid))
    return drawn(prior, seed)


def actions(grid: Grid) -> Actions:
    """Return two channels of actions for clips of two frames a code-frame."""
    return Actions(("steer", "gas"), 2 * grid[0], (0.1, -0.2), (0.5, 2.0))


def drawn(prior: Prior, seed: int) -> AutoregressivePrior:
    """Give a prior its starting weights, enlarged so that its logits differ clearly."""
    prior.initialize(generator(seed, "weights"))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(2)
    return density(prior).eval()


def codes(prior: AutoregressivePrior, batch: int, seed: int = 0) -> torch.Tensor:
    """Return random codes of the prior's level: (B,T,H,W)."""
    numbers = generator(seed, "codes")
    return numbers.integers(0, prior.codebook_size, (batch, *prior.grid))


def given(prior: AutoregressivePrior, batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random codes of the levels that the prior is given, and actions if it takes any."""
    found = {
        level: generator(seed, "given", level).integers(
            0, shape.codebook_size, (batch, *shape.grid)
        )
        for level, shape in prior.conditions.items()
    }
    if prior.actions is not None:
        size = (batch, prior.actions.frames, len(prior.actions.names))
        found[ACTIONS] = generator(seed, "given", ACTIONS).normal(size)
    return found


def condition(prior: AutoregressivePrior, batch: int, seed: int = 0) -> torch.Tensor | None:
    with torch.no_grad():
        return prior.condition(given(prior, batch, seed))
