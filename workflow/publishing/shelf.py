"""A folder of files, here or in one of DVC's remotes, which a publication is written to."""

import contextlib
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.fs import LocalFileSystem

from foreframe.artefacts import atomic
from foreframe.artefacts.digest import BLOCK
from workflow import storage
from workflow.verification.hashing import Tally

AT_ONCE = 8  # files on their way


@dataclass(frozen=True)
class Shelf:
    """Files by their paths in a folder.

    Attributes:
        filesystem: DVC's, for where it is.
        folder: its address there.
        name: what people call it.
    """

    filesystem: Any
    folder: str
    name: str

    @property
    def _local(self) -> bool:
        return bool(self.filesystem.protocol == "local")

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            FileNotFoundError: it is not there.
            UserError: the remote cannot be reached, or the connection broke.
        """
        with self._in_plain_words():
            file = self.filesystem.open(self._at(path), mode="rb")
        # What goes wrong while a block is written elsewhere is none of this.
        with file:
            while block := self._block(file):
                yield block

    def put(self, source: Path, path: str) -> None:
        """Copy a file of this machine to `path`; a reader never sees a part of it.

        Raises:
            UserError: the disk is full, or the remote cannot be reached.
        """
        to = self._at(path)
        if self._local:
            with atomic.writing(Path(to)) as temporary:
                shutil.copyfile(source, temporary)
            return
        with self._in_plain_words():
            self.filesystem.put_file(str(source), to)

    def holds(self, path: str, digest: str) -> bool:
        """Tell whether the file at `path` has this MD5, as far as that is seen without fetching it.

        Raises:
            UserError: the remote cannot be reached.
        """
        at = self._at(path)
        with contextlib.suppress(FileNotFoundError), self._in_plain_words():
            if self._local:
                with self.filesystem.open(at, mode="rb") as file:
                    return Tally().md5(file) == digest
            # Of an object that was sent in one part, S3 gives the MD5 as its tag.
            return str(self.filesystem.info(at).get("ETag", "")).strip('"') == digest
        return False

    def _block(self, file: Any) -> bytes:
        with self._in_plain_words():
            return bytes(file.read(BLOCK))

    @contextlib.contextmanager
    def _in_plain_words(self) -> Iterator[None]:
        """Turn what goes wrong on the way into a message that says what to do."""
        try:
            yield
        except FileNotFoundError:
            raise
        except storage.TROUBLES as error:
            raise storage.unreachable(self.name, error) from None

    def _at(self, path: str) -> str:
        return posixpath.join(self.folder, path)


def here(folder: Path) -> Shelf:
    """Return a folder of this machine."""
    return Shelf(LocalFileSystem(), str(folder.resolve()), str(folder))


def far(root: Path, remote: str, *parts: str) -> Shelf:
    """Return a folder in a remote, beside DVC's objects.

    Raises:
        UserError: there is no such remote, or DVC's configuration is wrong.
    """
    filesystem, path, _ = storage.remote(root, remote)
    return Shelf(filesystem, filesystem.join(path, *parts), remote)
