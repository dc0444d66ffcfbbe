"""Tables are CSV files: learning curves and per-frame numbers that DVC, pandas and people read."""

from collections.abc import Sequence
from pathlib import Path

import pandas

from foreframe.artefacts import atomic, facts
from foreframe.errors import ArtefactError


def write(path: Path, table: pandas.DataFrame) -> None:
    """Write a table without its index; floats in the shortest form that reads back equal."""
    # pandas writes repr() of a float64, which round-trips; \n on every system.
    atomic.write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read(path: Path, columns: Sequence[str]) -> pandas.DataFrame:
    """Read a table that must have at least `columns`.

    Raises:
        ArtefactError: the file is missing, empty, no CSV, or lacks a column.
    """
    try:
        table = pandas.read_csv(path)
    except FileNotFoundError:
        raise facts.missing(path) from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}. {facts.CURE}") from None
    if lacking := [column for column in columns if column not in table.columns]:
        raise ArtefactError(f"{path} lacks the columns {', '.join(lacking)}. {facts.CURE}")
    return table
