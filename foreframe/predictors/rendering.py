"""Predictors that find a scene in a picture and render it: what INFERNO and its baseline share.

Training has two stages (Castrejon 2022, 10.3.4): first a small map of features is rendered and an
upscaler makes the picture of it; later phases render colours at every pixel, and the upscaler is
gone. The first three features are colours throughout; while the upscaler is trained, their error
in the small picture may be minimised too, so that they mean something once it is gone.

Shapes: B pictures, C channels, F features, H rows, W columns, h and w of the small map, R rays, K
objects.
"""

from abc import abstractmethod
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field as Value
from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks.noise import Noise
from foreframe.networks.radiance import COLOURS
from foreframe.networks.scene_camera import Camera
from foreframe.networks.scene_encoder import Found
from foreframe.networks.scene_rendering import Fields, March, Scene, Shown, render
from foreframe.networks.scene_upscaler import Upscaler
from foreframe.predictors.learned import Given
from foreframe.predictors.rebuilding import Rebuilding, RebuildingSettings, summed
from foreframe.training.objective import Objective, Plain

Count = Annotated[int, Value(ge=1)]
Size = tuple[int, int]  # rows and columns


class UpscalerSettings(Strict):
    """How the first phases show a picture."""

    side: Count  # rows of the small map, 16
    width: Count  # 64
    phases: Count  # the first ones, in which it is used; 1
    colours_weight: Annotated[float, Value(ge=0)]  # of the error of the small picture's colours


