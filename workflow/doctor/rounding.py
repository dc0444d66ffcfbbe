"""Whether this CPU rounds as the one of the committed list, so that it gives the same bytes."""

from collections.abc import Iterator
from pathlib import Path

from foreframe.errors import UserError
from workflow.doctor.check import Check

NAME = "same bytes"
SHOWN = 3  # operations that are named


def rounding(_: Path) -> Iterator[Check]:
    """Compare the digests of operations at the portable level with the committed ones."""
    try:
        from workflow import operations
    except ImportError:
        return  # what is missing is a finding of its own
    try:
        found = operations.digests()
        different = operations.differing(found)
    except UserError as error:
        yield Check(NAME, "warning", str(error))
        return
    if not different:
        text = f"this CPU rounds {len(found)} operations as the committed list says"
        yield Check(NAME, "ok", text)
        return
    named = ", ".join(different[:SHOWN]) + (", ..." if len(different) > SHOWN else "")
    text = f"this CPU rounds {len(different)} of {len(found)} operations otherwise: {named}"
    yield Check(NAME, "warning", text, "Results are right here, but need not have the same bytes")
