"""Kind `inferno`: a picture becomes objects with poses, and is rendered of them again.

INFERNO (Castrejon 2022, article 4) is told nothing but pictures. Slots become objects, each with a
shape, an appearance and a pose, and a background; one radiance field that all objects share, and
one of the background, are rendered together. Objects can then be moved, exchanged and removed, and
the camera too (`analyses.scene_edits`, `analyses.novel_views`).

The document adds 100 times LPIPS to the squared error where scenes are to be edited; the stage that
trains predictors reads no weights of other networks, so that term is not among these.

Shapes: as in `rendering`.
"""

from typing import Literal

from foreframe.networks.poses import Reach
from foreframe.networks.radiance import Field, FieldSettings
from foreframe.networks.scene_encoder import SceneEncoder, SceneEncoderSettings
from foreframe.networks.scene_rendering import Fields
from foreframe.predictors.learned import Given
from foreframe.predictors.rendering import RenderedScenes, RenderingSettings


class Settings(RenderingSettings):
    """The section of params.yaml."""

    kind: Literal["inferno"]
    encoder: SceneEncoderSettings
    reach: Reach
    object_field: FieldSettings
    background_field: FieldSettings


class Inferno(RenderedScenes):
    """The encoder, both fields and the upscaler."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build all networks.

        Raises:
            UserError: the small map cannot be doubled to the size of pictures.
        """
        super().__init__(settings, given)
        encoder, features = settings.encoder, settings.features
        self.encoder = SceneEncoder(encoder, given.shape.channels, settings.reach)
        codes = (encoder.shape, encoder.appearance, features)
        self.object_field = Field(settings.object_field, *codes)
        self.background_field = Field(settings.background_field, *codes)
        self.slot_count = encoder.slots + 1

    @property
    def fields(self) -> Fields:
        """The fields of objects and of the background."""
        return Fields(self.object_field, self.background_field)


def build(settings: Settings, given: Given) -> Inferno:
    """Return an untrained predictor.

    Raises:
        UserError: the small map cannot be doubled to the size of pictures.
    """
    return Inferno(settings, given)
