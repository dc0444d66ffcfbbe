"""Stage train_predictor: fits a predictor of frames to all training clips."""

from pathlib import Path
from typing import Annotated

from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.models import learning
from foreframe.models.learning import Lesson
from foreframe.predictors import learned
from foreframe.predictors.learned import Given, LearnedPredictor, PredictorSettings
from foreframe.running import stage

NAME = "train_predictor"


def facts(network: LearnedPredictor) -> dict[str, str]:
    """Return what the record says of the network besides its training."""
    return {"likelihood": network.likelihood_kind}


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    predictor: Annotated[PredictorSettings, Kind(learned.PACKAGE)],
    seed: int,
    compute: Compute,
    model: Path,
    record: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch.

    Raises:
        UserError: the predictor is given actions or labels that the data lack.
    """
    acts = predictor.actions == "input"

    def given(lesson: Lesson) -> Given:
        known = lesson.known_classes(predictor.labels)
        return Given(lesson.shape, lesson.actions if acts else (), known)

    files = learning.Files(frames, split, normalization)
    task = learning.Task(NAME, predictor, files, given, facts, acts, predictor.labels)
    learning.learn(learned.ROLE, task, seed=seed, compute=compute, model=model, record=record)


if __name__ == "__main__":
    stage.run(main)
