"""What Typst reads as it is, laid beside a report's source."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from foreframe.errors import UserError


def gather(folder: Path, sources: Mapping[str, Path]) -> None:
    """Copy files into `folder`, under the names that the source uses.

    Raises:
        UserError: a file is missing.
    """
    for name, path in sources.items():
        try:
            shutil.copyfile(path, folder / name)
        except FileNotFoundError:
            raise UserError(f"{path} does not exist. Get it back with git.") from None
