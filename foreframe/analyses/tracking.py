"""How well slots keep to their objects: the distance of each from its slot, frame by frame.

And iteration by iteration, where a predictor refines its slots several times between two frames
(Castrejon 2022, figures 8.4 and 8.5); before the first one it is where the slot was in the frame
before. Beside it how well frames come back (Table 8.4, figure 8.3): the squared error of a frame,
summed over its pixels and channels, and what its latents cost.

Shapes: as in `following`; I iterations, S frames after the given ones.
"""

from typing import Literal

import torch
from torch import Tensor

from foreframe.analyses.following import Batch, FollowingSettings, batches, centres, seen
from foreframe.analyses.subject import Found, Subject
from foreframe.evaluation import columns
from foreframe.metrics import matching
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.networks.noise import Drawn
from foreframe.predictors.variational import Variational
from foreframe.randomness import Draws

MODEL = "model"


class Settings(FollowingSettings):
    """Nothing but how clips are followed."""

    kind: Literal["tracking"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return errors in pixels as the states count them, by frame and by iteration.

    `last` is that of the last frame, `nearest` the iteration after which slots are nearest to their
    objects (0: before the first), `nearer` by how much all of them bring a slot nearer, `beyond` by
    how much it is further away after the last than after the nearest one.

    `frame` of the rows of `position` is that of the clip, of `refined` the iteration, from 0 as 1.
    Of the clips that are shown `real`, `seen` and the frames after each iteration, `refined`
    (n,T-1,I,H,W,3), are stored, and what each slot adds to frames, `slots` (n,K,T,H,W,3).

    Raises:
        UserError: as `following.batches` says.
    """
    parts, shared = [], []
    for batch in batches(subject, settings):
        parts.append(_measured(subject, settings, batch))
        shared.append(batch.shared)
        if batch.first == 0 and settings.show:
            _store(subject, settings, batch)
    found, series = columns.join(parts), list[dict[str, object]]()
    for name, values_Nn in found.items():
        series += columns.rows(values_Nn, samples=MODEL, predictor=MODEL, quantity=name)
    later = {name: values_Nn[:, 1:].mean(dim=1) for name, values_Nn in found.items()}
    values = {name: columns.mean(values_N) for name, values_N in later.items()}
    refined_NI = found["refined"]
    nearest = int(refined_NI.mean(dim=0).argmin())
    return Found(
        {
            **values,
            "last": columns.mean(found["position"][:, -1]),
            "nearest": nearest,
            "nearer": columns.difference(refined_NI[:, 0], refined_NI[:, -1]),
            "beyond": columns.difference(refined_NI[:, -1], refined_NI[:, nearest]),
            "shared": columns.share(torch.cat(shared)),
        },
        series,
        {"position": later["position"], "error": later["error"]},
    )


def _measured(subject: Subject, settings: Settings, batch: Batch) -> dict[str, Tensor]:
    """Return values (B,T) and (B,I+1) by name, float64: the mean over objects."""
    followed = batch.followed
    x_BTCHW = _as_seen(subject, batch).transpose(1, 2)
    square_BT = (followed.rendered.frame - x_BTCHW).double().square().flatten(2).sum(dim=2)
    own_BTO2 = matching.of_objects(centres(followed.rendered, settings), batch.slots)
    refined = [
        matching.of_objects(each, batch.slots)
        for each in centres(followed.refined, settings).unbind(dim=2)
    ]
    at_BTIO2 = torch.stack([own_BTO2[:, :-1], *refined], dim=2)
    away_BTIO = (at_BTIO2 - batch.places[:, 1:, None]).norm(dim=4)
    return {
        "position": (own_BTO2 - batch.places).norm(dim=3).mean(dim=2),
        "refined": away_BTIO.mean(dim=(1, 3)),
        "error": square_BT.cpu(),
        **_costs(subject, batch, x_BTCHW.transpose(1, 2)),
    }


def _costs(subject: Subject, batch: Batch, x_BCTHW: Tensor) -> dict[str, Tensor]:
    """Return the divergence (B,T) of each latent in nats, 0 in the first frame."""
    if not isinstance(subject.predictor, Variational):
        return {}
    numbers = [subject.numbers[batch.first + row] for row in range(len(x_BCTHW))]
    draws = Draws.first(subject.futures.seed, numbers)
    noise = Drawn(draws, "tracking", x_BCTHW.device)
    terms = subject.predictor.terms(x_BCTHW, 1, noise)
    return {
        f"kl_{name}": torch.nn.functional.pad(kl_BS.double().cpu(), (1, 0))
        for name, kl_BS in terms.kl.items()
    }


def _as_seen(subject: Subject, batch: Batch) -> Tensor:
    rows = range(batch.first, batch.first + len(batch.frames))
    return seen(subject, batch.frames, rows)


def _store(subject: Subject, settings: Settings, batch: Batch) -> None:
    followed, shown = batch.followed, slice(settings.show)
    subject.store("real", batch.frames[shown])
    subject.store("slots", _alone(subject, followed.rendered)[shown])
    subject.store("seen", _pictures(subject, followed.rendered.frame)[shown])
    steps = Rendered(*(each.flatten(1, 2) for each in followed.refined))
    refined = _pictures(subject, steps.frame).unflatten(1, followed.refined.masks.shape[1:3])
    subject.store("refined", refined[shown])


def _alone(subject: Subject, rendered: Rendered) -> Tensor:
    """Return frames of each slot before black, uint8 (B,K,T,H,W,3)."""
    drawn_BTKCHW = rendered.masks.unsqueeze(3) * rendered.colours
    return torch.stack([_pictures(subject, each) for each in drawn_BTKCHW.unbind(dim=2)], dim=1)


def _pictures(subject: Subject, frames_BTCHW: Tensor) -> Tensor:
    """Return frames, uint8 (B,T,H,W,3)."""
    scaling = subject.predictor.scaling  # type: ignore[attr-defined]
    pictures: Tensor = scaling.outward(frames_BTCHW.transpose(1, 2)).cpu()
    return pictures
