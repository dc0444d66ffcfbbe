"""Where DVC keeps copies of what stages wrote, as its configuration says: cache and remotes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import get_cloud_fs

from foreframe.errors import UserError


def cache_folder(root: Path) -> Path:
    """Return the folder of DVC's cache that holds objects by their MD5.

    Raises:
        UserError: DVC's configuration is wrong.
    """
    default = str(root.resolve() / ".dvc" / "cache")
    with _configuration(root) as config:
        settings = config["cache"]
        name = settings.get("local")
        where = {"name": name} if name else {"url": settings.get("dir") or default}
        return Path(get_cloud_fs(config, **where)[2], "files", "md5")


def remotes(root: Path) -> tuple[str, ...]:
    """Return the names of DVC's remotes, the default one first.

    Raises:
        UserError: DVC's configuration is wrong.
    """
    with _configuration(root) as config:
        default = config["core"].get("remote")
        return tuple(sorted(config["remote"], key=lambda name: (name != default, name)))


def remote_folder(root: Path, name: str) -> tuple[Any, str]:
    """Return DVC's file system of a remote, and the folder in it that holds objects by their MD5.

    Raises:
        UserError: there is no such remote, or DVC's configuration is wrong.
    """
    with _configuration(root) as config:
        kind, settings, path = get_cloud_fs(config, name=name)
        filesystem = kind(**settings)
        if settings.get("worktree") or settings.get("version_aware"):
            raise UserError(f"The remote {name} keeps versions of files, not objects by digest.")
        return filesystem, filesystem.join(path, "files", "md5")


@contextlib.contextmanager
def _configuration(root: Path) -> Iterator[Config]:
    """Yield DVC's settings of every level; DVC's errors inside become a user's."""
    try:
        yield Config(str(root.resolve() / ".dvc"))
    except DvcException as error:
        raise UserError(f"DVC: {error}") from None
