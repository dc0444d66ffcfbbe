"""What the sections of params.yaml share: strict types, no unknown keys, no defaults, frozen."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Strict(BaseModel):
    """A section that takes exactly its keys, with exactly their types, and never changes."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


def _is_folder(value: object) -> object:
    if isinstance(value, str) and ("://" in value or not value or not value.isprintable()):
        raise ValueError(
            f"{value!r} cannot be a folder. Write its name: no address, and no line breaks."
        )
    return value


# A stage is given it as `params.yaml:KEY`, like any parameter: written out in a command it would
# reach a shell.
Folder = Annotated[Path, BeforeValidator(_is_folder)]
