"""Stage train_classifier: fits a classifier to the labels of all training clips."""

from pathlib import Path
from typing import Annotated, Any

import torch

from foreframe import classifiers
from foreframe.classifiers import Classifier, ClassifierSettings, Given
from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.models import learning
from foreframe.models.learning import Lesson
from foreframe.running import stage

NAME = "train_classifier"


def one_clip(network: Classifier) -> dict[str, Any]:
    """Return what a classifier learns from of one clip, without numbers, on the meta device."""
    label = torch.empty(1, dtype=torch.int64, device="meta")
    return {"x": network.given.shape.clip(), "labels": {network.settings.label: label}}


def facts(network: Classifier) -> dict[str, tuple[str, ...]]:
    """Return what the record says of the network besides its training."""
    return {"classes": network.given.classes}


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    classifier: Annotated[ClassifierSettings, Kind(classifiers.PACKAGE)],
    seed: int,
    compute: Compute,
    model: Path,
    record: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch.

    Raises:
        UserError: the data have no such label.
    """
    label = classifier.label

    def given(lesson: Lesson) -> Given:
        return Given(lesson.shape, lesson.known_classes([label])[label])

    files = learning.Files(frames, split, normalization)
    task = learning.Task(NAME, classifier, files, given, facts, with_labels=[label])
    learning.learn(classifiers.ROLE, task, seed=seed, compute=compute, model=model, record=record)


if __name__ == "__main__":
    stage.run(main)
