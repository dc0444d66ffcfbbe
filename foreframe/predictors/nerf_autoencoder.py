"""Kind `nerf_autoencoder`: INFERNO with one object for the whole scene (Castrejon 2022, NeRF-AE).

One slot takes all features, one field is rendered within a cube that holds the scene, and nothing
is told apart. What it does worse than INFERNO is what objects are good for.

Shapes: B pictures, C channels, H rows, W columns, D numbers of the slot.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field as Value
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.networks.noise import Noise
from foreframe.networks.poses import Poses
from foreframe.networks.radiance import Field, FieldSettings
from foreframe.networks.scene_encoder import Features, Found
from foreframe.networks.scene_rendering import Codes, Fields, Scene
from foreframe.networks.slot_attention import SlotAttention
from foreframe.networks.slot_scene import Convolutions
from foreframe.predictors.learned import Given
from foreframe.predictors.rendering import RenderedScenes, RenderingSettings
from foreframe.randomness import generator

Count = Annotated[int, Value(ge=1)]


class WholeEncoderSettings(Strict):
    """Sizes, as those of INFERNO's encoder."""

    dim: Count
    iterations: Count
    hidden: Count
    convolutions: Convolutions
    waves: Annotated[int, Value(ge=0, le=8)]
    shape: Count
    appearance: Count
    code_hidden: Count


class Settings(RenderingSettings):
    """The section of params.yaml."""

    kind: Literal["nerf_autoencoder"]
    encoder: WholeEncoderSettings
    cube: Annotated[float, Value(gt=0)]  # half a side of what holds the scene
    field: FieldSettings


class WholeEncoder(nn.Module):
    """From pictures to one object that fills the scene."""

    def __init__(self, settings: WholeEncoderSettings, channels: int, cube: float) -> None:
        super().__init__()
        self.settings, self.cube = settings, cube
        dim, hidden = settings.dim, settings.code_hidden
        self.features = Features(channels, settings.convolutions, settings.waves)
        self.attention = SlotAttention(
            settings.convolutions.width,
            1,
            dim,
            settings.iterations,
            settings.hidden,
            background=False,
        )
        self.codes = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(),
            nn.Linear(hidden, settings.shape + settings.appearance),
        )

    def forward(self, x_BCHW: Tensor, noise: Noise | None) -> Found:
        """Return scenes of one object, whose mask is the whole picture."""
        maps_BFHW, rows = self.features(2 * x_BCHW - 1), len(x_BCHW)
        shape = (1, self.settings.dim)
        if noise is None:
            drawn = generator(0, "slots").normal(shape).to(maps_BFHW).expand(rows, -1, -1)
        else:
            drawn = noise.normal("slots", 0, shape)
        slots_B1D, masks = self.attention(maps_BFHW.flatten(2).transpose(1, 2), drawn)
        sizes = [self.settings.shape, self.settings.appearance]
        codes = Codes(*self.codes(slots_B1D).split(sizes, dim=2))
        nothing = codes.shape.new_zeros(rows, 1, 3)
        poses = Poses(nothing, torch.full_like(nothing, self.cube), nothing[..., 0])
        present = torch.ones(rows, 1, dtype=torch.bool, device=x_BCHW.device)
        return Found(Scene(poses, codes, present, None), masks.unflatten(2, maps_BFHW.shape[2:]))


class NerfAutoencoder(RenderedScenes):
    """The encoder, one field and the upscaler."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build all networks.

        Raises:
            UserError: the small map cannot be doubled to the size of pictures.
        """
        super().__init__(settings, given)
        encoder = settings.encoder
        self.encoder = WholeEncoder(encoder, given.shape.channels, settings.cube)
        self.field = Field(settings.field, encoder.shape, encoder.appearance, settings.features)
        self.slot_count = 1

    @property
    def fields(self) -> Fields:
        """The one field; there is nothing behind it."""
        return Fields(self.field, None)


def build(settings: Settings, given: Given) -> NerfAutoencoder:
    """Return an untrained predictor.

    Raises:
        UserError: the small map cannot be doubled to the size of pictures.
    """
    return NerfAutoencoder(settings, given)
