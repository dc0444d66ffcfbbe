"""What analyses of slots share: clips that a predictor follows, and the slot of each object.

What the source says of objects is their places, states x_1, y_1, x_2, ... in pixels of a frame of
`side` rows. Shapes: N clips, B of a batch, T frames, O objects, K slots, H rows, W columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Subject
from foreframe.errors import UserError
from foreframe.metrics import matching
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.predictors.slots import Followed, slotted
from foreframe.randomness import generator


class FollowingSettings(AnalysisSettings):
    """How clips are followed.

    A slot's place is the centroid of its mask, or of what it adds to a frame: on a black ground
    masks may say anything of where no slot shows anything.
    """

    side: Annotated[int, Field(ge=1)]  # pixels of a frame's side as the states count them
    by: Literal["masks", "light"]
    iterations: Annotated[int, Field(ge=1)] | None  # between two frames; null: as in training


@dataclass(frozen=True)
class Batch:
    """Some clips as they were followed.

    Attributes:
        frames: uint8 (B,T,H,W,3).
        places: of objects, (B,T,O,2), x and y.
        followed: what the predictor says of them.
        slots: the slot (B,O) of each object, the nearest in the first frame.
        first: the number among all of the first clip.
    """

    frames: Tensor
    places: Tensor
    followed: Followed
    slots: Tensor
    first: int

    @property
    def shared(self) -> Tensor:
        """Whether two objects of a clip have the same slot, bool (B,)."""
        sorted_BO = self.slots.sort(dim=1).values
        return (sorted_BO.diff(dim=1) == 0).any(dim=1)


def batches(subject: Subject, settings: FollowingSettings) -> Iterator[Batch]:
    """Yield all clips, followed.

    Raises:
        UserError: clips have a single frame, the predictor no slots, the data no places of
            objects, or more objects than there are slots.
    """
    if subject.futures.frames < 2:
        raise UserError(
            "clips have 1 frame, in which nothing is followed. Raise the protocol's horizon."
        )
    places_NTO2 = places(subject)
    for numbers in subject.batches():
        frames_BTHWC = subject.clips.read(numbers)
        x_BCTHW = seen(subject, frames_BTHWC, numbers)
        followed = slotted(subject.predictor).follow(x_BCTHW, settings.iterations)
        places_BTO2 = places_NTO2[numbers]
        refuse_crowd(subject, places_BTO2.shape[2], followed.rendered.masks.shape[2])
        centres_BTK2 = centres(followed.rendered, settings)
        slots_BO = matching.nearest(centres_BTK2[:, 0], places_BTO2[:, 0])
        yield Batch(frames_BTHWC, places_BTO2, followed, slots_BO, numbers[0])


def seen(subject: Subject, frames_BTHWC: Tensor, places: Sequence[int]) -> Tensor:
    """Return frames of some clips as the predictor sees them (B,C,T,H,W)."""
    seed = subject.futures.seed
    own = [generator(seed, "dequantise", subject.numbers[place]) for place in places]
    x_BCTHW: Tensor = slotted(subject.predictor).inward(frames_BTHWC, own)
    return x_BCTHW


def places(subject: Subject) -> Tensor:
    """Return where objects are in every frame, float64 (N,T,O,2).

    Raises:
        UserError: the data do not say.
    """
    found = [torch.stack([subject.state("x_1"), subject.state("y_1")], dim=2)]
    while f"x_{len(found) + 1}" in subject.state_names:
        names = [f"{axis}_{len(found) + 1}" for axis in "xy"]
        found.append(torch.stack([subject.state(name) for name in names], dim=2))
    return torch.stack(found, dim=2).double()


def centres(rendered: Rendered, settings: FollowingSettings) -> Tensor:
    """Return the places of slots, float64 (...,K,2) on the CPU, as the states count pixels."""
    weights = rendered.masks if settings.by == "masks" else rendered.light
    scale = settings.side / weights.shape[-1]
    return ((matching.centroids(weights) + 0.5) * scale - 0.5).cpu()


def refuse_crowd(subject: Subject, objects: int, slots: int) -> None:
    """Refuse scenes whose objects cannot each have a slot.

    Raises:
        UserError: there are more objects than slots.
    """
    if objects > slots:
        raise UserError(
            f"the clips have {objects} objects, but {subject.predictor.name} has {slots} slots. "
            "Train it with more slots, or ask it about fewer objects."
        )
