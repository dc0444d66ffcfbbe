"""What longer clips cost a cascade and a single level: memory and time of a step of training.

    python -m benchmarks.cascade [OUT.json] [--frames 8 16 32] [--windows 2 4 8] [--batch 2]
                                 [--channels 8] [--side 32] [--repeats 2]

A step is the two turns of the critics and the one of the generator, of clips (batch, 3, frames,
side, side). `whole` is a single level that makes all of it; `first` is the first level of a cascade
of two, half the frames at half the size; `upper` is the second one, which sees a window of the clip
below. It is measured at the smallest window for all lengths, and at the greatest length for all
windows (Castrejon et al. 2022, figure 6.3 and table 6.4). Each measurement is a process of its own,
on one thread. Memory is measured where the C library gives what is freed back at once, time where
it keeps all; see `benchmarks.flows`. Printed: `kept`, the most bytes that a turn keeps for the way
back; `above`, what the step added to the largest resident memory of the process; `step`, the
processor time of the quickest step. Then the growth of each kind from the fewest frames to the
most, and of `upper` from the smallest window to the largest. OUT.json gets all of it.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from benchmarks import apart, limits
from benchmarks.apart import MIB
from foreframe.artefacts import facts
from foreframe.config.training import Adam, Phase, Plan
from foreframe.data.views import View
from foreframe.models import Shape
from foreframe.networks.video_critics import CriticSettings
from foreframe.networks.video_gan import GeneratorSettings
from foreframe.predictors.cascade import Cascade, Recalibration, Settings, build
from foreframe.predictors.cascade_levels import Level, players
from foreframe.predictors.learned import Given
from foreframe.randomness import generator
from foreframe.training.objective import Moment, Turn
from workflow.passes import Kept

Kind = Literal["whole", "first", "upper"]
KINDS: tuple[Kind, ...] = ("whole", "first", "upper")
VALUES = ("kept", "above", "step")
COLOURS, NOISE, SEEN = 3, 32, 4


@dataclass(frozen=True)
class Size:
    """What is measured: a level that takes part in clips (batch, 3, frames, side, side)."""

    kind: Kind
    frames: int
    window: int
    batch: int
    channels: int
    side: int
    repeats: int

    @property
    def place(self) -> int:
        """Return the place of the level that moves."""
        return 1 if self.kind == "upper" else 0

    def levels(self) -> tuple[Level, ...]:
        """Return one level of all frames, or two."""
        if self.kind == "whole":
            return (self._level(1, self.side, None, matching=False),)
        first = self._level(2, self.side // 2, None, matching=False)
        return first, self._level(1, self.side, self.window, matching=True)

    def _level(self, every: int, side: int, window: int | None, *, matching: bool) -> Level:
        doublings = (side // 4).bit_length() - 1
        widths = tuple(2**place for place in reversed(range(doublings)))
        temporal: Literal["gru", "separable"] = "separable" if matching else "gru"
        generating = GeneratorSettings(
            grid=4, channels=self.channels, multipliers=widths, temporal=temporal
        )
        seen = (*widths[::-1], widths[0])  # a critic's last block does not halve
        judging = CriticSettings(
            channels=self.channels, multipliers=seen, frames=SEEN, matching=matching
        )
        return Level(every=every, size=side, window=window, generator=generating, critic=judging)

    def model(self) -> Cascade:
        """Return the cascade, as a training begins with it."""
        levels = self.levels()
        settings = Settings(
            kind="cascade",
            view=View(
                of="frames",
                frames=self.frames,
                train_stride=1,
                evaluation_stride=1,
                channels="colour",
                scaling="symmetric",
                bits=8,
                dequantise=False,
            ),
            actions="none",
            labels=(),
            training=_plan(len(levels), self.batch),
            noise=NOISE,
            class_width=None,
            levels=levels,
            recalibration=Recalibration(passes=1, rows=2),
        )
        model = build(settings, Given(Shape(COLOURS, self.frames, self.side, self.side), (), {}))
        model.initialize(generator(0, "weights"))
        return model.train()

    def clips(self) -> Tensor:
        """Return true clips (B,C,T,H,W)."""
        shape = (self.batch, COLOURS, self.frames, self.side, self.side)
        return generator(0, "clips").uniform(shape, -1, 1)


def _plan(levels: int, batch: int) -> Plan:
    names = [players(place) for place in range(levels)]
    adam = Adam(
        kind="adam",
        learning_rate=1e-4,
        betas=(0.0, 0.999),
        epsilon=1e-8,
        weight_decay=0.0,
        clip=None,
        schedule="constant",
        warmup_steps=0,
    )
    phases = tuple(
        Phase(
            steps=1,
            epochs=None,
            batch_size=batch,
            frames=None,
            players=pair,
            restart_optimizers=False,
        )
        for pair in names
    )
    return Plan(
        phases=phases,
        players={name: adam for pair in names for name in pair},
        average=None,
        validate_every=None,
        judge=None,
        patience=None,
        diverging="stop",
        log_every=1,
        shards=1,
    )


class Lesson:
    """A level in training: its turns, each a loss and the gradient of its player."""

    def __init__(self, size: Size) -> None:
        self.model, self.size = size.model(), size
        self.game, self.batch = self.model.objective(), {"x": size.clips()}

    def turns(self) -> Iterator[Turn]:
        """Yield the turns of a step."""
        names = players(self.size.place)
        yield from (turn for turn in self.game.turns if turn[0] in names)

    def step(self) -> None:
        """Compute the gradients of all turns; they are not followed."""
        weights = {player.name: player.weights() for player in self.game.players}
        for turn in self.turns():
            torch.autograd.grad(self._loss(turn), weights[turn[0]])

    def kept(self) -> int:
        """Return the most bytes that a turn keeps for the way back."""
        found = []
        for turn in self.turns():
            counted = Kept(self.model)
            with counted:
                self._loss(turn)
            found.append(counted.bytes)
        return max(found)

    def _loss(self, turn: Turn) -> Tensor:
        moment = Moment(0, 1, self.size.place, 0, 1, generator(0, "step"))
        return self.game.losses(self.batch, moment, turn)[turn[0]]["loss"]


def measure(size: Size) -> dict[str, float]:
    """Return what the module's text says of one size, in this process."""
    torch.set_num_threads(1)
    # What libraries set up once is none of a step's.
    Lesson(replace(size, batch=1, channels=2, side=16)).step()
    lesson, times = Lesson(size), []
    before = apart.peak()
    for _ in range(size.repeats):
        start = time.process_time()
        lesson.step()
        times.append(time.process_time() - start)
    above = apart.peak() - before
    return {"kept": lesson.kept(), "above": above, "step": min(times)}


