"""Digests by DVC's rule, from bytes alone: a file's MD5, or that of a folder's sorted list.

Files are read in blocks, each path once, and what was read is counted.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pathspec

from foreframe.artefacts.digest import BLOCK

# DVC never looks into these, whatever .dvcignore says.
ALWAYS_IGNORED = (".hg/", ".git/", ".git", ".dvc/")
MISSING = "missing"


@dataclass(frozen=True)
class Content:
    """What a path holds: its digest, or the empty string and why there is none."""

    digest: str
    problem: str = ""


@dataclass
class Tally:
    """How much has been read."""

    files: int = 0
    bytes: int = 0

    def md5(self, file: BinaryIO) -> str:
        """Return the MD5 of an open file's bytes in 32 hexadecimal digits, and count them."""
        result = hashlib.md5(usedforsecurity=False)
        self.files += 1
        while block := file.read(BLOCK):
            result.update(block)
            self.bytes += len(block)
        return result.hexdigest()


@dataclass
class Workspace:
    """The digests of files and folders below `root`, each computed once."""

    root: Path
    tally: Tally
    _found: dict[str, Content] = field(default_factory=dict)
    _rules: dict[Path, "pathspec.PathSpec[pathspec.Pattern]"] = field(default_factory=dict)

    def content(self, path: str) -> Content:
        """Return the content of a file or folder, given by its path relative to `root`."""
        if path not in self._found:
            self._found[path] = self._read(self.root / path)
        return self._found[path]

    def _read(self, path: Path) -> Content:
        try:
            if path.is_dir():
                return self._folder(path)
            with path.open("rb") as file:
                return Content(self.tally.md5(file))
        except FileNotFoundError:
            return Content("", MISSING)
        except OSError as error:
            return Content("", f"cannot be read ({error.strerror})")

    def _folder(self, folder: Path) -> Content:
        inside = {path.relative_to(self.root).as_posix() for path in self.files(folder)}
        contents = {path: self.content(path) for path in inside}
        problem = next((content.problem for content in contents.values() if content.problem), "")
        if problem:
            return Content("", problem)
        name = folder.relative_to(self.root).as_posix()
        return Content(
            folder_digest(name, {path: content.digest for path, content in contents.items()})
        )

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the files below a folder that DVC counts, or the file itself.

        What .dvcignore names does not count, nor do folders behind a link.
        """
        if folder.is_file():
            yield folder
            return
        for place, folders, files in os.walk(folder, onerror=_raise):
            here = Path(place)
            folders[:] = [name for name in folders if not self._ignored(here / name, "/")]
            yield from (here / name for name in files if not self._ignored(here / name, ""))

    def _ignored(self, path: Path, ending: str) -> bool:
        """Whether the last rule that speaks of a path, in the deepest .dvcignore, leaves it out."""
        for folder in path.relative_to(self.root).parents:
            rules = self._rules_in(self.root / folder)
            name = path.relative_to(self.root / folder).as_posix() + ending
            for rule in reversed(list(rules.patterns)):
                if rule.include is not None and rule.match_file(name) is not None:
                    return bool(rule.include)
        return False

    def _rules_in(self, folder: Path) -> "pathspec.PathSpec[pathspec.Pattern]":
        if folder not in self._rules:
            lines = ALWAYS_IGNORED if folder == self.root else ()
            path = folder / ".dvcignore"
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                lines = (*lines, *(line.strip() for line in text.splitlines()))
            self._rules[folder] = pathspec.PathSpec.from_lines("gitignore", lines)
        return self._rules[folder]


def folder_digest(folder: str, digests: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder whose files have these digests by path."""
    inside = {path.removeprefix(f"{folder}/"): digest for path, digest in digests.items()}
    text = json.dumps([{"md5": inside[path], "relpath": path} for path in sorted(inside)])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _raise(error: OSError) -> None:
    # Without this os.walk would leave out a folder that cannot be read.
    raise error
