"""A study whose classes are shades of grey, which a classifier of frames learns at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from foreframe.config.split import Split
from foreframe.data import writing
from foreframe.data.writing import Layout
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode
from stages import derive_flow, measure_colours, split, train_classifier
from tests.foreframe.classifiers import small
from tests.foreframe.data.test_flow import settings as flow_settings
from tests.foreframe.training.games import adam, phase, plan
from tests.stages.evaluation_study import COMPUTE

SIDE, FRAMES = 16, 4
COUNTS = {"train": 40, "validation": 12, "test": 8}
TONES = ("black", "dark", "light", "white")
# `side` takes tones together; `order` does not.
LABELS = {"tone": TONES, "side": ("lower", "upper"), "order": ("even", "odd")}


def frames(path: Path, *, height: int = SIDE, tones: tuple[str, ...] = TONES) -> None:
    """Write episodes of one tone each, with noise."""
    labels = {**LABELS, "tone": tones}
    layout = Layout(height, SIDE, 0.1, "test", (), (), labels, FRAMES)
    with writing.creating(path, layout) as writer:
        parts = [part for part, count in COUNTS.items() for _ in range(count)]
        for number, part in enumerate(parts):
            random = numpy_generator(0, "tones", number)
            tone = int(random.integers(4)) if number > 3 else number
            noise = random.integers(-15, 16, (FRAMES, height, SIDE, 3))
            block = Block(
                (30 + 60 * tone + noise).astype(numpy.uint8),
                *2 * [numpy.zeros((FRAMES, 0), numpy.float32)],
            )
            known = {"tone": tone, "side": tone // 2, "order": number // 4 % 2}
            episode = Episode(f"tape {number}", len(parts), iter([block]), part, known)
            list(writer.add(episode))


@dataclass(frozen=True)
class Study:
    """Where its files lie."""

    folder: Path

    def path(self, name: str) -> Path:
        suffix = {"model": "safetensors", "frames": "h5", "flow": "h5"}
        return self.folder / f"{name}.{suffix.get(name.rpartition('_')[2], 'json')}"

    def seen(self, of: str = "frames") -> dict[str, Any]:
        """Return frames, or flow, with their split and colours."""
        return {
            "frames": self.path(of),
            "split": self.path(f"{of}_split"),
            "normalization": self.path(f"{of}_colours"),
        }

    def prepare(self, of: str) -> None:
        shares = Split(by="official", train=0.8, validation=0.1, test=0.1)
        split.main(frames=self.path(of), split=shares, out=self.path(f"{of}_split"))
        known = {name: self.seen(of)[name] for name in ("frames", "split")}
        measure_colours.main(**known, out=self.path(f"{of}_colours"))

    def train(self, name: str, of: str = "frames", steps: int = 80, **changes: Any) -> Path:
        """Return the file of a trained stream."""
        length = FRAMES if of == "frames" else FRAMES - 1
        known: dict[str, Any] = {
            "widths": (8, 8, 8, 8),
            "label": "tone",
            "view": small.view(frames=length, train_stride=4, evaluation_stride=4),
            "training": plan(
                phases=(phase(steps=steps, batch_size=16),),
                players={"model": adam(learning_rate=0.01)},
                log_every=10,
            ),
        }
        out = self.path(f"{name}_model")
        train_classifier.main(
            **self.seen(of),
            classifier=small.settings("stream", **(known | changes)),
            seed=0,
            compute=COMPUTE,
            model=out,
            record=self.path(name),
        )
        return out


def make(folder: Path) -> Study:
    """Return a study with frames, their flow, and a classifier of each."""
    study = Study(folder / "data/tiny")
    study.folder.mkdir(parents=True)
    frames(study.path("frames"))
    derive_flow.main(frames=study.path("frames"), flow=flow_settings(), out=study.path("flow"))
    study.prepare("frames")
    study.prepare("flow")
    study.train("tones")
    study.train(
        "motions",
        of="flow",
        steps=2,
        sees="flow",
        stacked=2,
        view=small.view(
            frames=3, channels="colour", scaling="centred", train_stride=3, evaluation_stride=3
        ),
    )
    return study
