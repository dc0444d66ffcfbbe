"""Kind `giraffe`: scenes of radiance fields that are made up in a game (Niemeyer and Geiger 2021).

Nothing is inferred: codes come from N(0, I), boxes stand anywhere within reach, and there are some
or all of K of them. Their fields are rendered as a small map of features, which an upscaler makes
pictures of; a critic of pictures is what teaches them. Castrejon 2022 has it as the row of Table
10.2 that is no reconstruction.

Here boxes may overlap, which the publication's sampler for CLEVR avoids, and the upscaler is that
of INFERNO with a sigmoid at its end.

Shapes: B pictures, K boxes, Z latents, C channels, h and w of the small map.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field as Value
from pydantic import model_validator
from torch import Tensor

from foreframe.data import views
from foreframe.networks import games
from foreframe.networks.gaussian import wide
from foreframe.networks.noise import Fresh, Noise
from foreframe.networks.pair_networks import Critic, CriticSettings
from foreframe.networks.poses import Poses, Reach
from foreframe.networks.radiance import COLOURS, Field, FieldSettings
from foreframe.networks.scene_camera import Camera
from foreframe.networks.scene_rendering import Codes, Fields, March, Scene, render
from foreframe.networks.scene_upscaler import Upscaler
from foreframe.predictors.adversarial import (
    CRITIC,
    GENERATOR,
    AdversarialSettings,
    Generating,
    Labels,
)
from foreframe.predictors.learned import Given
from foreframe.predictors.rendering import UpscalerSettings, doublings
from foreframe.predictors.single_frames import require_no_labels, require_players
from foreframe.randomness import Shape
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

Count = Annotated[int, Value(ge=1)]
Weight = Annotated[float, Value(ge=0)]


class Sizes(AdversarialSettings):
    """Numbers of codes: 64 of objects, 32 of the background."""

    shape: Count
    appearance: Count
    background_shape: Count
    background_appearance: Count


class Settings(Sizes):
    """The section of params.yaml.

    The publication has 5 boxes for CLEVR2345, and RMSprop with rates of 5e-4 and 1e-4.
    """

    kind: Literal["giraffe"]
    camera: Camera
    march: March
    reach: Reach  # where boxes stand, how large and how turned they are, each as likely
    boxes: Count  # K
    fewest: Count  # boxes that there are
    features: Annotated[int, Value(ge=COLOURS)]  # 128
    upscaler: UpscalerSettings
    object_field: FieldSettings
    background_field: FieldSettings
    critic: CriticSettings
    deviation: Annotated[float, Value(gt=0)]  # of the critic's starting weights
    penalty: Weight  # of the critic's squared slope at true pictures, halved; 10

    @model_validator(mode="after")
    def _makes_pictures(self) -> Self:
        require_no_labels(self)
        views.require(
            self.view, self.kind, of="frames", frames=1, scaling="unit", dequantise=False,
            channels="colour",
        )  # fmt: skip
        require_players(self.training, self.kind, (GENERATOR, CRITIC))
        if self.fewest > self.boxes:
            raise ValueError(f"fewest is {self.fewest} of {self.boxes} boxes. Lower it.")
        if self.upscaler.phases != len(self.training.phases) or self.upscaler.colours_weight:
            raise ValueError(
                "A giraffe has its upscaler throughout, and no picture to compare the small one "
                "with. Let upscaler.phases be the number of phases, and colours_weight 0."
            )
        return self


class Giraffe(Generating):
    """Both fields, the upscaler and the critic."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build all networks.

        Raises:
            UserError: the small map cannot be doubled to the size of pictures, or the critic's
                chain does not end at one place.
        """
        super().__init__()
        self.settings, self.given = settings, given
        size, features = (given.shape.height, given.shape.width), settings.features
        self.object_field = Field(
            settings.object_field, settings.shape, settings.appearance, features
        )
        self.background_field = Field(
            settings.background_field,
            settings.background_shape,
            settings.background_appearance,
            features,
        )
        upscaler = settings.upscaler
        self.upscaler = Upscaler(features, upscaler.width, doublings(upscaler, size), COLOURS)
        picture = (given.shape.channels, *size)
        self.critic = Critic(settings.critic, picture, settings.deviation)

    @property
    def latent_shape(self) -> Shape:
        """(Z,): of each box its codes and pose, of the background its codes, and how many."""
        return (sum(self._parts),)

    @property
    def _parts(self) -> list[int]:
        settings = self.settings
        of_boxes = [settings.shape, settings.appearance, 3, 3, 1]
        behind = [settings.background_shape, settings.background_appearance, 1]
        return [settings.boxes * each for each in of_boxes] + behind

    def scene(self, z_BZ: Tensor) -> Scene:
        """Return the scenes that have these latents; what is even is so by the normal's own law."""
        settings, boxes = self.settings, self.settings.boxes
        reach = settings.reach
        parts = z_BZ.split(self._parts, dim=1)
        shape, appearance, place, scale, turn = (
            part.unflatten(1, (boxes, -1)) for part in parts[:5]
        )
        reached_3 = z_BZ.new_tensor(reach.places)
        middle_3 = z_BZ.new_tensor([0.0, 0.0, reach.lift])
        poses = Poses(
            middle_3 + reached_3 * (2 * even(place) - 1),
            reach.smallest + (reach.largest - reach.smallest) * even(scale),
            2 * math.pi * float(reach.turns) * even(turn)[..., 0],
        )
        count_B1 = settings.fewest + (even(parts[7]) * (boxes - settings.fewest + 1)).floor()
        present_BK = torch.arange(boxes, device=z_BZ.device) < count_B1.clamp_max(boxes)
        return Scene(poses, Codes(shape, appearance), present_BK, Codes(parts[5], parts[6]))

    def made(self, z: Tensor, labels: Labels) -> Tensor:
        """Return the pictures (B,C,1,H,W) of latents."""
        return self.shown(z, None)

    def shown(self, z_BZ: Tensor, noise: Noise | None) -> Tensor:
        """Return pictures (B,C,1,H,W); `noise` is that of a training step."""
        settings, side = self.settings, self.settings.upscaler.side
        scene = self.scene(z_BZ)
        rays = settings.camera.rays(side, side).to(z_BZ)
        fields = Fields(self.object_field, self.background_field)
        shown = render(fields, scene, rays, settings.march, settings.features, noise)
        map_BFhw = shown.features.transpose(1, 2).unflatten(2, (side, side))
        return wide(self.upscaler(map_BFhw)).sigmoid()[:, :, None]

    def objective(self) -> "Game":
        """Return the game."""
        return Game(self)


