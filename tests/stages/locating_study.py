"""A study of cups and a ball: a small model with slots, and classifiers that begin with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreframe.config.split import Split
from stages import (
    collect,
    finetune_classifier,
    locate,
    measure_colours,
    split,
    train_predictor,
)
from tests.foreframe.classifiers import locators
from tests.foreframe.predictors import moving, sliding
from tests.foreframe.sources import synthetic_episodes
from tests.foreframe.training.games import adam, phase, plan
from tests.stages.evaluation_study import COMPUTE

SIDE, FRAMES, STEPS = 16, 6, 3
SHARES = Split(by="official", train=0.5, validation=0.25, test=0.25)
DATA = ("frames", "split", "normalization")


@dataclass(frozen=True)
class Study:
    """Where its files lie."""

    folder: Path

    def path(self, name: str) -> Path:
        suffix = {"frames": "h5", "scene": "safetensors", "model": "safetensors"}
        return self.folder / f"{name}.{suffix.get(name.rpartition('_')[2], 'json')}"

    @property
    def data(self) -> dict[str, Any]:
        return {name: self.path(name) for name in DATA}

    def prepare(self) -> None:
        size = {"height": SIDE, "width": SIDE, "frames_per_episode": FRAMES}
        counts = {"train_episodes": 24, "test_episodes": 12}
        collect.main(
            videos=self.folder / "none",
            source=synthetic_episodes.settings("cups_and_ball", **size, **counts),
            seed=0,
            workers=1,
            out=self.path("frames"),
        )
        split.main(frames=self.path("frames"), split=SHARES, out=self.path("split"))
        known = {name: self.path(name) for name in ("frames", "split")}
        measure_colours.main(**known, out=self.path("normalization"))

    def train_scene(self, **changes: Any) -> Path:
        view = moving.view(channels="colour", frames=2, train_stride=2, evaluation_stride=2)
        steps = plan(
            phases=(phase(steps=STEPS, batch_size=4, frames=1),), players={"model": adam()}
        )
        out = self.path("scene")
        train_predictor.main(
            **self.data,
            predictor=sliding.settings(view=view, training=steps, **changes),
            seed=0,
            compute=COMPUTE,
            model=out,
            record=self.path("scene_record"),
        )
        return out

    def finetune(self, name: str, **changes: Any) -> Path:
        """Return the file of a classifier that begins with the scene model."""
        view = {"frames": FRAMES, "train_stride": FRAMES, "evaluation_stride": FRAMES}
        steps = plan(phases=(phase(steps=STEPS, batch_size=4),), players={"model": adam()})
        known: dict[str, Any] = {
            "view": moving.view(channels="colour", **view),
            "label": "cell",
            "encoder": None,
            "start": "given",
            "training": steps,
        }
        out = self.path(f"{name}_model")
        finetune_classifier.main(
            **self.data,
            given=self.path("scene"),
            classifier=locators.settings(**(known | changes)),
            seed=0,
            compute=COMPUTE,
            model=out,
            record=self.path(name),
        )
        return out

    def locate(self, out: Path, *models: Path, **changes: Any) -> None:
        given: dict[str, Any] = {"models": models, "seed": 0, "compute": COMPUTE}
        locate.main(**(self.data | given | changes), found=out, arrays=out.with_suffix(".h5"))


def make(folder: Path) -> Study:
    """Return a study with data and a scene model."""
    study = Study(folder / "data/tiny")
    study.folder.mkdir(parents=True)
    study.prepare()
    study.train_scene()
    return study
