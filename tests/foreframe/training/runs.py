"""A training run small enough to be killed and repeated many times; also a program of its own."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foreframe.artefacts import tables, tensors
from foreframe.compute import prepare
from foreframe.config.compute import Compute
from foreframe.config.training import Training
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.result import Result
from foreframe.training.samples import Samples

COMPUTE = Compute(device="cpu", threads=1, precision="float32")
COUNT = 22  # with batches of 4 the last one of an epoch is short
FEATURES = 3


class Network(nn.Module):
    """A line with a moving average beside it, so that a checkpoint must hold buffers as well."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, 1)
        self.register_buffer("mean", torch.zeros(()))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-1, 1, generator=generator(0, "weights"))

    def loss(self, batch: Tensor, noise: torch.Generator) -> dict[str, Tensor]:
        """Fit the sum of the features, under noise."""
        error = self.layer(batch) - batch.sum(1, keepdim=True)
        error = error + 0.1 * torch.randn(error.shape, generator=noise)
        if self.training:
            self.mean.lerp_(error.detach().mean(), 0.1)
        chosen = (batch[:, 0] * 4).long()
        counts = torch.zeros(4).index_add_(0, chosen, torch.ones(len(batch)))
        return {"loss": error.square().mean(), "mean": self.mean, "codes_top": counts}


def training(**changes: Any) -> Training:
    values: dict[str, Any] = {
        "optimizer": "adamw",
        "learning_rate": 0.05,
        "weight_decay": 0.01,
        "batch_size": 4,
        "epochs": 3,
        "gradient_clip": 1.0,
        "schedule": "cosine",
        "warmup_steps": 2,
        "log_every": 5,
        "diverging": "stop",
    }
    return Training(**{**values, **changes})


def samples(count: int = COUNT, name: str = "data") -> Samples[Tensor]:
    data = torch.rand(count, FEATURES, generator=generator(0, name))
    return Samples(count, lambda indices: data[indices])


def run(network: Network, checkpoints: Checkpoints, **changes: Any) -> Result:
    arguments: dict[str, Any] = {
        "model": network,
        "loss": network.loss,
        "train": samples(),
        "validation": samples(6, "validation"),
        "training": training(),
        "seed": 0,
        "purpose": "test",
        "compute": COMPUTE,
        "device": prepare(COMPUTE),
        "checkpoints": checkpoints,
    }
    return fit(**{**arguments, **changes})


def write(folder: Path, network: Network, result: Result) -> None:
    folder.mkdir(exist_ok=True)
    tensors.write(folder / "model.safetensors", network.state_dict(), "test", {})
    tables.write(folder / "curve.csv", result.curve)
    tables.write(folder / "epochs.csv", result.epochs)


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main(folder: Path, every: int) -> None:
    """Train with a checkpoint every so many steps, telling of each step on standard output."""
    network = Network()

    def loss(batch: Tensor, noise: torch.Generator) -> dict[str, Tensor]:
        sys.stdout.write(json.dumps({"training": network.training}) + "\n")
        sys.stdout.flush()
        return network.loss(batch, noise)

    with Checkpoints(folder / "checkpoints", seconds=1e9, steps=every) as checkpoints:
        result = run(network, checkpoints, loss=loss)
        write(folder / "outputs", network, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
