"""What a trained model of scenes says is in a picture: so many numbers of each of its objects.

For those who reason about scenes rather than draw them: a model's renderer is left out. Shapes: B
pictures, C channels, H rows, W columns, K objects of F numbers.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from foreframe.errors import UserError
from foreframe.networks.poses import NUMBERS
from foreframe.networks.scene_encoder import SceneEncoder
from foreframe.networks.slot_scene import SlotScene
from foreframe.predictors.learned import LearnedPredictor
from foreframe.predictors.slot_autoencoder import SlotAutoencoder


class Describer(nn.Module):
    """A network from pictures (B,C,H,W), as the model's view shows them, to objects (B,K,F).

    Attributes:
        count: K.
        width: F.
    """

    count: int
    width: int


@runtime_checkable
class Describing(Protocol):
    """A model that can say it."""

    def describer(self) -> Describer:
        """Return what finds objects, of the model's own weights."""


class Slots(Describer):
    """The slots of a scene that has been trained with a decoder.

    `centred`: its model takes values of 0..1 to -1..1 first.
    """

    def __init__(self, scene: SlotScene, *, centred: bool) -> None:
        super().__init__()
        self.centred = centred
        self.encoder, self.attention = scene.encoder, scene.attention
        self._scene = (scene,)  # no part of the network, which has no decoder
        self.count, self.width = scene.settings.slots, scene.settings.dim

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return slots (B,K,F), which begin at the same numbers in every picture."""
        seen_BCHW = 2 * x_BCHW - 1 if self.centred else x_BCHW
        slots_BKF: Tensor = self._scene[0].discover(self.encoder(seen_BCHW), None)
        return slots_BKF


class Objects(Describer):
    """The pose, the shape and the appearance of each object of a scene; its background is not."""

    def __init__(self, encoder: SceneEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        settings = encoder.settings
        self.count, self.width = settings.slots, NUMBERS + settings.shape + settings.appearance

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return objects (B,K,F), whose slots begin at the same numbers in every picture."""
        scene = self.encoder(x_BCHW, None).scene
        return torch.cat([scene.poses.numbers, *scene.codes], dim=2)


def describer(model: LearnedPredictor) -> Describer:
    """Return what finds objects in a model's pictures, of its own weights.

    Raises:
        UserError: it tells no objects apart.
    """
    if isinstance(model, Describing):
        return model.describer()
    scene, encoder = (getattr(model, name, None) for name in ("scene", "encoder"))
    if isinstance(scene, SlotScene):
        return Slots(scene, centred=isinstance(model, SlotAutoencoder))
    if isinstance(encoder, SceneEncoder):
        return Objects(encoder)
    raise UserError(
        f"{model.name} does not say which objects a picture has. Give a predictor with slots."
    )
