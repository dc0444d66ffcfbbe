"""Scenes that are taken apart and put together: what is shown of them, and is it still a picture?

Six edits (Castrejon 2022, figures 10.2 and 10.5, Table 10.2) of the scene of a clip's first frame:

    remove    one or more objects are gone
    scale     of those left, one is smaller along all its axes
    forward   one of those left is further away (y)
    right     one of those left is further to the right (x)
    add       an object of another picture is there too
    swap      an object has shape and appearance of another picture's, and its own pose

Objects that are removed, moved or lent are drawn among those that are seen; another picture is the
next one. How far a set of edited pictures is from true ones is measured by a distance that needs no
trained weights, once with each edit and once with what is merely made again.

Shapes: N clips, H rows, W columns, C = 3 colours, E edits, K objects.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import catalogue
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Accumulator, Wanted
from foreframe.networks.poses import Poses
from foreframe.networks.radiance import COLOURS
from foreframe.networks.scene_rendering import Codes, Scene
from foreframe.predictors.inferno import Inferno
from foreframe.randomness import Numbers, generator

LARGEST = 255
METRIC = "random_image_distance"
AGAIN = "again"
AXES = {"right": 0, "forward": 1}  # of the world
STEPS = 9  # of the animation
EDITS = ("remove", "scale", "forward", "right", "add", "swap")


class Settings(AnalysisSettings):
    """How much is done to a scene."""

    kind: Literal["scene_edits"]
    most_removed: Annotated[int, Field(ge=1)]  # objects that are removed, 1 up to this; 2
    shift: Annotated[float, Field(gt=0)]  # of forward and right, in the world's units
    shrink: Annotated[float, Field(gt=0, lt=1)]  # of scale
    seen: Annotated[float, Field(ge=0, lt=1)]  # share of a picture from which an object is seen
    few: Literal["refuse", "allow"]  # a distance of fewer pictures than features, biased upwards


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return how far each edit moves pixels, and its `distance` from true pictures, or why none.

    `changed` is the mean difference from what is made again without the edit, of values from 0 to
    1; of remove, scale, forward and right it is 0 where nothing is left to be edited. Of the
    pictures that are shown `frames` (n,2+E,H,W,C) are stored: true, made again, and every edit; and
    `moving` (n,STEPS,H,W,C), in which an object goes from the left to the right, by `shift` twice.

    Raises:
        UserError: the predictor finds no objects, or there is a single picture.
    """
    model = subject.predictor
    if not isinstance(model, Inferno):
        raise UserError(f"{model.name} finds no objects with poses. Give an inferno.")
    if len(subject) < 2:
        raise UserError("of 1 picture no object can be lent to another. Take more clips.")
    sets, shown = _accumulator(settings, next(model.parameters()).device), []
    moving: list[Tensor] = []
    changed: dict[str, list[Tensor]] = {name: [] for name in EDITS}
    lent = _scene(subject, model, 0)
    for place in reversed(range(len(subject))):
        scene = _scene(subject, model, place)
        numbers = generator(subject.futures.seed, "scene_edits", subject.numbers[place])
        edited = {AGAIN: scene, **edits(model, scene, lent, settings, numbers)}
        found = {name: _picture(model, each) for name, each in edited.items()}
        real_1HWC = subject.clips.read([place])[:, 0]
        for name, each in {REAL: real_1HWC, **found}.items():
            sets.update(name, each[:, None])
        for name in EDITS:
            off = (found[name].double() - found[AGAIN].double()).abs() / LARGEST
            changed[name].append(off.mean())
        if place < settings.show:
            shown.append(torch.cat([real_1HWC, *found.values()]))
            moving.append(_moving(model, scene, settings, numbers))
        lent = scene
    if shown:
        subject.store("frames", torch.stack(shown[::-1]))
        subject.store("moving", torch.stack(moving[::-1]))
    distances = {name: _told(sets, name) for name in (AGAIN, *EDITS)}
    for name, values in changed.items():
        distances[name]["changed"] = columns.mean(torch.stack(values[::-1]))
    return Found(distances)


