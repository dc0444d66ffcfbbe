"""Where DVC keeps copies of what stages wrote, as its configuration says: cache and remotes."""

import contextlib
import errno
import importlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import get_cloud_fs

from foreframe.errors import UserError


def _troubles() -> tuple[type[Exception], ...]:
    """Return what the file systems of DVC's remotes raise where a network or an account fails."""
    found: list[type[Exception]] = [OSError, aiohttp.ClientError]
    with contextlib.suppress(ImportError):  # comes with the extra `s3`
        found.append(importlib.import_module("botocore.exceptions").BotoCoreError)
    return tuple(found)


TROUBLES = _troubles()


# What object stores call it when there is no room: Ceph's gateway, MinIO's disk and its quota.
FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"})


def unreachable(name: str, error: Exception) -> UserError:
    """Return the message for a remote that cannot be read or written, in one sentence."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if _full(error):
        return UserError(
            f"The remote {name} is full: {words}. Free some space there, or have its quota raised, "
            "and run the same command again: what has arrived is not sent again."
        )
    return UserError(
        f"The remote {name} cannot be reached: {words}. Check the network, the address and your "
        "access, for example by: dvc status --cloud"
    )


def _full(error: BaseException | None) -> bool:
    """Tell whether a remote, or what lies beneath its error, says that it has no room."""
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        code = answer.get("Error", {}).get("Code")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code in FULL or status == HTTPStatus.INSUFFICIENT_STORAGE:
            return True
    return _full(error.__cause__)


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


def trusting(root: Path) -> tuple[str, ...]:
    """Return the remotes whose objects DVC takes as they come, damaged ones too.

    Raises:
        UserError: DVC's configuration is wrong.
    """
    with _configuration(root) as config:
        remotes = config["remote"]
        return tuple(sorted(name for name in remotes if not remotes[name].get("verify")))


def remote_folder(root: Path, name: str) -> tuple[Any, str]:
    """Return DVC's file system of a remote, and the folder in it that holds objects by their MD5.

    Raises:
        UserError: there is no such remote, or DVC's configuration is wrong.
    """
    filesystem, path, settings = remote(root, name)
    if settings.get("worktree") or settings.get("version_aware"):
        raise UserError(f"The remote {name} keeps versions of files, not objects by digest.")
    return filesystem, filesystem.join(path, "files", "md5")


def remote(root: Path, name: str) -> tuple[Any, str, dict[str, Any]]:
    """Return DVC's file system of a remote, the folder that it names, and its settings.

    Raises:
        UserError: there is no such remote, or DVC's configuration is wrong.
    """
    with _configuration(root) as config:
        kind, settings, path = get_cloud_fs(config, name=name)
        return kind(**settings), path, settings


@contextlib.contextmanager
def _configuration(root: Path) -> Iterator[Config]:
    """Yield DVC's settings of every level; DVC's errors inside become a user's."""
    try:
        yield Config(str(root.resolve() / ".dvc"))
    except DvcException as error:
        raise UserError(f"DVC: {error}") from None
