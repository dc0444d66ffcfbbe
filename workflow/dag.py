"""The stages of all studies as plain data: this and what it imports alone touch DVC's Python API.

DVC resolves templates and fan-outs and compares files with dvc.lock, so whoever asks here sees the
same DAG as `dvc repro`, and the same work to do.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dvc.config import Config
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.fs import get_cloud_fs
from dvc.repo import Repo

from foreframe import versions
from foreframe.errors import UserError
from workflow import refusals, studies
from workflow.parameters import Parameters
from workflow.studies import MAIN, Place

# The main study's stage whose output holds the code versions that others take as parameters.
VERSIONS = "versions"


@dataclass(frozen=True)
class Stage:
    """One stage, its paths relative to the project and sorted.

    Attributes:
        name: DVC's address for it, such as `train_prior@top`, or
            `studies/replication/dvc.yaml:train_prior@top_small` in a further study.
        study: the study it belongs to: `main` or `replication`.
        identifier: its name for Snakemake, unique: letters, digits and _.
        command: what DVC runs; several commands stand on a line each.
        description: one line for people, or the empty string.
        declared_deps: its dependencies as dvc.yaml names them, parameter files aside.
        deps: the same, with folders as the files in them that DVC counts.
        after: files that another stage writes and this one only takes parameters from.
        frozen: whether dvc.yaml says not to run it for a change of what it reads.
        changes: what differs from dvc.lock, as `dvc status` names it: paths, parameters as
            `file:key`, `command`, `always`. What other stages will change is not considered, except
            for code versions, which are known before they are written.
        due: whether the stage has changes or reads the output of one that is due.
        params: (file, key) of every parameter; an empty key is the whole file.
        values: the value of each of `params` as JSON, `null` where the file has none.
        outs: the files it writes.
        threads: how many it uses.
        resources: (name, amount) of what else it occupies, such as a GPU.
    """

    name: str
    study: str
    identifier: str
    command: str
    description: str
    declared_deps: tuple[str, ...]
    deps: tuple[str, ...]
    after: tuple[str, ...]
    frozen: bool
    changes: tuple[str, ...]
    due: bool
    params: tuple[tuple[str, str], ...]
    values: tuple[str, ...]
    outs: tuple[str, ...]
    threads: int
    resources: tuple[tuple[str, int | str], ...]


def read(root: Path) -> tuple[Stage, ...]:
    """Return the stages of `root`/dvc.yaml and of each studies/*/dvc.yaml, sorted by name.

    Raises:
        UserError: a dvc.yaml or a parameter file is wrong, or has what Snakemake cannot run.
    """
    try:
        with Repo(str(root)) as repo:
            places = studies.places(Path(repo.root_dir))
            return _with_due(_with_identifiers(_stages(repo, places), places))
    except DvcException as error:
        raise UserError(f"DVC cannot read the pipeline: {error}{_cause(error)}") from error


def _cause(error: DvcException) -> str:
    """Return what is wrong in a file, with line and column or the path of keys, as one line."""
    inner = getattr(error, "exc", None)
    return " ".join(f": {inner.__cause__ or inner}".split()) if inner else ""


def _stages(repo: Repo, places: Sequence[Place]) -> Iterator[Stage]:
    repo.index.check_graph()
    homes = {str(Path(repo.root_dir, place.definition)): place for place in places}
    found = [stage for stage in repo.index.stages if stage.path in homes]
    files = _Files(repo, {_path(repo, out) for stage in found for out in stage.outs})
    # A stage's parameters may lie in a file that another stage has yet to write.
    coming = {
        _path(repo, out): _prediction(stage, homes[stage.path], out)
        for stage in found
        for out in stage.outs
    }
    parameters = Parameters(repo.root_dir, coming)
    for stage in sorted(found, key=lambda stage: homes[stage.path].address(stage.name)):
        paths = [_path(repo, item) for item in (*stage.deps, *stage.outs)]
        refusals.check(stage, paths, homes[stage.path], repo.root_dir)
        yield _stage(repo, stage, homes[stage.path], files, parameters)


def _stage(repo: Repo, stage: Any, place: Place, files: "_Files", parameters: Parameters) -> Stage:
    meta = stage.meta or {}
    coming = parameters.coming
    sources = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    inputs = {_path(repo, dep) for dep in stage.deps if dep not in sources}
    values = dict(pair for source in sources for pair in parameters.values(source))
    written = {file for file, _ in values if file in coming}
    # What the stage `versions` will write is known now; of any other file only its bytes can tell.
    after = {file for file in written if coming[file]}
    return Stage(
        name=place.address(stage.name),
        study=place.name,
        identifier=stage.name if place.name == MAIN else f"{place.name}_{stage.name}",
        command=stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd),
        description=stage.desc or "",
        declared_deps=tuple(sorted(inputs)),
        deps=tuple(sorted({*files.expand(inputs), *(written - after)})),
        after=tuple(sorted(after)),
        frozen=stage.frozen,
        changes=tuple(sorted(_changes(repo, stage, parameters))),
        due=False,
        params=tuple(sorted(values)),
        values=tuple(json.dumps(values[param], sort_keys=True) for param in sorted(values)),
        outs=tuple(sorted(_path(repo, out) for out in stage.outs)),
        threads=meta.get("threads", 1),
        resources=tuple(sorted(meta.get("resources", {}).items())),
    )


def _path(repo: Repo, item: Any) -> str:
    return os.path.relpath(item.fs_path, repo.root_dir)


def _prediction(stage: Any, place: Place, out: Any) -> Callable[[], Any] | None:
    """Return a function that tells what a stage's output will hold, or None where none can."""
    if place.address(stage.name) != VERSIONS:
        return None
    return functools.cache(lambda: _code_versions(stage, out))


def _code_versions(stage: Any, out: Any) -> Any:
    deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    if not any(item.status() for item in (*deps, out)):
        # To parse all the code takes longer than all else here.
        return json.loads(Path(out.fs_path).read_text(encoding="utf-8"))
    folders = [path for path in (Path(dep.fs_path) for dep in deps) if path.is_dir()]
    try:
        return versions.nested(versions.all_versions(folders))
    except SyntaxError as error:
        names = " or ".join(folder.name for folder in folders)
        raise UserError(
            f"a module in {names} is no Python: {error.msg} in line {error.lineno}:"
            f" {(error.text or '').strip()}"
        ) from error


def _changes(repo: Repo, stage: Any, parameters: Parameters) -> Iterator[str]:
    """Yield what makes DVC run the stage, asked of DVC part by part.

    Its one function for the whole would wait for every stage that is running.
    """
    if stage.always_changed or stage.is_callback:
        yield "always"
    if stage.cmd_changed:
        yield "command"
    yield from (_path(repo, out) for out in stage.outs if out.status())
    for dep in () if stage.frozen else stage.deps:
        if isinstance(dep, ParamsDependency):
            yield from parameters.changes(dep)
        elif dep.status():
            yield _path(repo, dep)


def _with_identifiers(stages: Iterable[Stage], places: Sequence[Place]) -> tuple[Stage, ...]:
    """Turn every other character than a letter, digit or _ into _; where two meet, add digests."""
    stages = tuple(stages)
    plain = {stage.name: re.sub(r"\W", "_", stage.identifier, flags=re.ASCII) for stage in stages}
    # The Snakefile has rules of its own, one for each study.
    times = Counter([studies.ALL, *(place.name for place in places), *plain.values()])
    digests = {name: hashlib.sha256(name.encode()).hexdigest()[:8] for name in plain}
    return tuple(
        replace(stage, identifier=f"{short}_{digests[stage.name]}" if times[short] > 1 else short)
        for stage in stages
        for short in [plain[stage.name]]
    )


def _with_due(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    makers = {path: stage for stage in stages for path in stage.outs}

    @functools.cache
    def due(stage: Stage) -> bool:
        fed = (makers[path] for path in stage.deps if path in makers)
        return bool(stage.changes) or (not stage.frozen and any(due(maker) for maker in fed))

    return tuple(replace(stage, due=due(stage)) for stage in stages)


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
