"""What cannot be taped is refused, and what has two steps of its own is taped between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe import kinds
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.evaluation.taping import Player, Recorder, Tape, blank, taped
from foreframe.features.inception_v3 import CLASSES
from foreframe.metrics import catalogue
from foreframe.metrics.frechet import REAL
from foreframe.metrics.inception_score import InceptionSets
from foreframe.metrics.metric import Accumulator, Found, Metric, Wanted

CLIPS = 4
WANTED = Wanted(few=True, interval=True)


class Pixels:
    """Stands for Inception, whose weights are not here: the first pixels are its logits."""

    def prepared(self, frames_BTHWC: Tensor) -> Tensor:
        return frames_BTHWC.flatten(0, 1).flatten(1).float() / 255

    def network(self, pixels_NP: Tensor) -> Tensor:
        return pixels_NP[:, :CLASSES]


class Counting(Accumulator):
    """Sees frames through nothing that another one could stand for."""

    def update(self, name: str, frames_BTHWC: Tensor) -> None:
        pass

    def result(self, name: str) -> Found:
        return Found(0.0)


def metric(accumulate: Callable[[Wanted], Accumulator]) -> Metric:
    return Metric("toy", "", "higher", "", accumulate=accumulate)


def clips(seed: int) -> Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randint(256, (CLIPS, 5, 20, 20, 3), dtype=torch.uint8, generator=numbers)


def seen(metric: Metric, tape: Tape, real_BTHWC: Tensor, made_BTHWC: Tensor) -> Accumulator:
    assert metric.accumulate is not None
    accumulator = taped(metric, tape).accumulate
    assert accumulator is not None
    found = accumulator(WANTED)
    for place in range(CLIPS):
        tape.turn(place)
        found.update(REAL, real_BTHWC[place : place + 1])
        found.update("made", made_BTHWC[place : place + 1])
        tape.end()
    return found


def test_a_score_of_classes_is_the_same_from_a_tape(tmp_path: Path) -> None:
    network: Any = Pixels()
    toy, plain = metric(lambda _: InceptionSets(network)), InceptionSets(network)
    real, made = clips(0), clips(1)
    for place in range(CLIPS):
        plain.update("made", made[place : place + 1])
    with hdf5.creating(tmp_path / "tape.h5", "tape", {}) as file:
        seen(toy, Recorder(file, CLIPS), real, made)
    with hdf5.opening(tmp_path / "tape.h5", "tape") as read:
        nothing = blank(CLIPS, 5)
        played = seen(toy, Player([(read, CLIPS)]), nothing, nothing)
    assert played.result("made") == plain.result("made")


def test_every_metric_of_sets_can_be_taped(tmp_path: Path) -> None:
    names = []
    for name in kinds.available(catalogue.PACKAGE):
        found = catalogue.find(name, tmp_path, torch.device("cpu"))
        if found.accumulate is not None:
            accumulate = taped(found, Player([])).accumulate
            assert accumulate is not None
            names.append(accumulate(WANTED))
    assert len(names) > 3


def test_a_metric_that_does_not_say_what_it_sees_is_refused() -> None:
    accumulate = taped(metric(lambda _: Counting()), Player([])).accumulate
    assert accumulate is not None
    with pytest.raises(UserError, match=r"toy cannot be shared out.*stage evaluate"):
        accumulate(WANTED)
