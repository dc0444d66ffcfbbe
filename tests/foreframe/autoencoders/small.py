"""A small VQ-VAE for tests, and clips that look like something."""

from typing import Any

import torch
from torch import Tensor

from foreframe import autoencoders
from foreframe.autoencoders.joint import Joint
from foreframe.autoencoders.vqvae import VQVAE, Settings
from foreframe.config.training import Training
from foreframe.data.views import View
from foreframe.models import Shape, SingleLoss
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from tests.foreframe.data import seen

TRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "weight_decay": 0.01,
    "batch_size": 4,
    "epochs": 2,
    "gradient_clip": 1.0,
    "schedule": "constant",
    "warmup_steps": 0,
    "log_every": 2,
    "diverging": "stop",
    "shards": 1,
}
THESIS: dict[str, Any] = {
    "kind": "vqvae",
    "view": seen.FRAMES,
    "width": 128,
    "residual_width": 64,
    "residual_layers": 5,
    "residual_kernel": (1, 3, 3),
    "code_dim": 64,
    "codebook_size": 512,
    "upsampling_init": "default",
    "codebook_init": "uniform",
    "commitment": 0.25,
    "ema_decay": 0.99,
    "ema_epsilon": 1e-5,
    "ema_initial_count": 0.0,
    "restart_threshold": 0.0,
    "index_noise": {
        "sigma": 0.0,
        "sigma_is": "deviation",
        "gaussian": "rounded",
        "border": "clamp",
    },
    "bottom_sees_top": False,
    "bottom_dropout": 0.0,
    "training": TRAINING,
}
SMALL: dict[str, Any] = {
    **THESIS,
    "width": 16,
    "residual_width": 8,
    "residual_layers": 1,
    "code_dim": 8,
    "codebook_size": 32,
    "upsampling_init": "rescaled",
    "ema_initial_count": 1.0,
    "restart_threshold": 0.1,
}


# Of the thesis, and of the clips below.
THESIS_SHAPE = Shape(channels=3, frames=16, height=256, width=256)
SHAPE = Shape(channels=3, frames=8, height=32, width=32)


def settings(base: dict[str, Any], **changes: Any) -> Settings:
    values = {**base, **changes}
    parts = {"view": View(**values["view"]), "training": Training(**values["training"])}
    return Settings(**{**values, **parts})


def model(shape: Shape = SHAPE, **changes: Any) -> VQVAE:
    result = autoencoders.build(settings(SMALL, **changes), shape)
    result.initialize(generator(0, "weights"))
    assert isinstance(result, VQVAE)
    return result


def moving_stripes(count: int, frames: int = 8, size: int = 32) -> Tensor:
    """Return normalized clips (B,3,T,H,W) of stripes that move, each in its own way."""
    random_B3 = generator(0, "stripes").uniform((count, 3))
    slope, speed, phase = (6 * part.view(count, 1, 1, 1, 1) for part in random_B3.unbind(1))
    colours = torch.arange(3).view(3, 1, 1, 1)
    times = torch.arange(frames).view(frames, 1, 1)
    rows, columns = torch.arange(size).view(size, 1), torch.arange(size)
    return (0.2 * (rows * slope / 3 + columns + times * speed) + phase + colours).sin()


def moment(*position: str | int) -> Moment:
    """Return the first moment of a run of one step, with the random numbers of a position."""
    return Moment(0, 1, 0, 0, 1, generator(0, *position))


def loss(model: SingleLoss | Joint, clips_BCTHW: Tensor, *position: str | int) -> dict[str, Tensor]:
    """Return a model's loss of clips, at a position of the random numbers."""
    return dict(model.loss({"x": clips_BCTHW}, moment(*position)))


def learned(network: Any, steps: int) -> list[dict[str, float]]:
    """Return all parts of the loss in each step of learning two clips by heart."""
    clips = moving_stripes(2, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        found = loss(network, clips, "step", step)
        found["loss"].backward()
        optimizer.step()
        losses.append({name: part.item() for name, part in found.items() if part.ndim == 0})
    return losses
