"""What a training keeps in memory, where that is chosen for the machine and not for the result."""

import os

from foreframe.errors import UserError

NAME = "FOREFRAME_ACTIVATIONS"
KEPT, RECOMPUTED = "kept", "recomputed"


def recomputes() -> bool:
    """Return whether activations are to be computed again for the backward pass.

    Raises:
        UserError: the environment says neither so nor otherwise.
    """
    asked = os.environ.get(NAME, KEPT)
    if asked not in (KEPT, RECOMPUTED):
        raise UserError(f"{NAME} is {asked!r}. Choose {KEPT} (faster) or {RECOMPUTED} (smaller).")
    return asked == RECOMPUTED
