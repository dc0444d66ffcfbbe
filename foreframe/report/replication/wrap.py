"""What a missing clamp does: one reconstruction clamped and wrapped round, beside the original.

Frames are uint8 (n, T, H, W, 3); the first clip is the one that wraps most.
"""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from foreframe.report import animations, strips
from foreframe.report.strips import Row

ROWS = {"original": "original", "clamped": "clamped", "wrapped": "wrapped\nround"}


def strip(maps: Mapping[str, NDArray[Any]], number: int) -> Image.Image:
    """Return a strip of one clip: original, reconstruction clamped, reconstruction wrapped."""
    rows = [Row(label, maps[f"wrap/{name}"][number]) for name, label in ROWS.items()]
    return strips.draw(rows, strips.spread(len(rows[0].frames), strips.COLUMNS))


def clip(maps: Mapping[str, NDArray[Any]], number: int) -> list[Image.Image]:
    """Return the rows of `strip` as panels that play side by side."""
    rows = [Row(name, maps[f"wrap/{name}"][number]) for name in ROWS]
    return animations.draw(rows)
