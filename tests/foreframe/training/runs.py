"""Training runs small enough to be killed and repeated many times; also a program of its own."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foreframe.artefacts import tables, tensors
from foreframe.config.compute import Compute
from foreframe.config.training import Phase, Plan, Training
from foreframe.randomness import Numbers, generator
from foreframe.running.compute import prepare
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Losses, Moment, Objective, Plain, Turn
from foreframe.training.result import Result
from foreframe.training.samples import Samples
from foreframe.training.step import Run
from tests.foreframe.training import games

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
COUNT = 22  # with batches of 4 the last one of an epoch is short
FEATURES = games.FEATURES

Loss = Callable[[Any, Numbers], Mapping[str, Tensor]]


class Network(nn.Module):
    """A line with a moving average beside it, so that a checkpoint must hold buffers as well."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, 1)
        self.register_buffer("mean", torch.zeros(()))
        games.draw(self)

    def loss(self, batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        """Fit the sum of the features, under noise."""
        error = self.layer(batch) - batch.sum(1, keepdim=True)
        error = error + 0.1 * noise.normal(error.shape)
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
        "shards": 1,
    }
    return Training(**{**values, **changes})


def samples(count: int = COUNT, name: str = "data") -> Samples[Tensor]:
    data = generator(0, name).uniform((count, FEATURES))
    return Samples(count, lambda indices: data[indices])


TRAIN, VALIDATION, TRAINING = samples(), samples(6, "validation"), training()


def setting(checkpoints: Checkpoints, seed: int = 0, compute: Compute = COMPUTE) -> Run:
    return Run(seed, "test", compute, prepare(compute), checkpoints)


def run(
    network: nn.Module,
    checkpoints: Checkpoints,
    *,
    loss: Loss | None = None,
    train: Samples[Any] = TRAIN,
    validation: Samples[Any] = VALIDATION,
    training: Training = TRAINING,
    **where: Any,
) -> Result:
    """Train a network by its own loss, or by another one."""
    each: Loss = loss or network.loss  # type: ignore[assignment]
    return fit(
        Plain(network, lambda batch, moment: each(batch, moment.numbers)),
        lambda phase: train,
        lambda phase: validation,
        training.plan(),
        setting(checkpoints, **where),
    )


def play(objective: Objective[Tensor], plan: Plan, checkpoints: Checkpoints) -> Result:
    """Train any objective on samples of as many features as the phase has frames, or all."""

    def view(samples: Samples[Tensor], phase: Phase) -> Samples[Tensor]:
        return Samples(samples.count, lambda indices: samples.read(indices)[:, : phase.frames])

    return fit(
        objective,
        lambda phase: view(TRAIN, phase),
        lambda phase: view(VALIDATION, phase),
        plan,
        setting(checkpoints),
    )


class Watched(Objective[Tensor]):
    """Another objective, with something done before each call of its losses and its measure."""

    def __init__(self, of: Objective[Tensor], before: Callable[[], None]) -> None:
        self._of, self._before = of, before
        self.model, self.players, self.turns = of.model, of.players, of.turns
        self.averaged = of.averaged
        self.start, self.enter = of.start, of.enter  # type: ignore[method-assign]

    def losses(self, batch: Tensor, moment: Moment, turn: Turn) -> Losses:
        self._before()
        return self._of.losses(batch, moment, turn)

    def measure(self, batch: Tensor, moment: Moment) -> Mapping[str, Tensor]:
        self._before()
        return self._of.measure(batch, moment)


def plain() -> tuple[Objective[Tensor], Plan]:
    network = Network()
    return Plain(
        network, lambda batch, moment: network.loss(batch, moment.numbers)
    ), TRAINING.plan()


CASES: dict[str, Callable[[], tuple[Objective[Tensor], Plan]]] = {
    "plain": plain,
    "duel": lambda: (games.Duel(), games.duel_plan()),
    "growing": lambda: (games.Growing(), games.growing_plan()),
}


def write(folder: Path, model: nn.Module, result: Result) -> None:
    folder.mkdir(exist_ok=True)
    tensors.write(folder / "model.safetensors", model.state_dict(), "test", {})
    for place, average in enumerate(result.averaged):
        tensors.write(folder / f"average{place}.safetensors", average.state_dict(), "test", {})
    tables.write(folder / "curve.csv", result.curve)
    tables.write(folder / "epochs.csv", result.epochs)


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def outcome(folder: Path, case: str, checkpoints: Checkpoints) -> Mapping[str, bytes]:
    """Run a case to its end; return the bytes of all that it leaves."""
    objective, plan = CASES[case]()
    write(folder, objective.model, play(objective, plan, checkpoints))
    return contents(folder)


def main(folder: Path, every: int, case: str) -> None:
    """Train with a checkpoint every so many steps, telling of each call on standard output."""
    objective, plan = CASES[case]()

    def tell() -> None:
        sys.stdout.write(json.dumps({"training": objective.model.training}) + "\n")
        sys.stdout.flush()

    with Checkpoints(folder / "checkpoints", seconds=1e9, steps=every) as checkpoints:
        result = play(Watched(objective, tell), plan, checkpoints)
        write(folder / "outputs", objective.model, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
