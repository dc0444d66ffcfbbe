"""Kind `relation_network`: of where features go between frames (Mastropietro 2017, 5.2.2).

Frames are brought to a grid of features each. A small network is shown all pairs of features of two
neighbouring frames that lie near each other, and what it says of them is all that is seen of the
clip from there on: layers of the grid's pairs, the last one recurrent, whose last step is read.

Shapes: B clips, C channels of the view, T frames, P = T - 1 pairs of them, H rows, W columns, K
classes.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.classifiers import Classifier, Given
from foreframe.classifiers.halving import HalvingSettings, Width, Widths, sizes
from foreframe.networks.clip_trunk import Recurrent, convolution
from foreframe.networks.flow_field import Relation


class Settings(HalvingSettings):
    """The section of params.yaml; beside each setting stands what fits frames of 64x64."""

    kind: Literal["relation_network"]
    frame_widths: Widths  # channels of the layers of a frame: 64, 128, 128 leave 8x8 places
    kappa: Annotated[int, Field(ge=1)]  # sides of the patch around a place that it may go to: 3
    relation_widths: Widths  # of the network that is shown pairs: 256, 256
    # widths are those of the layers of pairs: 64, 128
    recurrent_width: Width  # 256
    recurrent_norm: bool  # batch normalisation in the last layer, as in the author's code: true

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kappa % 2 == 0:
            raise ValueError(f"kappa is {self.kappa}, but a patch has a middle. Choose 1, 3, 5 ...")
        if self.view.frames < 2:
            raise ValueError(
                "view.frames is 1, of which there is no pair. Set it to 2 or more, or choose the "
                "kind stream."
            )
        return self


class RelationNetwork(Classifier):
    """With those settings, colour and ten classes, 1,883,147 weights."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        of_frame = [given.shape.channels, *settings.frame_widths]
        of_pair = [settings.kappa**2, *settings.widths]
        found = sizes(settings.kind, given.shape, len(of_frame) + len(of_pair) - 1)
        self.encoder = nn.Sequential(*[convolution(*each, 1) for each in pairwise(of_frame)])
        self.relation = Relation(of_frame[-1], settings.kappa, settings.relation_widths)
        width = settings.recurrent_width
        self.layers = nn.Sequential(
            *[convolution(*each, 1) for each in pairwise(of_pair)],
            Recurrent(of_pair[-1], width, found[-1], normalized=settings.recurrent_norm),
        )
        self.head = nn.Linear(width, len(given.classes))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,K), of the last pair's step."""
        e_BTCHW = self.encoder(x_BCTHW).transpose(1, 2)
        before, after = (part.flatten(0, 1) for part in (e_BTCHW[:, :-1], e_BTCHW[:, 1:]))
        flow_BPNHW = self.relation(before, after).unflatten(0, (len(x_BCTHW), -1))
        seen_BCPHW = self.layers(flow_BPNHW.transpose(1, 2))
        logits_BK: Tensor = self.head(seen_BCPHW[:, :, -1].flatten(1))
        return logits_BK


def build(settings: Settings, given: Given) -> RelationNetwork:
    """Return an untrained classifier.

    Raises:
        UserError: there is one class alone, or frames do not end at a single place.
    """
    return RelationNetwork(settings, given)
