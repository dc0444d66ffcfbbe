"""Where DVC keeps copies of what stages wrote, as its configuration says: cache and remotes."""

import contextlib
import importlib
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem, get_cloud_fs

from foreframe.artefacts import atomic
from foreframe.errors import UserError
from workflow.verification.hashing import Tally


def _troubles() -> tuple[type[Exception], ...]:
    """Return what the file systems of DVC's remotes raise where a network or an account fails."""
    found: list[type[Exception]] = [OSError, aiohttp.ClientError]
    with contextlib.suppress(ImportError):  # comes with the extra `s3`
        found.append(importlib.import_module("botocore.exceptions").BotoCoreError)
    return tuple(found)


TROUBLES = _troubles()


@dataclass(frozen=True)
class Shelf:
    """A folder of files, on this machine or in a remote.

    Attributes:
        filesystem: DVC's, for where it is.
        folder: its address there.
        name: what people call it.
    """

    filesystem: Any
    folder: str
    name: str

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[BinaryIO]:
        """Open a file by its path in the folder.

        Raises:
            FileNotFoundError: it is not there.
            UserError: the remote cannot be reached, or the connection broke.
        """
        with self.in_plain_words(), self.filesystem.open(self._at(path), mode="rb") as file:
            yield file

    def put(self, source: Path, path: str) -> None:
        """Copy a file of this machine to `path`; a reader never sees a part of it.

        Raises:
            UserError: the disk is full, or the remote cannot be reached.
        """
        to = self._at(path)
        if self.filesystem.protocol == "local":
            with atomic.writing(Path(to)) as temporary:
                shutil.copyfile(source, temporary)
            return
        with self.in_plain_words():
            self.filesystem.put_file(str(source), to)

    def holds(self, path: str, digest: str) -> bool:
        """Tell whether the file at `path` has this MD5, as far as that is seen without fetching it.

        Raises:
            UserError: the remote cannot be reached.
        """
        local = self.filesystem.protocol == "local"
        with contextlib.suppress(FileNotFoundError), self.in_plain_words():
            if local:
                with self.reading(path) as file:
                    return Tally().md5(file) == digest
            # Of an object that was sent in one part, S3 gives the MD5 as its tag.
            tag = self.filesystem.info(self._at(path)).get("ETag", "")
            return str(tag).strip('"') == digest
        return False

    @contextlib.contextmanager
    def in_plain_words(self) -> Iterator[None]:
        """Turn what goes wrong on the way into a message that says what to do."""
        try:
            yield
        except FileNotFoundError:
            raise
        except TROUBLES as error:
            raise unreachable(self.name, error) from None

    def _at(self, path: str) -> str:
        return posixpath.join(self.folder, path)


def unreachable(name: str, error: Exception) -> UserError:
    """Return the message for a remote that cannot be read or written, in one sentence."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return UserError(
        f"The remote {name} cannot be reached: {words}. Check the network, the address and your "
        "access, for example by: dvc status --cloud"
    )


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
    filesystem, path, settings = _remote(root, name)
    if settings.get("worktree") or settings.get("version_aware"):
        raise UserError(f"The remote {name} keeps versions of files, not objects by digest.")
    return filesystem, filesystem.join(path, "files", "md5")


def shelf(root: Path, remote: str, *parts: str) -> Shelf:
    """Return a folder in a remote, beside DVC's objects.

    Raises:
        UserError: there is no such remote, or DVC's configuration is wrong.
    """
    filesystem, path, _ = _remote(root, remote)
    return Shelf(filesystem, filesystem.join(path, *parts), remote)


def folder(path: Path) -> Shelf:
    """Return a folder of this machine."""
    return Shelf(LocalFileSystem(), str(path.resolve()), str(path))


def _remote(root: Path, name: str) -> tuple[Any, str, dict[str, Any]]:
    """Return DVC's file system of a remote, the folder that it names, and its settings."""
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
