"""Rows of the Parquet files of a LeRobot dataset, a batch at a time."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foreframe.errors import UserError
from foreframe.sources import BLOCK
from foreframe.sources.lerobot.meta import Recorded


def parquet() -> Any:
    """Return the module pyarrow.parquet, which only this source needs.

    Raises:
        UserError: it is not installed.
    """
    try:
        from pyarrow import parquet as library
    except ImportError:
        raise UserError(
            "The source lerobot reads Parquet files, for which pyarrow is missing. Install it: "
            "python -m pip install pyarrow"
        ) from None
    return library


def table(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield these columns of all rows of a file.

    Raises:
        UserError: the file is missing or damaged, or a column is missing.
    """
    with _opening(path, columns) as file:
        for batch in file.iter_batches(batch_size=BLOCK, columns=list(columns)):
            yield from batch.to_pylist()


def rows(recorded: Recorded, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield these columns of the rows of one episode, in order of time.

    Raises:
        UserError: the file is missing or damaged, a column is missing, or its rows are not those
            that the dataset's list of episodes promises.
    """
    path, names = recorded.rows, ["episode_index", "frame_index", *columns]
    found = 0
    with _opening(path, names) as file:
        groups = [group for group in range(file.num_row_groups) if _holds(file, group, recorded)]
        for batch in file.iter_batches(batch_size=BLOCK, row_groups=groups, columns=names):
            for row in batch.to_pylist():
                if row["episode_index"] != recorded.number:
                    continue
                if row["frame_index"] != found:
                    raise _wrong(
                        path, recorded, f"row {found} has frame_index {row['frame_index']}"
                    )
                found += 1
                yield row
    if found != recorded.length:
        raise _wrong(path, recorded, f"it has {found} rows, not {recorded.length}")


@contextlib.contextmanager
def _opening(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    library = parquet()
    try:
        with library.ParquetFile(path, page_checksum_verification=True) as file:
            missing = set(columns) - set(file.schema_arrow.names)
            if missing:
                raise UserError(
                    f"{path} has no column {', '.join(sorted(missing))}. Copy the dataset again."
                )
            yield file
    except UserError:
        raise
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        # Arrow's own errors are of these kinds as well.
        raise UserError(f"{path} is damaged or missing: {error}. Copy the dataset again.") from None


def _holds(file: Any, group: int, recorded: Recorded) -> bool:
    """Tell whether a group of rows may hold rows of an episode, by the file's own statistics."""
    columns = file.metadata.row_group(group)
    for number in range(columns.num_columns):
        column = columns.column(number)
        if column.path_in_schema == "episode_index":
            known = column.statistics
            if known is not None and known.has_min_max:
                return bool(known.min <= recorded.number <= known.max)
    return True


def _wrong(path: Path, recorded: Recorded, what: str) -> UserError:
    return UserError(
        f"{path}, episode {recorded.number}: {what}. The dataset is damaged or partly copied; copy "
        "it again."
    )
