"""A picture becomes a scene: slots that are found in it, and what each is (Castrejon 2022, 10.3.2).

Convolutions that keep the size and positions that are added (Table 10.5), Slot Attention with K
object slots and a background slot that begins from a Gaussian of its own (Table 10.6), and three
small perceptrons (Table 10.7): of a slot its pose; of a slot, under normalisations that its pose
says, its shape and its appearance; of the background's slot its shape and its appearance.

The document prints a padding of 1, which would shrink maps of 5 x 5 kernels; they keep their size.

Shapes: B rows, C channels, H rows, W columns, N places, K object slots of D numbers, S numbers of a
shape, A of an appearance.
"""

from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks.noise import Noise
from foreframe.networks.poses import NUMBERS, Poses, Reach
from foreframe.networks.positions import positions
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.scene_rendering import Codes, Scene
from foreframe.networks.slot_attention import SlotAttention
from foreframe.networks.slot_scene import Convolutions
from foreframe.randomness import generator

Count = Annotated[int, Field(ge=1)]


class SceneEncoderSettings(Strict):
    """Sizes; those in comments are the document's."""

    slots: Count  # K: 5 of CLEVR2345, 6 of CLEVR6, 10 of CATER
    dim: Count  # D, 128
    iterations: Count  # 3
    hidden: Count  # of Slot Attention's perceptron, 128
    convolutions: Convolutions  # 4 of 5 x 5, 64 wide
    waves: Annotated[int, Field(ge=0, le=8)]  # of `positions`; 0
    shape: Count  # S, 128
    appearance: Count  # A, 128
    pose_hidden: Count  # as many as a pose has numbers, 7
    code_hidden: Count  # 128


class Found(NamedTuple):
    """What is in pictures: scenes, and the masks (B,K+1,H',W') by which slots saw them."""

    scene: Scene
    masks: Tensor


class Features(Recomputed):
    """Table 10.5, and the positions of Table 10.6."""

    def __init__(self, channels: int, design: Convolutions, waves: int) -> None:
        super().__init__()
        parts, padding = list[nn.Module](), design.kernel // 2
        for layer in range(design.layers):
            stride = 2 if layer < design.scaled else 1
            inputs = design.width if layer else channels
            parts += [nn.Conv2d(inputs, design.width, design.kernel, stride, padding), nn.ReLU()]
        self.layers = nn.Sequential(*parts, positions(design.width, waves))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features (B,F,H',W'), halved as often as the design says."""
        features_BFHW: Tensor = self.layers(x_BCHW)
        return features_BFHW


class ConditionalNorm(nn.Module):
    """Layer normalisation whose scale and shift are one linear map of a condition."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.width = width
        self.map = nn.Linear(condition, 2 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return what is normalised, of the shape (..., width), by conditions (...,)."""
        scale, shift = self.map(condition).chunk(2, dim=-1)
        return functional.layer_norm(x, [self.width]) * (1 + scale) + shift


class ObjectCodes(nn.Module):
    """Two layers that all objects share, between them a normalisation that the pose says."""

    def __init__(self, dim: int, hidden: int, shape: int, appearance: int) -> None:
        super().__init__()
        self.sizes = [shape, appearance]
        self.first, self.norm = nn.Linear(dim, hidden), ConditionalNorm(hidden, NUMBERS)
        self.last = nn.Linear(hidden, sum(self.sizes))

    def forward(self, slots_BKD: Tensor, poses_BK7: Tensor) -> Codes:
        """Return shapes (B,K,S) and appearances (B,K,A)."""
        h_BK = functional.relu(self.norm(self.first(slots_BKD), poses_BK7))
        return Codes(*self.last(h_BK).split(self.sizes, dim=2))


class SceneEncoder(nn.Module):
    """Of pictures of so many channels."""

    def __init__(self, settings: SceneEncoderSettings, channels: int, reach: Reach) -> None:
        super().__init__()
        self.settings, self.reach = settings, reach
        dim, hidden = settings.dim, settings.code_hidden
        self.features = Features(channels, settings.convolutions, settings.waves)
        self.attention = SlotAttention(
            settings.convolutions.width,
            settings.slots,
            dim,
            settings.iterations,
            settings.hidden,
            background=True,
        )
        self.pose = nn.Sequential(
            nn.Linear(dim, settings.pose_hidden),
            nn.LayerNorm(settings.pose_hidden),
            nn.ReLU(),
            nn.Linear(settings.pose_hidden, NUMBERS),
        )
        self.objects = ObjectCodes(dim, hidden, settings.shape, settings.appearance)
        self.background = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(),
            nn.Linear(hidden, settings.shape + settings.appearance),
        )

    def slots(self, x_BCHW: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Return slots (B,K+1,D), the background's last, and their masks (B,K+1,H',W').

        Without `noise` they begin at the same numbers in every picture.
        """
        # From -1 to 1: the grey of most of a picture is then near 0.
        maps_BFHW = self.features(2 * x_BCHW - 1)
        shape = (self.attention.count, self.settings.dim)
        if noise is None:
            drawn = generator(0, "slots").normal(shape).to(maps_BFHW).expand(len(x_BCHW), -1, -1)
        else:
            drawn = noise.normal("slots", 0, shape)
        slots, masks = self.attention(maps_BFHW.flatten(2).transpose(1, 2), drawn)
        return slots, masks.unflatten(2, maps_BFHW.shape[2:])

    def scene(self, slots_BKD: Tensor) -> Scene:
        """Return what slots (B,K+1,D) say is there."""
        objects_BKD, behind_BD = slots_BKD[:, :-1], slots_BKD[:, -1]
        poses = Poses.of(self.pose(objects_BKD), self.reach)
        codes = self.objects(objects_BKD, poses.numbers)
        sizes = [self.settings.shape, self.settings.appearance]
        present = torch.ones(objects_BKD.shape[:2], dtype=torch.bool, device=slots_BKD.device)
        return Scene(poses, codes, present, Codes(*self.background(behind_BD).split(sizes, dim=1)))

    def forward(self, x_BCHW: Tensor, noise: Noise | None) -> Found:
        """Return the scenes of pictures, and where each slot saw them."""
        slots_BKD, masks_BKHW = self.slots(x_BCHW, noise)
        return Found(self.scene(slots_BKD), masks_BKHW)
