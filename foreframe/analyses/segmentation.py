"""Are objects told apart? The masks of slots beside those of the source (FG-ARI, Table 10.3).

Each pixel of an object is its slot's whose mask is largest there; the ground is not counted
(Castrejon 2022, 10.4.2). What the true masks are is told by the states of rendered scenes, or by
the frame after the picture, as `clevr` gives it.

Shapes: N clips, B of a batch, H rows, W columns, C = 3 colours, K slots, with a ground's if any.
"""

from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.following import seen
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import ari
from foreframe.predictors.slots import Slotted
from foreframe.sources.rendered_scenes import scene

LARGEST = 255
# Of the segments of shown pictures: nothing, and then one after the other, again from the second.
SHADES = torch.tensor(
    [
        (0, 0, 0), (230, 60, 60), (60, 200, 80), (70, 110, 240), (240, 200, 60), (200, 80, 220),
        (60, 220, 220), (250, 150, 40), (250, 160, 200), (160, 120, 80), (230, 230, 230),
    ],
    dtype=torch.uint8,
)  # fmt: skip


@runtime_checkable
class Segmenting(Protocol):
    """A model of pictures with slots, as `Slotted` is one of clips."""

    slot_count: int

    def masks(self, frames_NHWC: Tensor) -> Tensor:
        """Return the masks (N,K,H',W') of pictures, uint8; the frame's size is a multiple."""


class Settings(AnalysisSettings):
    """Where the truth is; `show` pictures are stored, and after them the one that is told worst."""

    kind: Literal["segmentation"]
    truth: Literal["states", "next_frame"]


class Told(NamedTuple):
    """Pictures `real` and come `again` (B,H,W,C), masks `true` (B,H,W) and found, (B,K,H,W)."""

    real: Tensor
    again: Tensor
    true: Tensor
    masks: Tensor

    @property
    def found(self) -> Tensor:
        """The slot of each pixel (B,H,W)."""
        return self.masks.argmax(dim=1)


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return FG-ARI, and the squared error of what comes back (values from 0 to 1); store some.

    Of the first frame of each clip. `real`, `reconstructed`, `truth` and `segments` are stored as
    (n,H,W,C), `slots` as (n,K,H,W,C), each slot's mask in grey.

    Raises:
        UserError: the predictor tells no masks, or the data no true ones, or a picture has nothing
            but ground.
    """
    aris, errors = [], []
    for places in subject.batches():
        told = _told(subject, settings, places)
        aris.append(ari.foreground(told.true, told.found))
        off_BHWC = (told.again.double() - told.real.double()) / LARGEST
        errors.append(off_BHWC.square().flatten(1).mean(dim=1))
    ari_N, error_N = torch.cat(aris), torch.cat(errors)
    if bool(ari_N.isnan().any()):
        raise UserError(
            f"clip {int(ari_N.isnan().nonzero()[0])} has no object in its first frame. Ask about "
            "clips with objects, and let stride begin a clip with a picture."
        )
    if settings.show:
        _store(subject, settings, int(ari_N.argmin()))
    return Found(
        {"fg_ari": columns.mean(ari_N), "mse": columns.mean(error_N)},
        per_clip={"confusion": 1 - ari_N, "mse": error_N},
    )


def _told(subject: Subject, settings: Settings, places: list[int]) -> Told:
    frames_BTHWC = subject.clips.read(places)
    real_BHWC = frames_BTHWC[:, 0]
    if settings.truth == "states":
        true_BHW = _scenes(subject, places, real_BHWC.shape[1:3])
    elif frames_BTHWC.shape[1] < 2:
        raise UserError(
            "clips have 1 frame, and the masks are the next one. Let the protocol have a context "
            "and a horizon of 1, and a stride of 2."
        )
    else:
        # Levels are names of objects: which ones does not matter.
        true_BHW = frames_BTHWC[:, 1, :, :, 0].long()
    masks_BKHW, again_BHWC = _found(subject, frames_BTHWC[:, :1], places)
    return Told(real_BHWC, again_BHWC, true_BHW, masks_BKHW)


def _scenes(subject: Subject, places: list[int], size: torch.Size) -> Tensor:
    names = tuple(subject.state_names)
    if not scene.tells(names):
        raise UserError(
            "the states of the data tell no scene, so there are no true masks. Ask about rendered "
            "scenes, or set truth to next_frame."
        )
    rows = subject.states[places, 0].numpy()
    found = [scene.of_states(names, row).look(size[0], size[1]).solids for row in rows]
    return torch.stack([torch.from_numpy(each) for each in found])


def _found(subject: Subject, frames_B1HWC: Tensor, places: list[int]) -> tuple[Tensor, Tensor]:
    """Return masks (B,K,H,W) and what comes back, uint8 (B,H,W,C).

    Raises:
        UserError: the predictor has neither.
    """
    model = subject.predictor
    if isinstance(model, Segmenting):
        again = model.reconstruct(frames_B1HWC, 0)
        if again is None:
            raise UserError(f"{subject.predictor.name} gives no picture back. Ask another one.")
        masks_BKHW = model.masks(frames_B1HWC[:, 0]).float().cpu()
        size = frames_B1HWC.shape[2:4]
        return functional.interpolate(masks_BKHW, size), again.frames[:, 0]
    if isinstance(model, Slotted):
        # What is found in a first frame does not depend on the second.
        x_BCTHW = seen(subject, frames_B1HWC.expand(-1, 2, -1, -1, -1), places)
        rendered = model.follow(x_BCTHW, None).rendered
        first_BC1HW = rendered.frame[:, :1].transpose(1, 2)
        again_BTHWC = model.scaling.outward(first_BC1HW)  # type: ignore[attr-defined]
        return rendered.masks[:, 0].cpu(), again_BTHWC[:, 0].cpu()
    raise UserError(f"{subject.predictor.name} has no slots. Give a predictor that has.")


def _store(subject: Subject, settings: Settings, worst: int) -> None:
    shown = [*range(min(settings.show, len(subject))), worst]
    parts = [_told(subject, settings, [place]) for place in shown]
    told = Told(*(torch.cat(each) for each in zip(*parts, strict=True)))
    subject.store("real", told.real)
    subject.store("reconstructed", told.again)
    subject.store("truth", torch.stack([_shaded(each) for each in told.true]))
    subject.store("segments", torch.stack([_shaded(each + 1) for each in told.found]))
    grey_BKHW = (told.masks * LARGEST).round().clamp(0, LARGEST).to(torch.uint8)
    subject.store("slots", grey_BKHW[..., None].expand(-1, -1, -1, -1, 3).contiguous())


def _shaded(labels_HW: Tensor) -> Tensor:
    """Return a picture (H,W,C) of labels, in their order; 0 is black."""
    names = labels_HW.unique()
    order_HW = torch.searchsorted(names, labels_HW) + int(names[0] > 0)
    return SHADES[torch.where(order_HW > 0, (order_HW - 1) % (len(SHADES) - 1) + 1, 0)]
