"""Small synthetic sources for tests, and all that they give."""

from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe import kinds
from foreframe.sources import Episode

BASE = {"height": 32, "width": 32, "frame_interval": 0.1, "frames_per_episode": 12}
BASE |= {"train_episodes": 10, "test_episodes": 10}
MORE: dict[str, dict[str, Any]] = {
    "moving_digits": {
        "digit_images": "scikit_learn",
        "digits": 2,
        "shared": "nothing",
        "download": False,
    },
    "random_walk": {"balls": 3, "fewest_moves": 1, "most_moves": 1, "looks": "known"},
    "sinusoid": {"frequency": 1.5, "points": 20},
    "gaussian_grid": {},
    "dynamics": {},
    "drawn_objects": {},
    "rendered_scenes": {
        "fewest_objects": 2,
        "most_objects": 3,
        "azimuth_jitter": 30.0,
        "elevation": 30.0,
        "elevation_jitter": 5.0,
        "distance": 2.5,
        "moving": "camera",
    },
    "cups_and_ball": {"cups": 2, "moves": 3},
}


def settings(kind: str, **changes: Any) -> Any:
    content = {**BASE, "kind": kind, **MORE[kind], **changes}
    return kinds.find("foreframe.sources", kind).Settings.model_validate(content)


def gathered(episode: Episode) -> dict[str, NDArray[Any]]:
    blocks = list(episode.blocks)
    names = ("frames", "actions", "states")
    return {name: numpy.concatenate([getattr(each, name) for each in blocks]) for name in names}


def recorded(
    kind: str,
    seed: int = 0,
    workers: int = 1,
    first: int = 0,
    folder: Path = Path(),
    **changes: Any,
) -> list[tuple[str, str, dict[str, NDArray[Any]]]]:
    module = kinds.find("foreframe.sources", kind)
    found = module.stream(settings(kind, **changes), seed, folder, workers, first)
    return [(each.origin, each.part, gathered(each)) for each in found.episodes]


def equal(first: Any, second: Any) -> bool:
    return len(first) == len(second) and all(
        one[:2] == other[:2]
        and all(numpy.array_equal(one[2][key], other[2][key]) for key in one[2])
        for one, other in zip(first, second, strict=True)
    )
