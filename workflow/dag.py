"""The stages of dvc.yaml as plain data: the only module that touches DVC's Python API.

DVC resolves templates and fan-outs, so whoever asks here sees the same DAG as `dvc repro`.
"""

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from foreframe import versions

# The stage whose output holds the code versions that the others take as parameters.
VERSIONS = "versions"


@dataclass(frozen=True)
class Stage:
    """One stage, its paths relative to the project and sorted.

    Attributes:
        name: DVC's name for it, such as `train_prior@top`.
        command: what DVC runs.
        description: one line for people, or the empty string.
        declared_deps: its dependencies as dvc.yaml names them, parameter files aside.
        deps: the same, with folders as the files in them that DVC counts.
        after: files that another stage writes and this one only takes parameters from.
        stale: whether dvc.lock lacks the stage, or holds other parameters or other versions of the
            files that no stage writes. What other stages will change is not considered.
        params: (file, key) of every parameter; an empty key is the whole file.
        values: the value of each of `params` as JSON, `null` where the file has none.
        outs: the files it writes.
        threads: how many it uses.
        resources: (name, amount) of what else it occupies, such as a GPU.
    """

    name: str
    command: str
    description: str
    declared_deps: tuple[str, ...]
    deps: tuple[str, ...]
    after: tuple[str, ...]
    stale: bool
    params: tuple[tuple[str, str], ...]
    values: tuple[str, ...]
    outs: tuple[str, ...]
    threads: int
    resources: tuple[tuple[str, int], ...]

    @property
    def identifier(self) -> str:
        """The name with every other character than a letter, digit or _ replaced by _."""
        return re.sub(r"\W", "_", self.name)


def read(root: Path) -> tuple[Stage, ...]:
    """Return the stages of `root`/dvc.yaml, sorted by name."""
    with Repo(str(root)) as repo:
        definition = str(Path(repo.root_dir, "dvc.yaml"))
        found = [stage for stage in repo.index.stages if stage.path == definition]
        files = _Files(repo, {_path(repo, out) for stage in found for out in stage.outs})
        # A stage's parameters may lie in a file that another stage has yet to write.
        coming = {_path(repo, out): _prediction(stage) for stage in found for out in stage.outs}
        stages = (_stage(repo, stage, files, coming) for stage in found)
        return tuple(sorted(stages, key=lambda stage: stage.name))


def _stage(repo: Repo, stage: Any, files: "_Files", coming: Mapping[str, Any]) -> Stage:
    meta = stage.meta or {}
    sources = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    inputs = {_path(repo, dep): dep for dep in stage.deps if dep not in sources}
    values = dict(_values(repo, sources, coming))
    written = {file for file, _ in values if file in coming}
    # What the stage `versions` will write is known now; of any other file only its bytes can tell.
    after = {file for file in written if coming[file]() is not None}
    locked = {
        (_path(repo, source), key): value
        for source in sources
        for key, value in (source.hash_info.value or {}).items()
    }
    return Stage(
        name=stage.name,
        command=stage.cmd,
        description=stage.desc or "",
        declared_deps=tuple(sorted(inputs)),
        deps=tuple(sorted({*files.expand(inputs), *(written - after)})),
        after=tuple(sorted(after)),
        stale=_parameters(values) != locked
        or any(dep.status() for path, dep in inputs.items() if path not in coming),
        params=tuple(sorted(values)),
        values=tuple(json.dumps(values[param], sort_keys=True) for param in sorted(values)),
        outs=tuple(sorted(_path(repo, out) for out in stage.outs)),
        threads=int(meta.get("threads", 1)),
        resources=tuple(sorted(meta.get("resources", {}).items())),
    )


def _path(repo: Repo, item: Any) -> str:
    return os.path.relpath(item.fs_path, repo.root_dir)


def _prediction(stage: Any) -> Any:
    """Return a function that tells what a stage's output will hold, or None where none can."""
    if stage.name != VERSIONS:
        return lambda: None
    paths = [Path(dep.fs_path) for dep in stage.deps]
    folders = [path for path in paths if path.is_dir()]
    return functools.cache(lambda: versions.nested(versions.all_versions(folders)))


def _values(
    repo: Repo, sources: Sequence[ParamsDependency], coming: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield ((file, key), value) of every parameter."""
    for source in sources:
        file = _path(repo, source)
        content = coming[file]() if file in coming else None
        known = source.read_params() if file not in coming else {}
        if not source.params:
            yield (file, ""), known
        for key in source.params:
            yield (file, key), known.get(key, _select(content, key))


def _select(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _parameters(values: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """Return parameters as dvc.lock holds them: those of a whole file under each of its keys."""
    result = {}
    for (file, key), value in values.items():
        if key:
            result[file, key] = value
        else:
            result.update({(file, name): part for name, part in value.items()})
    return result


class _Files:
    """The files in folders, as DVC sees them: without what .dvcignore names."""

    def __init__(self, repo: Repo, outs: set[str]) -> None:
        self._repo = repo
        self._outs = outs
        self._found: dict[str, tuple[str, ...]] = {}

    def expand(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield every path that is no folder, and the files in every folder no stage writes."""
        for path in paths:
            full = Path(self._repo.root_dir, path)
            if path in self._outs or not full.is_dir():
                yield path
                continue
            if path not in self._found:
                inside = self._repo.dvcignore.find(self._repo.fs, str(full))
                self._found[path] = tuple(
                    os.path.relpath(file, self._repo.root_dir) for file in inside
                )
            yield from self._found[path]
