"""What tests of classifiers need: a small one of each kind, clips that are easy, and a training."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe import classifiers, kinds
from foreframe.classifiers import Classifier, Given
from foreframe.config.training import Plan
from foreframe.data.views import View
from foreframe.models import Shape
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples
from tests.foreframe.data import seen
from tests.foreframe.training.games import adam, phase, plan
from tests.foreframe.training.runs import setting

LABEL, CLASSES = "direction", ("right", "left", "down", "up")
FRAMES, SIDE, STEPS = 6, 16, 60

# Of four layers, which bring 16 x 16 pixels to one place.
KINDS: dict[str, dict[str, Any]] = {
    "conv3d": {"widths": (8, 8, 16, 16), "kernels": (3, 2, 1, 1)},
    "conv_lstm": {
        "widths": (8, 8, 16, 16),
        "recurrent": (False, False, True, True),
        "recurrent_norm": True,
    },
    "conv3d_conv_lstm": {
        "widths": (8, 8),
        "kernels": (3, 2),
        "recurrent_widths": (16, 16),
        "recurrent_norm": True,
    },
    "relation_network": {
        "frame_widths": (8, 8),
        "kappa": 3,
        "relation_widths": (16, 16),
        "widths": (8,),
        "recurrent_width": 16,
        "recurrent_norm": True,
    },
    "stream": {"sees": "frame", "stacked": 1, "widths": (8, 8, 16, 16)},
}


def view(**changes: Any) -> View:
    return seen.view(**{"frames": FRAMES, "channels": "grey", "scaling": "unit", **changes})


def short() -> Plan:
    player = adam(learning_rate=0.01)
    return plan(phases=(phase(steps=STEPS, batch_size=16),), players={"model": player}, log_every=1)


def settings(kind: str, **changes: Any) -> Any:
    known = {"kind": kind, "view": view(), "label": LABEL, "training": short(), **KINDS[kind]}
    return kinds.find(classifiers.PACKAGE, kind).Settings(**(known | changes))


def given(side: int = SIDE, channels: int = 1, frames: int = FRAMES, **changes: Any) -> Given:
    return Given(Shape(channels, frames, side, side), changes.get("classes", CLASSES))


def model(kind: str, channels: int = 1, **changes: Any) -> Any:
    built: Classifier = classifiers.ROLE.build(settings(kind, **changes), given(channels=channels))
    built.initialize(generator(0, "weights"))
    return built


def clips(count: int = 32, part: str = "train") -> tuple[Tensor, Tensor]:
    """Return clips (B,1,T,H,W) of a bar that goes one way, from anywhere, and their classes (B,).

    A single frame tells whether it stands or lies, and nothing else.
    """
    numbers = generator(0, "bars", part)
    labels_B = torch.arange(count) % len(CLASSES)
    x_BCTHW = 0.1 * numbers.uniform((count, 1, FRAMES, SIDE, SIDE))
    begins = numbers.integers(0, SIDE, (count,)).tolist()
    for x_CTHW, label, begin in zip(x_BCTHW, labels_B.tolist(), begins, strict=True):
        for time in range(FRAMES):
            place = begin + (2 * time if label % 2 == 0 else -2 * time)
            for line in range(3):
                at = (place + line) % SIDE
                x_CTHW[:, time, *((slice(None), at) if label < 2 else (at, slice(None)))] = 0.9
    return x_BCTHW, labels_B


def flows(count: int = 32) -> tuple[Tensor, Tensor]:
    """Return the flow (B,3,T,H,W) of things that go one way, and its classes (B,)."""
    labels_B = torch.arange(count) % len(CLASSES)
    x_BCTHW = 0.2 * generator(0, "flows").uniform((count, 3, FRAMES, SIDE, SIDE), -1, 1)
    sign_B = 1 - 2 * (labels_B % 2)
    for row, (label, sign) in enumerate(zip(labels_B.tolist(), sign_B.tolist(), strict=True)):
        x_BCTHW[row, label // 2] += 0.1 * sign
    return x_BCTHW, labels_B


def train(built: Any, x_BCTHW: Tensor, labels_B: Tensor, folder: Path) -> None:
    samples = Samples(
        len(x_BCTHW), lambda rows: {"x": x_BCTHW[rows], "labels": {LABEL: labels_B[rows]}}
    )
    with Checkpoints(folder) as checkpoints:
        plan = built.settings.training
        fit(built.objective(), lambda _: samples, None, plan, setting(checkpoints))
    built.eval()


@torch.no_grad()
def error(built: Any, x_BCTHW: Tensor, labels_B: Tensor) -> float:
    return float((built.logits(x_BCTHW).argmax(dim=1) != labels_B).double().mean())