def main() -> None:
    """Print a line for each measurement, and one for each growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT.json")
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--windows", type=int, nargs="+", default=[2, 4, 8])
    sizes = {"batch": 2, "channels": 8, "side": 32, "repeats": 2}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", help="measure this size in this process")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(Size(**json.loads(options.only)))))
        return
    chosen = {name: getattr(options, name) for name in sizes}
    few, many = min(options.frames), max(options.frames)
    small, large = min(options.windows), max(options.windows)
    wanted = [(kind, frames, small) for frames in sorted(options.frames) for kind in KINDS]
    wanted += [("upper", many, window) for window in sorted(options.windows) if window > small]
    print(f"{'kind':<8}{'frames':>7}{'window':>7}{'kept':>10}{'above':>10}{'step':>14}")
    found: dict[tuple[Kind, int, int], dict[str, float]] = {}
    for each in wanted:
        found[each] = apart.measured("benchmarks.cascade", Size(*each, **chosen))
        kind, frames, window = each
        memory = "".join(f"{found[each][name] / MIB:>10.2f}" for name in ("kept", "above"))
        shown = f"{window:>7}" if kind == "upper" else f"{'':>7}"
        step = f"{1000 * found[each]['step']:>7.0f} ms"
        print(f"{kind:<8}{frames:>7}{shown}{memory} MiB{step}")
    growth = {
        kind: _growth(found[kind, few, small], found[kind, many, small]) for kind in KINDS
    } | {"window": _growth(found["upper", many, small], found["upper", many, large])}
    print(f"{many} / {few} frames, and of upper a window of {large} / {small}:")
    for name, row in growth.items():
        print(f"{name:<22}" + "".join(f"{row[value]:>10.2f}" for value in VALUES))
    if options.out:
        rows = [
            {"kind": kind, "frames": frames, "window": window, **row}
            for (kind, frames, window), row in found.items()
        ]
        machine = limits.machine(torch.device("cpu")) | {"threads": 1}
        ends: dict[str, Any] = {"frames": [few, many], "windows": [small, large]}
        values = {"machine": machine, "sizes": chosen, "rows": rows, "growth": ends | growth}
        facts.write(options.out, "benchmark_cascade", values)


def _growth(small: Mapping[str, float], large: Mapping[str, float]) -> dict[str, float]:
    return {name: large[name] / small[name] for name in VALUES}


if __name__ == "__main__":
    main()
