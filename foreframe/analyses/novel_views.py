"""A scene from where nobody looked: the camera goes around it, and comes nearer.

Each picture was seen from one side (Castrejon 2022, figure 10.6), so what comes to light is a
guess. Where the source can render its own scenes again the guess has a truth, and an error.

Shapes: N clips, H rows, W columns, C = 3 colours, V views.
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.predictors.rendering import RenderedScenes
from foreframe.sources.rendered_scenes import scene as scenes

LARGEST = 255


class Settings(AnalysisSettings):
    """Where the camera goes."""

    kind: Literal["novel_views"]
    turn: Annotated[float, Field(gt=0, le=180)]  # degrees, to either side; 15
    zooms: Annotated[tuple[Annotated[float, Field(gt=1)], ...], Field(min_length=1)]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return how far each view is from the first one, and from the truth where that is known.

    `right` and `left` are the camera's ways around. `changed` is the mean difference from what is
    made again from the picture's own side, of values from 0 to 1; `mse` the squared error of a view
    from the source's own picture of it, and `stay` that of the picture made again. Of those that
    are shown `frames` (n,2+V,H,W,C) are stored: true, made again, right, left, and the zooms.

    Raises:
        UserError: the predictor renders no scenes.
    """
    model = subject.predictor
    if not isinstance(model, RenderedScenes):
        raise UserError(f"{model.name} renders no scenes. Give an inferno or a nerf_autoencoder.")
    own = model.settings.camera
    views = {"right": own.turned(settings.turn), "left": own.turned(-settings.turn)}
    views |= {f"zoom_{number}": own.zoomed(each) for number, each in enumerate(settings.zooms, 1)}
    changed: dict[str, list[Tensor]] = {name: [] for name in views}
    off: dict[str, list[Tensor]] = {}
    shown = []
    for place in range(len(subject)):
        real_1HWC = subject.clips.read([place])[:, 0]
        scene = model.found(model.pictures(real_1HWC), None).scene
        again = model.outward(model.pictured(scene, own))
        found = {
            name: model.outward(model.pictured(scene, camera)) for name, camera in views.items()
        }
        for name, each in found.items():
            changed[name].append(_apart(each, again).abs().mean())
        for name, turn in (("right", settings.turn), ("left", -settings.turn)):
            true = _true(subject, place, turn)
            if true is not None:
                off.setdefault(f"{name} mse", []).append(_apart(found[name], true).square().mean())
                off.setdefault(f"{name} stay", []).append(_apart(again, true).square().mean())
        if place < settings.show:
            shown.append(torch.cat([real_1HWC, again, *found.values()]))
    if shown:
        subject.store("frames", torch.stack(shown))
    values = {name: {"changed": columns.mean(torch.stack(each))} for name, each in changed.items()}
    for name, errors in off.items():
        view, quantity = name.split()
        values[view][quantity] = columns.mean(torch.stack(errors))
    return Found(values)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return (one.double() - other.double()) / LARGEST


def _true(subject: Subject, place: int, degrees: float) -> Tensor | None:
    """Return the source's picture (1,H,W,C) from so many degrees further; None: it has none."""
    names = tuple(subject.state_names)
    if not scenes.tells(names):
        return None
    row = subject.states[place, 0].numpy()
    scene = scenes.of_states(names, row)
    height, width = subject.clips.read([place]).shape[2:4]
    seen = scene.seen_from(azimuth=scene.camera.azimuth + math.radians(degrees))
    return torch.from_numpy(seen.picture(height, width))[None]
