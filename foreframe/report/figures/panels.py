"""Charts of other kinds in one figure, side by side or one above the other."""

from typing import Any

from foreframe import kinds
from foreframe.config import reading
from foreframe.report.desk import PACKAGE, Chart, Desk


class Settings(Chart):
    """`parts` are figures without words of their own."""

    parts: list[dict[str, Any]]
    below: bool = False


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Let each part draw on a canvas of its own."""
    count = len(settings.parts)
    shape = (count, 1) if settings.below else (1, count)
    parts = canvas.subfigures(*shape, squeeze=False).flat
    for part, raw in zip(parts, settings.parts, strict=True):
        whole = {"alt": settings.alt, **raw}
        schema = reading.settings_of(PACKAGE, whole, "parts")
        kinds.find(PACKAGE, raw["kind"]).fill(part, reading.validate(schema, whole, "parts"), desk)
