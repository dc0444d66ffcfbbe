"""The files of a folder in natural order: clip2 before clip10, whatever the file system says."""

import re
from collections.abc import Sequence
from pathlib import Path

from foreframe.errors import UserError

# What people and programs leave in folders of data: hidden files, and words about the data.
SKIPPED = (".", "README")


def natural(name: str) -> tuple[list[str | int], str]:
    """Return a key that orders names by their words and numbers."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name


def files(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Return the files of a folder in natural order; README and hidden files are left out.

    Raises:
        UserError: the folder is missing or empty, or holds something without one of the endings.
    """
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist. Make it and put your data into it.")
    found = [path for path in folder.iterdir() if not path.name.startswith(SKIPPED)]
    if not found:
        raise UserError(
            f"The folder {folder} has no files to read. Put some into it ({', '.join(endings)})."
        )
    for path in sorted(found):
        if path.suffix.lower() not in endings or not path.is_file():
            raise UserError(f"{path} is no {' or '.join(endings)} file. Remove it from the folder.")
    return sorted(found, key=lambda path: natural(path.name))
