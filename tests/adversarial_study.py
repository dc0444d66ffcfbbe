"""What tests of the study of adversarial video ask of it: presets, stages, models, its document."""

import functools
from collections.abc import Mapping
from typing import Any

import torch
from ruamel.yaml import YAML

from foreframe import classifiers
from foreframe.config import study
from foreframe.data import splits
from foreframe.data.labels import Classes
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.sources import celeba, cifar10, drawn_objects, dynamics, svhn
from foreframe.sources.reading import digit_images
from tests import smoke
from workflow import preset

FOLDER = smoke.ROOT / "studies/adversarial_video"
PRESETS = ("laptop", "smoke", "thesis")
# Labels that the sources of all presets give; CelebA's table of attributes names its own.
LABELS: Mapping[str, Classes] = {
    "digits": {"digit": digit_images.DIGITS},
    "svhn": {svhn.LABEL: svhn.CLASSES},
    "drawn_objects": drawn_objects.LABELS,
    "cifar10": {cifar10.LABEL: cifar10.CLASSES},
    "dynamics": dynamics.LABELS,
}
ATTRIBUTES = 40


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    base = preset.values(name, smoke.PRESETS)
    return study.resolve(preset.values(name, FOLDER / "presets"), name, base)


def read(name: str) -> Any:
    return YAML(typ="safe").load((FOLDER / name).read_text(encoding="utf-8"))


@functools.cache
def trained_on(stage: str) -> dict[str, str]:
    """Return the data of each run, as the study's stages say."""
    return {
        run: data.partition("_")[0]
        for run, data in read("dvc.yaml")["stages"][stage]["foreach"].items()
    }


def known(name: str, data: str) -> Classes:
    """Return the labels of data with their classes."""
    kind = sections(name).study.data[data].source.kind
    if kind == "celeba":
        told = sections(name).study.predictors["ali_labels"].labels
        assert len(set(told)) == ATTRIBUTES
        return dict.fromkeys(told, celeba.CLASSES)
    return LABELS.get(kind, {})


@functools.cache
def built(name: str, run: str) -> Any:
    """Return the predictor or classifier of a run at the size of its data, without numbers."""
    found = sections(name).study
    predicts = run in found.predictors
    settings: Any = (found.predictors if predicts else found.classifiers)[run]
    data = trained_on("train_predictor" if predicts else "train_classifier")[run]
    source: Any = found.data[data].source
    sees = settings.view
    shape = Shape(2, 1, 1, 1)
    if sees.of == "frames":
        shape = Shape(sees.colours, sees.frames, source.height, source.width)
    classes = known(name, data)
    with torch.device("meta"):
        if not predicts:
            return classifiers.ROLE.build(
                settings, classifiers.Given(shape, tuple(classes[settings.label]))
            )
        few = getattr(settings, "supervision", None)
        named = (*settings.labels, *(() if few is None else (few.label,)))
        given = learned.Given(shape, (), {label: classes[label] for label in named})
        return learned.ROLE.build(settings, given)


# Episodes that have an official set, and how many train, validate and test.
SETS = {
    "numbers": ((531_131 + 73_257, 26_032), (531_131, 73_257, 26_032)),
    "few": ((73_257, 26_032), (63_257, 10_000, 26_032)),
    "objects": ((50_000, 10_000), (45_000, 5_000, 10_000)),
    "points": ((110_000, 10_000), (100_000, 10_000, 10_000)),
    "motions": ((55_000, 5_000), (50_000, 5_000, 5_000)),
}


@functools.cache
def cut(data: str) -> tuple[int, int, int]:
    (train, test), _ = SETS[data]
    runs = [(number, number + 1) for number in range(train + test)]
    parts = ["train"] * train + ["test"] * test
    found = splits.cut(runs, parts, sections("thesis").study.data[data].split)
    return len(found.train), len(found.validation), len(found.test)


def stated(table: str) -> dict[tuple[str, str], float]:
    """Return the values of a table by run and place."""
    rows = [row for row in read("thesis.yaml")["rows"] if row["table"] == table]
    found = {(row["run"], row.get("where", row["quantity"])): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found
