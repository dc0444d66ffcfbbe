"""Models: what every trained network has, whatever its role.

A role (autoencoder, prior, predictor, classifier) is a package; a kind is a file of it, with
`Settings`, its section of params.yaml, and `build(settings, given)`, which makes the network.
`given` is what the data tell and no setting may contradict: how large frames are, how many codes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from foreframe import kinds
from foreframe.artefacts import tensors
from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.config.training import Plan, Training
from foreframe.errors import ArtefactError
from foreframe.networks import initialization
from foreframe.randomness import Numbers
from foreframe.training.objective import Moment, Objective, Plain

AGAIN = "Delete it and run `dvc repro` to make it again."


class ModelSettings(Strict, ABC):
    """What the settings of every kind have.

    `version` grows when a kind's settings change their meaning or their keys: a file of another
    version is refused, and never misread.
    """

    version: ClassVar[int] = 1

    kind: str
    training: Training | Plan  # a kind says which of the two it takes


@dataclass(frozen=True)
class Shape:
    """What a model of frames sees: channels of its view, frames of a clip, rows and columns."""

    channels: int
    frames: int
    height: int
    width: int

    def clip(self) -> Tensor:
        """Return one clip of this shape without numbers, (1,C,T,H,W), on the meta device."""
        shape = (1, self.channels, self.frames, self.height, self.width)
        return torch.empty(shape, device="meta")


class Model(nn.Module, ABC):
    """A network with the settings and the given facts that it was built from."""

    settings: ModelSettings
    given: Any

    def initialize(self, numbers: Numbers) -> None:
        """Draw every parameter; see `networks.initialization`. The model is on the CPU."""
        initialization.initialize(self, numbers)

    @abstractmethod
    def objective(self) -> Objective[Any]:
        """Return what training minimises: the players of the model and the loss of each."""

    def trainable(self) -> int:
        """Return how many numbers are trained by gradient; codebooks are not."""
        return sum(part.numel() for part in self.parameters() if part.requires_grad)


class SingleLoss(Model):
    """A model that is one player and minimises one loss; a game of several has no such number."""

    @abstractmethod
    def loss(self, batch: Any, moment: Moment) -> Mapping[str, Tensor]:
        """Return `loss`, a scalar that is minimised, and what else is logged of a batch.

        Scalars are means over the batch; see `training.tally` for counts of codes. In training
        mode codebooks and moving averages follow.
        """

    def objective(self) -> Objective[Any]:
        """Return the minimisation of `loss`, which is also what is measured."""
        return Plain(self, self.loss)


AnyModel = TypeVar("AnyModel", bound=Model)


@dataclass(frozen=True)
class Role(Generic[AnyModel]):
    """What a network is for: the package of its kinds, and how its files say what they hold.

    Attributes:
        schema: of its files.
        package: of its kinds.
        given: the dataclass of what the data tell.
    """

    schema: str
    package: str
    given: type

    def build(self, settings: ModelSettings, given: object) -> AnyModel:
        """Return an untrained network of the settings' kind; `initialize` draws its weights.

        Raises:
            UserError: there is no such kind, or it does not fit what is given.
        """
        model: AnyModel = kinds.find(self.package, settings.kind).build(settings, given)
        return model

    def save(self, path: Path, model: AnyModel) -> None:
        """Write weights, buffers, settings and what was given to a safetensors file."""
        header = {
            "kind": model.settings.kind,
            "settings": model.settings.model_dump(mode="json"),
            "settings_version": model.settings.version,
            "given": asdict(model.given),
        }
        tensors.write(path, model.state_dict(), self.schema, header)

    def load(self, path: Path) -> AnyModel:
        """Return the network in a file, on the CPU and in eval mode.

        Raises:
            ArtefactError: the file is missing, damaged, of another role or another version of its
                kind's settings, or its tensors are not those of its settings.
        """
        values, header = tensors.read(path, self.schema)
        kind = kinds.find(self.package, header["kind"]).Settings
        found = header.get("settings_version")
        if found != kind.version:
            raise ArtefactError(
                f"{path} has version {found} of the settings of a {header['kind']}; this program "
                f"reads {kind.version}. {AGAIN}"
            )
        settings = reading.validate(kind, header["settings"], str(path))
        model = self.build(settings, reading.validate(self.given, header["given"], str(path)))
        try:
            model.load_state_dict(values)
        except RuntimeError as error:
            raise ArtefactError(
                f"{path} has other weights than a {header['kind']} of these settings: {error}. "
                f"{AGAIN}"
            ) from None
        return model.eval()
