"""Tables are CSV files: learning curves and per-frame numbers that DVC, pandas and people read.

CSV has no room for a checksum, so the facts of the same stage hold it.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import pandas

from foreframe.artefacts import atomic, facts
from foreframe.errors import ArtefactError


def write(path: Path, table: pandas.DataFrame) -> list[str]:
    """Write a table without its index and return the file's checksum, which `read` asks for.

    Floats are in the shortest form that reads back equal.
    """
    # pandas writes repr() of a float64, which round-trips; \n on every system.
    content = table.to_csv(index=False, lineterminator="\n").encode()
    atomic.write_bytes(path, content)
    return facts.checksum(content)


def read(path: Path, columns: Sequence[str], checksum: Sequence[str]) -> pandas.DataFrame:
    """Read a table that must have at least `columns` and, as a file, this `checksum`.

    Raises:
        ArtefactError: the file is missing, damaged, or lacks a column.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise facts.missing(path) from None
    if facts.checksum(content) != list(checksum):
        raise ArtefactError(
            f"{path} is damaged, was edited by hand, or belongs to another run: its checksum is "
            f"not the one that was noted when it was written. {facts.CURE}"
        )
    table = pandas.read_csv(io.BytesIO(content))
    if lacking := [column for column in columns if column not in table.columns]:
        raise ArtefactError(f"{path} lacks the columns {', '.join(lacking)}. {facts.CURE}")
    return table
