"""Kind `slot_autoencoder`: Slot Attention and a broadcast decoder (Locatello et al. 2020).

Castrejon 2022's baseline of objects found in pictures, and of the CATER task. The publication has
features of 64 channels from four layers, slots of 64 numbers, three iterations, and a decoder from
8 x 8 whose first four layers double the size.

Shapes: as in `rebuilding`.
"""

from typing import Literal

import torch
from torch import Tensor

from foreframe.networks.broadcast_decoder import Rendered
from foreframe.networks.noise import Noise
from foreframe.networks.slot_scene import SceneSettings, SlotScene
from foreframe.predictors.learned import Given
from foreframe.predictors.rebuilding import Rebuilding, RebuildingSettings


class Settings(RebuildingSettings):
    """The section of params.yaml."""

    kind: Literal["slot_autoencoder"]
    scene: SceneSettings


class SlotAutoencoder(Rebuilding):
    """Slots of a picture and pictures of slots."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build encoder and decoder.

        Raises:
            UserError: pictures cannot be halved as often as is asked for.
        """
        super().__init__()
        self.settings, self.given = settings, given
        shape = given.shape
        self.scene = SlotScene(
            settings.scene, (shape.channels, shape.height, shape.width), settings.kind
        )
        self.slot_count = settings.scene.slots

    def made(self, x_BCHW: Tensor, noise: Noise | None) -> Tensor:
        """Return pictures (B,C,H,W) again, as slots show them together."""
        return self.shown(x_BCHW, noise).frame

    def shown(self, x_BCHW: Tensor, noise: Noise | None) -> Rendered:
        """Return what each slot shows, (B,K,C,H,W) and (B,K,H,W)."""
        # From -1 to 1, as in the publication.
        features_B1NF = self.scene.features((2 * x_BCHW - 1)[:, :, None])
        slots_BKD = self.scene.discover(features_B1NF[:, 0], noise)
        shown: Rendered = self.scene.decoder(slots_BKD)
        return shown

    @torch.no_grad()
    def masks(self, frames_NHWC: Tensor) -> Tensor:
        """Return the masks (N,K,H,W) of pictures, uint8."""
        return self.shown(self.pictures(frames_NHWC), None).masks

    @torch.no_grad()
    def alone(self, frames_NHWC: Tensor) -> Tensor:
        """Return each slot before black, uint8 (N,K,H,W,3)."""
        shown = self.shown(self.pictures(frames_NHWC), None)
        each_BKCHW = shown.masks.unsqueeze(2) * shown.colours
        return torch.stack([self.outward(each) for each in each_BKCHW.unbind(dim=1)], dim=1)


def build(settings: Settings, given: Given) -> SlotAutoencoder:
    """Return an untrained predictor.

    Raises:
        UserError: pictures cannot be halved as often as is asked for.
    """
    return SlotAutoencoder(settings, given)
