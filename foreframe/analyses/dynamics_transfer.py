"""Moves of objects that were never seen, made again by known ones (Castrejon 2022, figure 8.7).

The clips show objects of novel looks. Their slots are followed and the modules that each picked are
kept; then a picture of known balls at the same places, drawn as the source draws them, goes on with
these modules. Slots of both scenes are matched by their centroids in the first frame.

Shapes: as in `following`; I iterations.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from foreframe.analyses.following import Batch, FollowingSettings, batches, centres, seen
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import matching
from foreframe.networks.noise import Drawn
from foreframe.predictors.slots import slotted
from foreframe.randomness import Draws
from foreframe.sources import random_walk

MODEL, TARGET, TRANSFERRED = "model", "target", "transferred"


class Settings(FollowingSettings):
    """Nothing but how clips are followed."""

    kind: Literal["dynamics_transfer"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by frame how far known balls are from the objects that they imitate, in pixels.

    And how far the slots of these objects are (`target`), which bounds it. Of the clips that are
    shown `real` and `transferred` (n,T,H,W,3) are stored.

    Raises:
        UserError: the predictor has no modules, clips have more objects than there are colours of
            known balls, or frames are none of the source's; see `following.batches`.
    """
    predictor = slotted(subject.predictor)
    if predictor.module_count == 0:
        raise UserError(f"{predictor.name} has no modules. Give a predictor that has.")
    parts, kept = [], []
    for batch in batches(subject, settings):
        rendered_BTHWC, away_BT = _transferred(subject, settings, batch)
        own_BTO2 = matching.of_objects(centres(batch.followed.rendered, settings), batch.slots)
        target_BT = (own_BTO2 - batch.places).norm(dim=3).mean(dim=2)
        parts.append({TARGET: target_BT, TRANSFERRED: away_BT})
        if batch.first < settings.show:
            kept.append({"real": batch.frames, TRANSFERRED: rendered_BTHWC})
    for name, frames in columns.join(kept).items() if kept else ():
        subject.store(name, frames[: settings.show])
    found = columns.join(parts)
    series = [
        row
        for name, values_NT in found.items()
        for row in columns.rows(values_NT, samples=MODEL, predictor=name, quantity="position")
    ]
    values = {name: columns.mean(values_NT[:, 1:].mean(dim=1)) for name, values_NT in found.items()}
    return Found(values, series, {TRANSFERRED: found[TRANSFERRED][:, 1:].mean(dim=1)})


def _transferred(subject: Subject, settings: Settings, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return frames (B,T,H,W,3) of known balls, and how far they are from their models (B,T)."""
    predictor, followed = slotted(subject.predictor), batch.followed
    known_B1HWC = known(batch.places[:, 0], batch.frames.shape[2])
    rows = range(batch.first, batch.first + len(batch.frames))
    x_BC1HW = seen(subject, known_B1HWC, rows)
    numbers = [subject.numbers[row] for row in rows]
    noise = Drawn(Draws.first(subject.futures.seed, numbers), "transfer", x_BC1HW.device)
    assert followed.modules is not None
    nothing = torch.full_like(followed.modules[:, :0], 0)
    first = predictor.roll(x_BC1HW, nothing, subject.options, noise)
    # Which target slot a slot of the known scene imitates.
    models_BK = matching.paired(
        centres(first, settings)[:, 0], centres(followed.rendered, settings)[:, 0]
    )
    steps, inner = followed.modules.shape[1:3]
    modules_BTIK = followed.modules.gather(
        3, models_BK.to(followed.modules.device)[:, None, None].expand(-1, steps, inner, -1)
    )
    rendered = predictor.roll(x_BC1HW, modules_BTIK, subject.options, noise)
    centres_BTK2 = centres(rendered, settings)
    slots_BO = matching.nearest(centres_BTK2[:, 0], batch.places[:, 0])
    away = matching.of_objects(centres_BTK2, slots_BO) - batch.places
    pictures_BTHWC = predictor.scaling.outward(rendered.frame.transpose(1, 2)).cpu()
    return pictures_BTHWC, away.norm(dim=3).mean(dim=2)


def known(places_BO2: Tensor, side: int) -> Tensor:
    """Return pictures (B,1,side,side,3), uint8, of known balls at places, each of another colour.

    Raises:
        UserError: there are more objects than colours, or the source has no frames of this size.
    """
    objects = places_BO2.shape[1]
    if objects > len(random_walk.KNOWN) or side % random_walk.SIDES:
        raise UserError(
            f"clips show {objects} objects in {side} rows, but known balls have "
            f"{len(random_walk.KNOWN)} colours and frames of a multiple of {random_walk.SIDES}. "
            "Ask about clips of the source random_walk."
        )
    shades: Sequence[tuple[int, int, int]] = random_walk.KNOWN[:objects]
    drawn = [
        torch.from_numpy(random_walk.draw(places_O2.long().numpy(), [*shades], side, "known"))
        for places_O2 in places_BO2
    ]
    return torch.stack(drawn)[:, None]