def doublings(upscaler: UpscalerSettings, size: Size) -> int:
    """Return how often the small map is doubled to be as large as a picture.

    Raises:
        UserError: doubling it does not lead there.
    """
    steps = (size[0] // upscaler.side).bit_length() - 1
    if steps < 0 or size != (upscaler.side << steps,) * 2:
        raise UserError(
            f"upscaler.side is {upscaler.side}, and doubling it does not lead to pictures of "
            f"{size[0]} x {size[1]}. Change it, or source.height and source.width."
        )
    return steps


class RenderingSettings(RebuildingSettings):
    """What both kinds have."""

    camera: Camera
    march: March
    features: Annotated[int, Value(ge=COLOURS)]  # F, 128
    upscaler: UpscalerSettings | None
    # What tells objects apart: where slots looked, as in the document, or what is seen of each.
    masks_of: Literal["attention", "rendering"]

    @model_validator(mode="after")
    def _renders_colours(self) -> Self:
        views.require(self.view, self.kind, channels="colour")
        if self.upscaler is not None and self.upscaler.phases > len(self.training.phases):
            raise ValueError(
                f"upscaler.phases is {self.upscaler.phases}, but there are "
                f"{len(self.training.phases)} phases. Lower it."
            )
        return self


class RenderedScenes(Rebuilding):
    """Renders what it finds.

    Attributes:
        upscaling: whether pictures are made by the upscaler, as in the first phases; once trained,
            if all phases were such.
    """

    settings: RenderingSettings
    encoder: Any  # from pictures (B,C,H,W) and noise to what is found

    def __init__(self, settings: RenderingSettings, given: Given) -> None:
        """Build the upscaler.

        Raises:
            UserError: the small map cannot be doubled to the size of pictures.
        """
        super().__init__()
        self.settings, self.given = settings, given
        self.size = (given.shape.height, given.shape.width)
        self.upscaler: Upscaler | None = None
        if (upscaler := settings.upscaler) is not None:
            steps = doublings(upscaler, self.size)
            self.upscaler = Upscaler(settings.features, upscaler.width, steps, COLOURS)
        self.enter(len(settings.training.phases) - 1)

    @property
    @abstractmethod
    def fields(self) -> Fields:
        """The networks of what is in a scene."""

    def enter(self, phase: int) -> None:
        """Be what a phase trains: with the upscaler, or without."""
        upscaler = self.settings.upscaler
        self.upscaling = upscaler is not None and phase < upscaler.phases
        if self.upscaler is not None:
            self.upscaler.requires_grad_(self.upscaling)

    def objective(self) -> Objective[Any]:
        """Return the minimisation of `loss`, in stages."""
        return _Staged(self)

    def found(self, x_BCHW: Tensor, noise: Noise | None) -> Found:
        """Return the scenes of pictures."""
        found: Found = self.encoder(x_BCHW, noise)
        return found

    def rendered(
        self,
        scene: Scene,
        camera: Camera,
        size: tuple[int, int],
        features: int,
        noise: Noise | None,
    ) -> Shown:
        """Return what parts add to a camera's view (B,K+1,H,W,F), and shares (B,K+1,H,W)."""
        rays = camera.rays(*size).to(scene.poses.place)
        shown = render(self.fields, scene, rays, self.settings.march, features, noise)
        return Shown(*(each.unflatten(2, size) for each in shown))

    def small(self, scene: Scene, camera: Camera, noise: Noise | None) -> Tensor:
        """Return the map of features (B,F,h,w) that the upscaler sees."""
        assert self.settings.upscaler is not None
        size = (self.settings.upscaler.side,) * 2
        shown = self.rendered(scene, camera, size, self.settings.features, noise)
        return shown.features.movedim(-1, 1)

    def pictured(self, scene: Scene, camera: Camera) -> Tensor:
        """Return the pictures (B,C,H,W) of scenes by a camera, without chance."""
        if self.upscaling:
            assert self.upscaler is not None
            upscaled: Tensor = self.upscaler(self.small(scene, camera, None))
            return upscaled
        return self._colours(scene, camera, None)

    def made(self, x_BCHW: Tensor, noise: Noise | None) -> Tensor:
        """Return pictures (B,C,H,W) again, rendered."""
        assert noise is None
        return self.pictured(self.found(x_BCHW, None).scene, self.settings.camera)

    def error(self, x_BCHW: Tensor, noise: Noise | None) -> Tensor:
        """Return the summed squared error of a picture, with that of its small one if asked for."""
        scene = self.found(x_BCHW, noise).scene
        camera = self.settings.camera
        if not self.upscaling:
            return summed(self._colours(scene, camera, noise) - x_BCHW)
        assert self.upscaler is not None and self.settings.upscaler is not None
        map_BFhw = self.small(scene, camera, noise)
        error = summed(self.upscaler(map_BFhw) - x_BCHW)
        weight = self.settings.upscaler.colours_weight
        if not weight:
            return error
        small_BChw = functional.avg_pool2d(x_BCHW, self.size[0] // self.settings.upscaler.side)
        return error + weight * summed(map_BFhw[:, :COLOURS] - small_BChw)

    @torch.no_grad()
    def masks(self, frames_NHWC: Tensor) -> Tensor:
        """Return the masks (N,K+1,H',W') of pictures, uint8, of which a pixel has at most 1."""
        found = self.found(self.pictures(frames_NHWC), None)
        if self.settings.masks_of == "attention":
            return found.masks
        return self.rendered(found.scene, self.settings.camera, self.size, COLOURS, None).shares

    @torch.no_grad()
    def alone(self, frames_NHWC: Tensor) -> Tensor:
        """Return each part of the scene before black, uint8 (N,K+1,H,W,3), at full size."""
        found = []
        for frame in frames_NHWC:
            scene = self.found(self.pictures(frame[None]), None).scene
            found.append(self._parts(scene))
        return torch.stack(found)

    def _parts(self, scene: Scene) -> Tensor:
        """Return each object of a scene as if there were nothing else, and what is behind them."""
        count, parts = scene.present.shape[1], []
        for place in range(count + (scene.background is not None)):
            only = torch.zeros_like(scene.present)
            if place < count:
                only[:, place] = scene.present[:, place]
            seen = Scene(
                scene.poses, scene.codes, only, None if place < count else scene.background
            )
            parts.append(self.outward(self._colours(seen, self.settings.camera, None))[0])
        return torch.stack(parts)

    def _colours(self, scene: Scene, camera: Camera, noise: Noise | None) -> Tensor:
        """Return colours (B,C,H,W), rendered at every pixel."""
        shown = self.rendered(scene, camera, self.size, COLOURS, noise)
        return shown.features.movedim(-1, 1)


class _Staged(Plain[Any]):
    def __init__(self, model: RenderedScenes) -> None:
        super().__init__(model, model.loss)
        self._scenes = model

    def enter(self, phase: int) -> None:
        self._scenes.enter(phase)