class Game(Objective[Mapping[str, Any]]):
    """Critic and generator in turn; the critic's slope at true pictures is kept small."""

    turns = ((CRITIC,), (GENERATOR,))

    def __init__(self, model: Giraffe) -> None:
        self.model: Giraffe = model
        made_by = (model.object_field, model.background_field, model.upscaler)
        self.players = (Player(GENERATOR, made_by), Player(CRITIC, (model.critic,)))

    def losses(self, batch: Mapping[str, Any], moment: Moment, turn: Turn) -> Losses:
        """Return the loss of the player whose turn it is."""
        x_BCHW = batch["x"][:, :, 0]
        if turn == (GENERATOR,):
            fake_B = self._judged(self._made(x_BCHW, moment))
            return {GENERATOR: {"loss": games.generator_loss(fake_B)}}
        with torch.no_grad():
            made_BCHW = self._made(x_BCHW, moment)
        real_B, steep = self._slope(x_BCHW)
        fake_B = self._judged(made_BCHW)
        loss = games.critic_loss(real_B, fake_B) + self.model.settings.penalty / 2 * steep
        return {CRITIC: {"loss": loss, **_known(real_B, fake_B)}}

    def measure(self, batch: Mapping[str, Any], moment: Moment) -> Mapping[str, Tensor]:
        """Return what the critic knows of a validation batch, scalars."""
        x_BCHW = batch["x"][:, :, 0]
        return _known(self._judged(x_BCHW), self._judged(self._made(x_BCHW, moment)))

    def _made(self, x_BCHW: Tensor, moment: Moment) -> Tensor:
        """Return as many pictures (B,C,H,W) as there are true ones."""
        noise = Fresh(moment.numbers, len(x_BCHW), x_BCHW.device)
        z_BZ = self.model.drawn(noise)
        return self.model.shown(z_BZ, noise if self.model.training else None)[:, :, 0]

    def _slope(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B,) of pictures, and the mean square of their gradient, a scalar."""
        # In one thread, or a GPU would add up the gradient of a gradient in an order of its own
        # (see `networks.adversarial`); of a copy, since what counts operations follows no leaves.
        with torch.enable_grad(), torch.autograd.set_multithreading_enabled(False):
            seen_BCHW = x_BCHW.detach().requires_grad_().clone()
            logits_B = self._judged(seen_BCHW)
            (slope_BCHW,) = torch.autograd.grad(logits_B.sum(), seen_BCHW, create_graph=True)
        return logits_B, slope_BCHW.square().flatten(1).sum(dim=1).mean()

    def _judged(self, x_BCHW: Tensor) -> Tensor:
        return wide(self.model.critic(x_BCHW))


def even(normal: Tensor) -> Tensor:
    """Return numbers from 0 to 1, each as likely, of normal ones, of their shape."""
    return 0.5 * (1 + torch.erf(normal / math.sqrt(2)))


def _known(real_B: Tensor, fake_B: Tensor) -> dict[str, Tensor]:
    real_B, fake_B = real_B.detach(), fake_B.detach()
    return {**games.known(real_B, fake_B), **games.believed(real_B, fake_B)}


def build(settings: Settings, given: Given) -> Giraffe:
    """Return an untrained predictor.

    Raises:
        UserError: the small map cannot be doubled to the size of pictures, or the critic's chain
            does not end at one place.
    """
    return Giraffe(settings, given)
