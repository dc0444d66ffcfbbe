"""The tables in the facts of an evaluation, for who reads them without torch."""

from collections.abc import Mapping
from typing import Any

import pandas


def table(facts: Mapping[str, Any]) -> pandas.DataFrame:
    """Return the table `per_frame` in the facts of an evaluation; what is not known is NaN."""
    columns = facts["per_frame"]
    numbers = {name: "float64" for name in columns if name not in ("predictor", "frame")}
    return pandas.DataFrame(columns).astype(numbers)
