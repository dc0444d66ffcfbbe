"""Scores are the few numbers that one compares from run to run: plain JSON for `dvc metrics`.

`dvc metrics show` prints every value of a file as a column, so these files hold numbers and nothing
else: no schema, no checksum. No stage reads them; what is read stands in facts and tables.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from foreframe.artefacts import atomic

Scores = Mapping[str, "float | int | Scores"]


def write(path: Path, scores: Scores) -> None:
    """Write nested numbers, sorted by name.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(scores, sort_keys=True, indent=2, allow_nan=False)
    atomic.write_text(path, text + "\n")
