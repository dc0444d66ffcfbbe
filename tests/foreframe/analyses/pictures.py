"""Pictures of two classes, and a small flow that an analysis asks of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from foreframe.analyses.subject import Subject
from foreframe.artefacts import hdf5
from foreframe.config.futures import FutureSettings
from foreframe.randomness import generator
from tests.foreframe.analyses.asked import no_other
from tests.foreframe.predictors import test_glow

DIM, BRIGHT = 3, 8


def clips(count: int, side: int = test_glow.SIDE) -> tuple[Tensor, Tensor]:
    """Return dim and bright pictures (N,1,H,W,3) in turn, and which they are."""
    labels_N = torch.arange(count) % 2
    base = 40 + 160 * labels_N[:, None, None, None, None]
    noise = generator(0, "noise").integers(-20, 20, (count, 1, side, side, 3))
    return (base + noise).to(torch.uint8), torch.where(labels_N == 1, BRIGHT, DIM)


def subject(
    file: Any,
    count: int = 24,
    predictor: Any = None,
    side: int = test_glow.SIDE,
    **labels: Tensor,
) -> Subject:
    frames, classes = clips(count, side)
    futures = FutureSettings(
        set="test", clips=None, stride=1, context=0, context_encoding="context_only", horizon=1,
        samples=1, keep=0, seed=0,
    )  # fmt: skip
    read: Any = SimpleNamespace(read=lambda places: frames[places])
    return Subject(
        predictor or test_glow.ready(), test_glow.PLAIN, futures, range(7, 7 + count), read,
        torch.zeros(count, 1, 0), (), labels or {"digit": classes}, file,
        no_other,
    )  # fmt: skip


def analysed(path: Path, module: Any, chosen: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    with hdf5.creating(path, "analysis", {}) as file:
        found = module.analyse(subject(file, **more), chosen)
    with hdf5.opening(path, "analysis") as file:
        return found, {name: file[name][:] for name in file}
