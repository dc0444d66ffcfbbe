"""Critics of clips (Mastropietro 2017, chapter 6): levels, the last step, one logit.

The first one of Feature Flow halves frame by frame, with two convolutional LSTMs among its levels;
the best one begins with convolutions of neighbouring frames and ends with the two LSTMs. Either may
be told where the features of a frame have gone from those of the frame before: the inverse of a
feature flow (6.3.4). The critic of a game over pairs sees latents too. All have weight
normalisation, and none over the batch: a clip is judged by itself.

Shapes: B clips, C channels, T frames, H rows and W columns, Z numbers of a latent, K = kappa^2.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.config.base import Strict
from foreframe.networks import flow_field
from foreframe.networks.adversarial import SLOPE
from foreframe.networks.clip_features import (
    TIME,
    ClipFeatures,
    ClipVectors,
    Design,
    Level,
    Width,
    weight_normalized,
)
from foreframe.networks.gaussian import wide
from foreframe.networks.recomputed import Layers

Shape = tuple[int, int, int]


class Inverse(Strict):
    """Where features have gone, told after so many `levels`; `widths` are those of a relation.

    A flow field of kappa^2 channels joins the features of each step but the first, whose own is 0.
    """

    form: Literal["correlation", "relation"]
    kappa: Annotated[int, Field(ge=1)]
    levels: Width
    widths: tuple[Width, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kappa % 2 == 0:
            raise ValueError(f"kappa is {self.kappa}, but a patch has a middle. Choose 1, 3, 5 ...")
        if (self.form == "relation") != bool(self.widths):
            raise ValueError(
                f"The form {self.form} has widths {list(self.widths)}. Give a relation one or "
                "more, and a correlation none ([])."
            )
        return self


class CriticSettings(Strict):
    """The levels of a critic, each halving what it sees.

    The thesis's first one has convolutions, but recurrent levels in fourth and sixth place; widths
    of 32, 64, 128, 128, 256, 256 and 512 fit frames of 120 rows. Its best one has three volumes and
    then two recurrent levels; 64, 128, 128, 256 and 256.
    """

    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    pads_time: bool  # whether volumes keep the number of steps, or give 2 fewer
    inverse: Inverse | None

    @property
    def least(self) -> int:
        """The frames of the shortest clip that it can judge."""
        volumes = sum(level.layer == "volume" for level in self.levels)
        return 1 if self.pads_time else 1 + (TIME - 1) * volumes

    @model_validator(mode="after")
    def _has_features_to_compare(self) -> Self:
        if self.inverse is not None and self.inverse.levels >= len(self.levels):
            raise ValueError(
                f"inverse.levels is {self.inverse.levels} of {len(self.levels)} levels. Let it be "
                "lower, so that a level sees what it finds."
            )
        return self


class ClipCritic(nn.Module):
    """A clip to one logit, by levels with a kernel of 3."""

    def __init__(self, shape: Shape, settings: CriticSettings) -> None:
        super().__init__()
        design = Design(3, normalized=False, recurrent_norm=False, pads_time=settings.pads_time)
        told = settings.inverse
        first = 0 if told is None else told.levels
        self.before = ClipFeatures(shape, settings.levels[:first], design)
        channels, *size = self.before.shape
        self.field = None if told is None else _Field(channels, told)
        more = 0 if told is None else told.kappa**2
        self.after = ClipFeatures(
            (channels + more, size[0], size[1]), settings.levels[first:], design
        )
        channels, *size = self.after.shape
        self.judge = nn.Linear(channels * size[0] * size[1], 1)
        weight_normalized(self)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return logits (B,) of being true, float32 at least."""
        x_BTCHW = self.before(x_BCTHW.transpose(1, 2))
        if self.field is not None:
            x_BTCHW = torch.cat([x_BTCHW, self.field(x_BTCHW)], dim=2)
        return wide(self.judge(self.after(x_BTCHW)[:, -1].flatten(1)))[:, 0]


class PairCritic(nn.Module):
    """A clip and its latents to one logit: vectors of both, joined.

    latent_widths, joint_widths: of the layers that see latents alone, and both.
    """

    def __init__(
        self,
        clips: ClipVectors,
        latents: int,
        latent_widths: Sequence[int],
        joint_widths: Sequence[int],
    ) -> None:
        super().__init__()
        self.clips = clips
        self.latents = _layers([latents, *latent_widths])
        joined = clips.width + latent_widths[-1]
        self.joint = _layers([joined, *joint_widths])
        self.judge = nn.Linear(joint_widths[-1], 1)
        weight_normalized(self)

    def forward(self, x_BCTHW: Tensor, z_BZ: Tensor) -> Tensor:
        """Return logits (B,) of being a true clip with its inferred latents, float32 at least."""
        vector_BF = self.clips(x_BCTHW.transpose(1, 2))[:, -1]
        joined_BF = torch.cat([vector_BF, self.latents(z_BZ)], dim=1)
        return wide(self.judge(self.joint(joined_BF)))[:, 0]


class _Field(nn.Module):
    """A flow field (B,T,K,H,W) of the features of each step after those of the step before."""

    def __init__(self, channels: int, told: Inverse) -> None:
        super().__init__()
        self.kappa = told.kappa
        relation = flow_field.Relation(channels, told.kappa, told.widths) if told.widths else None
        self.relation = relation

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        rows, steps = x_BTCHW.shape[:2]
        before, after = (x.flatten(0, 1) for x in (x_BTCHW[:, :-1], x_BTCHW[:, 1:]))
        if self.relation is None:
            field_XKHW = flow_field.correlation(before, after, self.kappa)
        else:
            field_XKHW = self.relation(before, after)
        return functional.pad(field_XKHW.unflatten(0, (rows, steps - 1)), (0, 0, 0, 0, 0, 0, 1, 0))


def _layers(widths: Sequence[int]) -> Layers:
    """Return linear layers, each with its LeakyReLU."""
    pairs = itertools.pairwise(widths)
    return Layers(*(part for pair in pairs for part in (nn.Linear(*pair), nn.LeakyReLU(SLOPE))))
