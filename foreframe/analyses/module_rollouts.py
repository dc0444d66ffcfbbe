"""What each module does: futures in which every slot takes it in every step (figure 8.2, right).

Latents are drawn as the protocol's sampling says; the slot of an object is the nearest in the last
given frame. Shapes: as in `following`; t given frames, h drawn ones, M modules, I iterations.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from foreframe.analyses.following import FollowingSettings, centres, places, refuse_crowd, seen
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import matching
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.networks.noise import Drawn
from foreframe.predictors.slots import slotted
from foreframe.randomness import Draws


class Settings(FollowingSettings):
    """Futures are as long as the protocol's horizon."""

    kind: Literal["module_rollouts"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by module how far objects go in a step, in x and y, and which of the moves that is.

    A step counts as the move along its longer axis. Of the clips that are shown the last given
    frame, as slots show it, and the future of every module are stored as `module_0`, `module_1`,
    ... (n,1+h,H,W,3), with `real` (n,T,H,W,3).

    Raises:
        UserError: no frame is given, the predictor has no modules, the data no places of objects,
            or more of them than there are slots.
    """
    predictor, given = slotted(subject.predictor), subject.futures.context
    if predictor.module_count == 0:
        raise UserError(f"{predictor.name} has no modules. Give a predictor that has.")
    if given == 0:
        raise UserError(
            "modules move the slots of a given frame, and none is given. Set the protocol's "
            "context to 1 frame or more."
        )
    places_NTO2, kept = places(subject), []
    steps: list[list[Tensor]] = [[] for _ in range(predictor.module_count)]
    for numbers in subject.batches():
        frames_BTHWC = subject.clips.read(numbers)
        x_BCtHW = seen(subject, frames_BTHWC[:, :given], numbers)
        last_BO2, shown = places_NTO2[numbers][:, given - 1], {"real": frames_BTHWC}
        for module, found in enumerate(steps):
            rendered = _rolled(subject, settings, x_BCtHW, numbers, module)
            refuse_crowd(subject, last_BO2.shape[1], rendered.masks.shape[2])
            centres_BTK2 = centres(rendered, settings)
            slots_BO = matching.nearest(centres_BTK2[:, 0], last_BO2)
            found.append(matching.of_objects(centres_BTK2, slots_BO).diff(dim=1))
            pictures = predictor.scaling.outward(rendered.frame.transpose(1, 2))
            shown[f"module_{module}"] = pictures.cpu()
        if numbers[0] < settings.show:
            kept.append(shown)
    for name, frames in columns.join(kept).items() if kept else ():
        subject.store(name, frames[: settings.show])
    return Found({"modules": [_said(torch.cat(each)) for each in steps]})


def _rolled(
    subject: Subject, settings: Settings, x_BCtHW: Tensor, numbers: list[int], module: int
) -> Rendered:
    """Return the last given frame and the futures of a module, (B,1+h,K,...)."""
    predictor, horizon = slotted(subject.predictor), subject.futures.horizon
    iterations = settings.iterations or predictor.iterations
    shape = (len(numbers), horizon, iterations, predictor.slot_count)
    modules_BhIK = torch.full(shape, module, device=x_BCtHW.device)
    draws = Draws.first(subject.futures.seed, [subject.numbers[number] for number in numbers])
    noise = Drawn(draws, f"module {module}", x_BCtHW.device)
    rendered: Rendered = predictor.roll(x_BCtHW, modules_BhIK, subject.options, noise)
    return rendered


def _said(steps_NhO2: Tensor) -> dict[str, Any]:
    """Return the mean step in pixels, the share of each move, and the largest of these."""
    x_n, y_n = steps_NhO2.flatten(0, 2).unbind(dim=1)
    across = x_n.abs() >= y_n.abs()
    moves_n = torch.where(across, (x_n > 0).long(), 2 + (y_n > 0).long())
    shares = [float((moves_n == move).double().mean()) for move in range(len(matching.MOVES))]
    return {
        "x": float(x_n.mean()),
        "y": float(y_n.mean()),
        **dict(zip(matching.MOVES, shares, strict=True)),
        "most": max(shares),
    }
