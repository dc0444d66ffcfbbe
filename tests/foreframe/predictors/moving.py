"""What tests of predictors that go frame by frame need: a moving square, noise, a training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Plan
from foreframe.data.views import View
from foreframe.models import Model, Shape
from foreframe.networks.noise import Noise
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Recurrent
from foreframe.randomness import Numbers, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from tests.foreframe.training.games import adam, phase, plan
from tests.foreframe.training.runs import setting

STEPS = 24
GAIN = 2.5


class Repeated(Noise):
    """The same numbers whenever they are asked for, by what they are for."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def _numbers(self, purpose: str, time: int) -> Numbers:
        return generator(0, "noise", purpose, time)

    def normal(self, purpose: str, time: int, shape: Sequence[int]) -> Tensor:
        return self._numbers(purpose, time).normal((self.rows, *shape))

    def gumbel(self, purpose: str, time: int, shape: Sequence[int]) -> Tensor:
        raise AssertionError("no kind here draws Gumbel numbers")


def view(**changes: Any) -> View:
    known: dict[str, Any] = {
        "of": "frames",
        "frames": 5,
        "train_stride": 1,
        "evaluation_stride": 1,
        "channels": "grey",
        "scaling": "unit",
        "bits": 8,
        "dequantise": False,
    }
    return View(**(known | changes))


def common(kind: str, **changes: Any) -> dict[str, Any]:
    """Return the settings that all kinds have."""
    known = {"kind": kind, "view": view(), "actions": "none", "labels": (), "training": short()}
    return known | changes


def short() -> Plan:
    """Return a plan of a few steps."""
    player = adam(learning_rate=0.01)
    return plan(phases=(phase(steps=STEPS),), players={"model": player}, log_every=1)


def given(rows: int = 16, columns: int | None = None, channels: int = 1, frames: int = 5) -> Given:
    """Return what frames of a size tell a predictor."""
    return Given(Shape(channels, frames, rows, columns or rows), (), {})


def clips(count: int = 4, frames: int = 5, rows: int = 16) -> Tensor:
    """Return clips (B,1,T,H,W) of a bright square that moves to the right, not all alike."""
    x_BCTHW = 0.1 * generator(0, "clips").uniform((count, 1, frames, rows, rows))
    for clip in range(count):
        for time in range(frames):
            left = (2 * clip + time) % (rows - 4)
            x_BCTHW[clip, :, time, clip : clip + 6, left : left + 4] = 0.9
    return x_BCTHW


def perturbed(x_BCTHW: Tensor, time: int) -> Tensor:
    """Return clips whose frame `time` is another one."""
    changed = x_BCTHW.clone()
    changed[:, :, time] = 1 - changed[:, :, time]
    return changed


def drawn(model: Model) -> None:
    """Draw weights and the statistics of normalisations, and stop training.

    Larger weights than a training begins with: else little of what is given would come through.
    """
    model.initialize(generator(0, "weights"))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(GAIN)
    numbers = generator(0, "statistics")
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            low = 0.5 if name.endswith("running_var") else -0.5
            buffer.copy_(numbers.uniform(buffer.shape, low, low + 1))
    model.eval()


def moved_by(model: Recurrent[Any], x_BCTHW: Tensor, time: int) -> Tensor:
    """Return which frames (S,) but the first cost more or less once frame `time` is another one."""
    noise, x_BCTHW = Repeated(len(x_BCTHW)), x_BCTHW.double()
    model.double()
    with torch.no_grad():
        before = model.terms(x_BCTHW, 1, noise).nll
        after = model.terms(perturbed(x_BCTHW, time), 1, noise).nll
    return ((before - after).abs() > 1e-9).all(dim=0)


def losses(model: Recurrent[Any], folder: Path) -> list[float]:
    """Return the loss of each step of a short training on the moving square."""
    model.initialize(generator(0, "weights"))
    x_BCTHW = clips(8)
    samples = Samples(8, lambda indices: {"x": x_BCTHW[indices]})
    with Checkpoints(folder) as checkpoints:
        result = fit(
            model.objective(),
            lambda _: samples,
            None,
            model.settings.training,
            setting(checkpoints),
        )
    return list(result.curve["loss"])


def moment(step: int = 0) -> Moment:
    """Return a step of a training."""
    return Moment(step, STEPS, 0, step, STEPS, generator(0, "step", step))
