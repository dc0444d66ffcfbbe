"""DVC's copies of artefacts, in its cache and remotes: every object hashed from its bytes."""

import functools
import os
import posixpath
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from workflow import storage
from workflow.verification.hashing import MISSING, Tally


@dataclass
class Store:
    """Objects named by their digests, below `folder`.

    Attributes:
        place: whether this is the cache or a remote.
        name: the remote's name, or the empty string.
        folder: a folder on this machine, or an address that only `opening` knows.
        opening: opens an object for reading, in blocks.
        tally: counts what is read.
        local: whether it is a folder on this machine.
    """

    place: Literal["cache", "remote"]
    name: str
    folder: str
    opening: Callable[[str], AbstractContextManager[BinaryIO]]
    tally: Tally
    local: bool = True
    _problems: dict[str, str] = field(default_factory=dict)

    def path(self, digest: str) -> str:
        """Return where the object with a digest lies."""
        return posixpath.join(self.folder, digest[:2], digest[2:])

    def problem(self, digest: str) -> str:
        """Return what is wrong with an object, in words: nothing, `missing`, or what it holds."""
        if digest not in self._problems:
            self._problems[digest] = self._read(digest)
        return self._problems[digest]

    def _read(self, digest: str) -> str:
        try:
            with self.opening(self.path(digest)) as file:
                found = self.tally.md5(file)
        except FileNotFoundError:
            return MISSING
        except storage.TROUBLES as error:
            if self.local and isinstance(error, OSError):
                return f"cannot be read ({error.strerror})"
            raise storage.unreachable(self.name, error) from None
        return "" if found == digest else f"its bytes have the digest {found}"


def cache(root: Path, tally: Tally) -> Store:
    """Return DVC's cache on this machine, as DVC's configuration places it.

    Raises:
        UserError: DVC's configuration is wrong.
    """
    folder = storage.cache_folder(root)
    near = folder.is_relative_to(root.resolve())
    name = os.path.relpath(folder, root.resolve()) if near else str(folder)
    return Store("cache", "", name, lambda path: (root / path).open("rb"), tally)


def remote(root: Path, name: str, tally: Tally) -> Store:
    """Return a remote by the name that DVC's configuration gives it.

    Raises:
        UserError: there is no remote of that name, or DVC's configuration is wrong.
    """
    filesystem, folder = storage.remote_folder(root, name)
    if filesystem.protocol == "local":
        return Store("remote", name, folder, lambda path: Path(path).open("rb"), tally)
    opening = functools.partial(filesystem.open, mode="rb")
    return Store("remote", name, folder, opening, tally, local=False)
