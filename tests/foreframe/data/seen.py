"""Views for tests: one that models see by default, with some values changed."""

from typing import Any

from foreframe.data.views import View

FRAMES: dict[str, Any] = {
    "of": "frames",
    "frames": 8,
    "train_stride": 2,
    "evaluation_stride": 4,
    "channels": "colour",
    "scaling": "standard",
    "bits": 8,
    "dequantise": False,
}
STATES = dict.fromkeys(("channels", "scaling", "bits", "dequantise")) | {"of": "states"}


def view(**changes: Any) -> View:
    """Return a view of 8 colour frames, standardised."""
    return View(**{**FRAMES, **changes})
