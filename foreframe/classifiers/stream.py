"""Kind `stream`: one of the two of Two-Streams (Simonyan and Zisserman 2014).

The temporal one sees several flows at once, whose two components are stacked as channels; the
spatial one sees a single frame, and so is the control that tells whether single frames give classes
away. Where a clip has more frames than are seen, training takes some at random, and a classifier
the middle ones. Flow is a file of frames of its own: see the stage `derive_flow`.

Shapes: B clips, C channels of the view, T frames of which N are stacked, H rows, W columns, K
classes.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from foreframe.classifiers import Classifier, Given
from foreframe.classifiers.halving import HalvingSettings, Width
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.pooling import maxima
from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers
from foreframe.training.objective import Moment

COMPONENTS = 2  # of a flow: the first two colours


class Settings(HalvingSettings):
    """The section of params.yaml.

    For frames of 64x64 the widths are 64, 128, 256, 512, 512, 512; each is that of two convolutions
    and a pooling.
    """

    kind: Literal["stream"]
    sees: Literal["frame", "flow"]
    stacked: Width  # frames in a row: 1 frame, 10 flows

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sees == "flow":
            views.require(self.view, "a stream of flow", channels="colour")
        elif self.stacked > 1:
            raise ValueError(
                f"stacked is {self.stacked}, but sees is frame, a single one. Set stacked to 1, or "
                "sees to flow."
            )
        if self.stacked > self.view.frames:
            raise ValueError(
                f"stacked is {self.stacked}, but view.frames is {self.view.frames}. Raise "
                "view.frames, or lower stacked."
            )
        return self


class Stream(Classifier):
    """With those settings and ten classes, 14,143,498 weights of ten flows; 14,133,706 of a frame.

    (Of one in colour.)
    """

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        _check(settings, given.shape)
        colours = COMPONENTS if settings.sees == "flow" else given.shape.channels
        channels = [settings.stacked * colours, *settings.widths]
        self.blocks = nn.Sequential(*[_Block(*each) for each in pairwise(channels)])
        self.head = nn.Linear(channels[-1], len(given.classes))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K), of the middle frames."""
        first = (x_BCTHW.shape[2] - self.settings.stacked) // 2
        seen_BCNHW = x_BCTHW[:, :, first : first + self.settings.stacked]
        if self.settings.sees == "flow":
            seen_BCNHW = seen_BCNHW[:, :COMPONENTS]
        # Both components of a flow side by side, as in the author's code.
        stacked_BSHW = seen_BCNHW.transpose(1, 2).flatten(1, 2)
        logits_BK: Tensor = self.head(self.blocks(stacked_BSHW).flatten(1))
        return logits_BK

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return the cross-entropy in nats, and the share of wrong clips, both scalars.

        In training of frames that are chosen by the numbers of the step.
        """
        if self.training:
            batch = {**batch, "x": self._some(batch["x"], moment.numbers)}
        return super().loss(batch, moment)

    def _some(self, x_BCTHW: Tensor, numbers: Numbers) -> Tensor:
        """Return N frames in a row of each clip, (B,C,N,H,W)."""
        count = self.settings.stacked
        firsts = numbers.integers(0, x_BCTHW.shape[2] - count + 1, (len(x_BCTHW),)).tolist()
        rows = zip(x_BCTHW, firsts, strict=True)
        return torch.stack([x_CTHW[:, first : first + count] for x_CTHW, first in rows])


class _Block(Recomputed):
    """Two convolutions that keep the size, and the largest of every four places."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            convolution = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return maxima(self.layers(x_BCHW))


def _check(settings: Settings, shape: Shape) -> None:
    reached = 2 ** len(settings.widths)
    if (shape.height, shape.width) != (reached, reached):
        raise UserError(
            f"The classifier stream halves frames {len(settings.widths)} times, so it takes frames "
            f"of {reached} x {reached} pixels, not {shape.height} x {shape.width}. Change "
            "source.height and source.width, or give as many widths as they can be halved."
        )


def build(settings: Settings, given: Given) -> Stream:
    """Return an untrained classifier.

    Raises:
        UserError: there is one class alone, or frames do not end at a single place.
    """
    return Stream(settings, given)