def edits(
    model: Inferno, scene: Scene, lent: Scene, settings: Settings, numbers: Numbers
) -> dict[str, Scene]:
    """Return the edited scenes of one, by name; `lent` is the one that lends an object."""
    of_own, of_lent = (_order(model, each, settings.seen, numbers) for each in (scene, lent))
    count = 1 + int(numbers.integers(0, settings.most_removed, (1,)))
    removed = of_own[:count]
    gone, other = _without(scene, removed), (of_lent or [0])[0]
    chosen = of_own[count] if count < len(of_own) else None
    moved = {name: _shifted(gone, chosen, axis, settings.shift) for name, axis in AXES.items()}
    return {
        "remove": gone,
        "scale": _shrunk(gone, chosen, settings.shrink),
        "forward": moved["forward"],
        "right": moved["right"],
        "add": joined(scene, _picked(lent, [other])),
        "swap": _swapped(scene, (of_own or [0])[0], lent, other),
    }


def joined(one: Scene, other: Scene) -> Scene:
    """Return the objects of two scenes before the background of the first."""

    def both(first: Any, second: Any) -> Any:
        return type(first)(*(torch.cat(each, dim=1) for each in zip(first, second, strict=True)))

    return Scene(
        both(one.poses, other.poses),
        both(one.codes, other.codes),
        torch.cat([one.present, other.present], dim=1),
        one.background,
    )


def _order(model: Inferno, scene: Scene, seen: float, numbers: Numbers) -> list[int]:
    """Return the places of the objects that are seen, in an order that is drawn."""
    size, camera = (model.given.shape.height, model.given.shape.width), model.settings.camera
    shares_1KHW = model.rendered(scene, camera, size, COLOURS, None).shares
    objects = shares_1KHW[0, :-1].flatten(1).mean(dim=1)
    order = numbers.permutation(len(objects)).tolist()
    return [place for place in order if objects[place] >= seen]


def _without(scene: Scene, places: list[int]) -> Scene:
    present = scene.present.clone()
    present[:, places] = False
    return replace(scene, present=present)


def _picked(scene: Scene, places: list[int]) -> Scene:
    return Scene(
        Poses(*(each[:, places] for each in scene.poses)),
        Codes(*(each[:, places] for each in scene.codes)),
        scene.present[:, places],
        scene.background,
    )


def _changed(scene: Scene, place: int | None, change: Callable[[Poses, int], Poses]) -> Scene:
    if place is None:
        return scene
    return replace(scene, poses=change(Poses(*(each.clone() for each in scene.poses)), place))


def _shrunk(scene: Scene, place: int | None, factor: float) -> Scene:
    def change(poses: Poses, at: int) -> Poses:
        poses.scale[:, at] *= factor
        return poses

    return _changed(scene, place, change)


def _shifted(scene: Scene, place: int | None, axis: int, shift: float) -> Scene:
    def change(poses: Poses, at: int) -> Poses:
        poses.place[:, at, axis] += shift
        return poses

    return _changed(scene, place, change)


def _swapped(scene: Scene, place: int, lent: Scene, other: int) -> Scene:
    codes = Codes(*(each.clone() for each in scene.codes))
    for own, theirs in zip(codes, lent.codes, strict=True):
        own[:, place] = theirs[:, other]
    return replace(scene, codes=codes)


def _moving(model: Inferno, scene: Scene, settings: Settings, numbers: Numbers) -> Tensor:
    """Return pictures (STEPS,H,W,C) in which one object of a scene goes from left to right."""
    chosen = (_order(model, scene, settings.seen, numbers) or [0])[0]
    ways = torch.linspace(-settings.shift, settings.shift, STEPS).tolist()
    found = [_picture(model, _shifted(scene, chosen, AXES["right"], way)) for way in ways]
    return torch.cat(found)


def _scene(subject: Subject, model: Inferno, place: int) -> Scene:
    return model.found(model.pictures(subject.clips.read([place])[:, 0]), None).scene


def _picture(model: Inferno, scene: Scene) -> Tensor:
    return model.outward(model.pictured(scene, model.settings.camera))


def _accumulator(settings: Settings, device: torch.device) -> Accumulator:
    # It has no weights, so no folder is looked into.
    metric = catalogue.find(METRIC, Path(), device)
    assert metric.accumulate is not None
    return metric.accumulate(Wanted(few=settings.few == "allow", interval=False))


def _told(sets: Accumulator, name: str) -> dict[str, Any]:
    result = sets.result(name)
    found: Mapping[str, Any] = {"value": result.value, "missing": result.missing}
    return {"distance": {**found, "few": result.few}}
