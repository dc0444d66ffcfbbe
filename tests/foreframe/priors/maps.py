"""Tiny `image_pixel_snail` priors for tests: untrained, with every number drawn from a seed."""

from typing import Any

from foreframe.priors import Codes, build, image_pixel_snail
from foreframe.priors.image_pixel_snail import ImagePixelSnail
from tests.foreframe.priors import tiny


def settings(above: bool, looks_back: bool, **changes: Any) -> image_pixel_snail.Settings:
    values: dict[str, Any] = {
        "kind": "image_pixel_snail",
        "level": "bottom" if above else "top",
        "condition_on": ("top",) if above else (),
        "actions": "none",
        "channels": 6,
        "blocks": 2,
        "layers": 2,
        "kernel": 3,
        "attention": {"heads": 2, "channels": 4} if looks_back else None,
        "condition_layers": int(above),
        "dropout": 0.0,
        "training": tiny.TRAINING,
    }
    return image_pixel_snail.Settings(**(values | changes))


def prior(
    sides: tuple[int, int] = (4, 4),
    size: int = 7,
    above: bool = False,
    attention: bool | None = None,
    seed: int = 0,
    **changes: Any,
) -> ImagePixelSnail:
    """Return a prior like the thesis's top one, or like its bottom one where a level is above."""
    attention = not above if attention is None else attention
    grid = (1, *sides)
    conditions = {"top": Codes((1, sides[0] // 2, sides[1] // 2), 5)} if above else {}
    built = build(settings(above, attention, **changes), Codes(grid, size), conditions)
    tiny.drawn(built, seed)
    assert isinstance(built, ImagePixelSnail)
    return built
