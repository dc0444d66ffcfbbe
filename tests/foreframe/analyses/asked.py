"""A predictor that can be worked out by hand, and clips that analyses ask it about.

Shapes: N clips, T frames, S after the given ones, B rows.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import h5py
import torch
from torch import Tensor

from foreframe.analyses.subject import Found, Subject
from foreframe.artefacts import hdf5
from foreframe.config.futures import FutureSettings
from foreframe.networks.gaussian import Gaussian, total
from foreframe.networks.noise import Noise
from foreframe.predictors.variational import LatentOptions
from tests.foreframe.predictors.test_recurrent import MEAN, NOISE, Brightness, settings

FIRST = 7  # the number of the first clip


class Told(Brightness):
    """A frame is the one before, brightened by z; it knows what it expects."""

    def surprisal(
        self, state: Tensor, x_BCHW: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> Tensor:
        z = options.scale * noise.normal("z", time, (1, 1, 1))
        return -total(Gaussian(state + self.gain * z, torch.tensor(NOISE)).log_prob(x_BCHW))

    def replay(self, x_BCTHW: Tensor, given: int, options: LatentOptions, noise: Noise) -> Tensor:
        return x_BCTHW[:, :, given - 1 : -1]


def told(gain: float = 0.2, error: float = 0.0) -> Told:
    model = Told(settings(), error)
    model.gain.data.fill_(gain)
    return model


def no_other(name: str) -> Subject:
    raise AssertionError(f"nothing is asked of the set {name}")


def subject(
    file: Any,
    model: Any,
    frames_NTHWC: Tensor,
    *,
    given: int = 1,
    options: Any = MEAN,
    states: Mapping[str, Tensor] | None = None,
) -> Subject:
    """Return a subject; `states` are (N,T) by name."""
    count, frames = frames_NTHWC.shape[:2]
    known = states or {}
    futures = FutureSettings(
        set="test", clips=None, stride=1, context=given, context_encoding="context_only",
        horizon=frames - given, samples=1, keep=0, seed=0,
    )  # fmt: skip
    read: Any = SimpleNamespace(read=lambda places: frames_NTHWC[places])
    states_NTS = (
        torch.stack(list(known.values()), dim=2) if known else torch.zeros(count, frames, 0)
    )
    numbers = range(FIRST, FIRST + count)
    return Subject(
        model, options, futures, numbers, read, states_NTS, tuple(known), {}, file, no_other
    )  # fmt: skip


@torch.no_grad()
def analysed(
    path: Path, module: ModuleType, chosen: Any, model: Any, frames_NTHWC: Tensor, **more: Any
) -> tuple[Found, dict[str, Any]]:
    """Return what an analysis found, and the arrays that it stored."""
    with hdf5.creating(path, "analysis", {}) as file:
        found = module.analyse(subject(file, model, frames_NTHWC, **more), chosen)
    with hdf5.opening(path, "analysis") as file:
        names: list[str] = []
        file.visit(names.append)
        return found, {
            name: file[name][:] for name in names if isinstance(file[name], h5py.Dataset)
        }


def bits(true_NSHWC: Tensor, mean_NSHWC: Tensor) -> Tensor:
    """Return the bits (N,S) of a value of grey frames that are Gaussian around others."""
    true, mean = (each[..., :1].double() / 255 for each in (true_NSHWC, mean_NSHWC))
    nats = -torch.distributions.Normal(mean, NOISE).log_prob(true).flatten(2).mean(dim=2)
    return (nats - torch.tensor(1 / 255, dtype=torch.float64).log()) / torch.log(torch.tensor(2.0))


def rows(found: Found, predictor: str, quantity: str) -> list[float]:
    """Return the means by frame of a series."""
    chosen = [
        each for each in found.series
        if (each["predictor"], each["quantity"]) == (predictor, quantity)
    ]  # fmt: skip
    assert [each["frame"] for each in chosen] == list(range(1, len(chosen) + 1))
    return [each["mean"] for each in chosen]
