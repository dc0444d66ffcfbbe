"""Stage finetune_classifier: fits a classifier that begins with the encoder of a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from torch import Tensor

from foreframe import classifiers
from foreframe.artefacts import tensors
from foreframe.classifiers import ClassifierSettings, Given
from foreframe.classifiers.snitch import Encoder, Settings, Snitch
from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.kinds import Kind
from foreframe.models import ModelSettings, Role, learning
from foreframe.models.learning import Lesson
from foreframe.predictors import learned
from foreframe.predictors.describing import describer
from foreframe.running import stage

NAME = "finetune_classifier"


@dataclass(frozen=True)
class Files(learning.Files):
    """What it learns from, the model that it begins with among it."""

    given: Path

    @property
    def all(self) -> list[Path]:
        """The four of them."""
        return [*super().all, self.given]


@dataclass(frozen=True)
class Beginning(Role[Snitch]):
    """Classifiers that begin with weights of their encoder."""

    weights: Mapping[str, Tensor]

    def build(self, settings: ModelSettings, given: object) -> Snitch:
        """Return an untrained network; `initialize` draws its weights but those of the encoder."""
        network = super().build(settings, given)
        network.beginning = self.weights
        return network


def facts(network: Snitch) -> dict[str, object]:
    """Return what the record says of the network besides its training."""
    return {"classes": network.given.classes, "trainable": network.trainable()}


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    given: Path,
    classifier: Annotated[ClassifierSettings, Kind(classifiers.PACKAGE)],
    seed: int,
    compute: Compute,
    model: Path,
    record: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch.

    `given` is a trained predictor that tells objects apart.

    Raises:
        UserError: the classifier is of another kind or names an encoder, the model tells no objects
            apart, or the data have no such label.
    """
    if not isinstance(classifier, Settings) or classifier.encoder is not None:
        raise UserError(
            f"{NAME} trains classifiers of the kind snitch whose encoder is that of the model it "
            "is given. Set kind to snitch and encoder to null, or train it by train_classifier."
        )
    _, header = tensors.read(given, learned.SCHEMA)
    weights = describer(learned.ROLE.load(given)).state_dict()
    encoder = Encoder(settings=header["settings"], given=header["given"])
    chosen = classifier.model_copy(update={"encoder": encoder})

    def told(lesson: Lesson) -> Given:
        return Given(lesson.shape, lesson.known_classes([chosen.label])[chosen.label])

    own = classifiers.ROLE
    role = Beginning(own.schema, own.package, own.given, weights)
    files = Files(frames, split, normalization, given)
    task = learning.Task(NAME, chosen, files, told, facts, with_labels=[chosen.label])
    learning.learn(role, task, seed=seed, compute=compute, model=model, record=record)


if __name__ == "__main__":
    stage.run(main)
