"""Folders as dependencies: the files in them as DVC sees it, and what stages will write there."""

import bisect
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any


class Files:
    """The files in folders of one project, `repo` in DVC, whose stages write `outs`."""

    def __init__(self, repo: Any, outs: Iterable[str]) -> None:
        self._repo = repo
        self._outs = sorted(outs)
        self._found: dict[str, tuple[str, ...]] = {}

    def expand(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield every path that is no folder; of a folder the files in it, there or to be written.

        What .dvcignore names does not count.
        """
        for path in paths:
            if path not in self._found:
                self._found[path] = self._inside(path)
            yield from self._found[path]

    def _inside(self, path: str) -> tuple[str, ...]:
        full, coming = Path(self._repo.root_dir, path), below(self._outs, path)
        if not full.is_dir():
            return tuple(coming or [path])
        there = self._repo.dvcignore.find(self._repo.fs, str(full))
        return (*{*(os.path.relpath(file, self._repo.root_dir) for file in there), *coming},)


def below(paths: Sequence[str], folder: str) -> Sequence[str]:
    """Return those of sorted `paths` that lie below a folder."""
    # In the order of characters 0 comes after /.
    start, end = (bisect.bisect_left(paths, f"{folder}{mark}") for mark in "/0")
    return paths[start:end]
