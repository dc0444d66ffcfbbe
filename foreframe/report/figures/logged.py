"""What a training logged: columns of its learning curve, and which part of them is worth seeing."""

from collections.abc import Iterator, Sequence

import pandas

from foreframe.errors import UserError
from foreframe.training.record import Training

# The fall of the first steps would flatten the rest of the curve.
CUT = 0.05
# A loss that leaps further than this, times its median, is drawn on a logarithmic axis.
LEAP = 5.0


def column_of(training: Training, column: str, x: str) -> tuple[pandas.DataFrame, bool]:
    """Return a column over steps or epochs, and whether it was measured after each epoch.

    Raises:
        UserError: neither table has it.
    """
    for table, epochs in ((training.curve, False), (training.epochs, True)):
        if column in table:
            return table[[x, column]].dropna(), epochs
    raise UserError(
        f"no training run logs {column}. It logs: {', '.join(map(str, training.curve))}."
    )


def late(runs: Sequence[Training], columns: Sequence[str], x: str) -> Iterator[float]:
    """Yield all values of some columns of runs after the share CUT of their steps or epochs."""
    for run in runs:
        begin = CUT * run.curve[x].iloc[-1]
        for column in columns:
            table, _ = column_of(run, column, x)
            yield from table[column][table[x] > begin]


def leaps(runs: Sequence[Training], columns: Sequence[str], x: str) -> bool:
    """Return whether a column of a run leaps beyond LEAP times its median."""
    tables = [(column, column_of(run, column, x)[0]) for run in runs for column in columns]
    return any(table[column].max() > LEAP * table[column].median() for column, table in tables)


def size(parameters: int) -> str:
    """Return how a run is called by its number of trained weights."""
    if parameters >= 10**7:
        return f"{parameters / 10**6:.0f} M weights"
    million = f"{parameters / 10**6:.2f} M weights"
    return million if parameters >= 10**5 else f"{parameters:,} weights"
