"""The studies as each dvc.lock records them: which stage made what, from what.

What a dvc.yaml declares comes from DVC; a dvc.lock is read here, before DVC gets to see it.
"""

import difflib
import graphlib
import os
import posixpath
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from foreframe.errors import UserError
from workflow import dag, folders, studies
from workflow.dag import Declared
from workflow.parameters import VERSIONS
from workflow.studies import Place
from workflow.verification import documents

Value = TypeVar("Value")
DIGEST = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Locked:
    """One stage as dvc.lock records its last run: digests by path, values by key by file."""

    name: str
    commands: tuple[str, ...]
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """What dvc.yaml declares and dvc.lock records of all studies in the folder `root`, as one.

    Attributes:
        declared: the stages of every dvc.yaml by address.
        locked: those of them that a dvc.lock has, every stage after those it reads from.
        left_over: the stages of a dvc.lock that its dvc.yaml has no more.
        not_run: the further studies of which no stage has been run, or none of its outputs is here,
            as in a clone whose lock came with git.
        makers: the stage that makes each output of `locked`.
        inside: the outputs of `locked` below each folder that a stage of `locked` reads, if any.
        readers: the stages of `locked` that read each file, as dependency, inside a folder, or for
            parameters.
    """

    root: Path
    declared: Mapping[str, Declared]
    locked: Mapping[str, Locked]
    left_over: Mapping[str, Locked]
    not_run: tuple[Place, ...]
    makers: Mapping[str, str]
    inside: Mapping[str, Sequence[str]]
    readers: Mapping[str, tuple[str, ...]]

    def digest(self, path: str) -> str:
        """Return the digest that an output has in dvc.lock."""
        return self.locked[self.makers[path]].outs[path]

    def following(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the stages that read what `names` make, directly or through others, in order.

        Code versions do not count: whether a stage's code changed is known before they are
        written, and named for itself.
        """
        reached = set(names)
        first = frozenset(reached)
        for name, stage in self.locked.items():  # in order, so one pass reaches all
            makers = {self.makers.get(path) for path in _reads(stage, self.inside)}
            if not reached.isdisjoint(makers - {VERSIONS}):
                reached.add(name)
        return tuple(name for name in self.locked if name in reached - first)

    def before(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return `names` and the stages that make what they read, in order."""
        needed = set(names)
        for name, stage in reversed([*self.locked.items()]):  # readers first: one pass reaches all
            if name in needed:
                makers = {self.makers.get(path) for path in _reads(stage, self.inside)}
                needed |= {maker for maker in makers if maker is not None}
        return tuple(name for name in self.locked if name in needed)


def read(root: Path) -> Study:
    """Read every dvc.yaml and dvc.lock; a study without dvc.lock has made nothing yet.

    Raises:
        UserError: one of the files is damaged or has a form that is not understood.
    """
    records = {place: _here(root, place) for place in studies.places(root)}
    declared = {stage.name: stage for stage in dag.declared(root)}
    recorded = {name: stage for record in records.values() for name, stage in record.items()}
    # What dvc.yaml declares no more is not part of the study, as for DVC.
    kept = {
        name: _restrict(stage, declared[name])
        for name, stage in recorded.items()
        if name in declared
    }
    makers = {path: stage.name for stage in kept.values() for path in stage.outs}
    inside = _inside(kept.values(), sorted(makers))
    locked = _ordered(kept, makers, inside)
    readers: dict[str, tuple[str, ...]] = {}
    for stage in locked.values():
        for path in _reads(stage, inside):
            readers[path] = (*readers.get(path, ()), stage.name)
    left_over = {name: stage for name, stage in recorded.items() if name not in declared}
    not_run = tuple(place for place in records if not records[place] and place.name != studies.MAIN)
    return Study(root, declared, locked, left_over, not_run, makers, inside, readers)


def _here(root: Path, place: Place) -> dict[str, Locked]:
    """Return what a study's lock records; nothing for a further study with no output at hand."""
    record = _recorded(root, place)
    outs = [path for stage in record.values() for path in stage.outs]
    if place.name != studies.MAIN and not any((root / path).exists() for path in outs):
        return {}
    return record


def select(study: Study, targets: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the stages and the paths that `targets` name; both are empty for no targets.

    A target is a stage, a group of stages such as `train_prior`, a study, or a path: of an output,
    of a dependency, or of a file inside a folder that is a dependency.

    Raises:
        UserError: a target is neither.
    """
    stages: set[str] = set()
    paths: set[str] = set()
    known = {*study.makers, *study.readers}
    for target in targets:
        named = {name for name in study.locked if target in _names(name)}
        path = Path(os.path.relpath(target, study.root)).as_posix()
        parents = [str(parent) for parent in (Path(path), *Path(path).parents)]
        found = next((parent for parent in parents if parent in known), None)
        if not named and found is None:
            raise UserError(_unknown(study, target))
        stages |= named
        paths |= {found} if found is not None and not named else set()
    return stages, paths


def _names(stage: str) -> set[str]:
    """Return what a stage goes by as a target: its address, its group, its study."""
    place = studies.of(stage)
    return {stage, stage.partition("@")[0], place.name, place.definition}


def _unknown(study: Study, target: str) -> str:
    for name in study.declared:
        if target in (name, name.partition("@")[0]):
            return f"The stage {target} has not been run yet. Run: dvc repro {target}"
        if target in _names(name):
            return f"The study {target} has not been run yet. Run: {studies.of(name).command}"
    names = [*study.locked, *study.makers, *study.readers]
    close = difflib.get_close_matches(target, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Stages: {', '.join(study.locked)}."
    return f"{target} is neither a stage nor a file of one. {hint}"


def _recorded(root: Path, place: Place) -> dict[str, Locked]:
    path = root / place.lock
    if not path.exists():
        return {}
    content = documents.load(path)
    try:
        if content["schema"] != "2.0":
            raise UserError(f"{path} has schema {content['schema']}; verify reads 2.0.")
        found = (_locked(place.address(name), body) for name, body in content["stages"].items())
        return {stage.name: stage for stage in found}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is damaged: {type(error).__name__}: {error}.\n"
            f"Restore it, for example by: git checkout -- {path}"
        ) from None


def _locked(name: str, body: Mapping[str, Any]) -> Locked:
    commands = body["cmd"] if isinstance(body["cmd"], list) else [body["cmd"]]
    outs = _digests(body.get("outs", []))
    for path in (path for path in outs if outs[path].endswith(".dir")):
        lock = studies.of(name).lock
        raise UserError(f"{lock}: {name} wrote the folder {path}; let it write single files.")
    return Locked(
        name,
        tuple(commands),
        _digests(body.get("deps", [])),
        outs,
        {posixpath.normpath(file): dict(keys) for file, keys in body.get("params", {}).items()},
    )


def _digests(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    result = {}
    for entry in entries:
        if entry.get("hash") != "md5" or not DIGEST.fullmatch(str(entry["md5"])):
            raise ValueError(f"{entry['path']} has no MD5 digest of DVC 3")
        result[posixpath.normpath(entry["path"])] = str(entry["md5"])
    return result


def _restrict(stage: Locked, declared: Declared) -> Locked:
    """Return what of a stage's record is declared, with paths relative to the project."""

    def kept(content: Mapping[str, Value], wanted: Container[str]) -> dict[str, Value]:
        paths = {posixpath.normpath(f"{declared.folder}/{path}"): path for path in content}
        return {path: content[old] for path, old in paths.items() if path in wanted}

    return Locked(
        stage.name,
        stage.commands,
        kept(stage.deps, declared.declared_deps),
        kept(stage.outs, declared.outs),
        kept(stage.params, {file for file, _ in declared.params}),
    )


def _inside(stages: Iterable[Locked], outs: Sequence[str]) -> dict[str, Sequence[str]]:
    paths = {path for stage in stages for path in stage.deps}
    found = {path: folders.below(outs, path) for path in sorted(paths)}
    return {path: found[path] for path in found if found[path]}


def _reads(stage: Locked, inside: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the files and folders that a stage reads, with what others write into the folders."""
    within = (path for folder in stage.deps for path in inside.get(folder, ()))
    return (*dict.fromkeys((*stage.deps, *within, *stage.params)),)


def _ordered(
    stages: Mapping[str, Locked], makers: Mapping[str, str], inside: Mapping[str, Sequence[str]]
) -> dict[str, Locked]:
    before = {
        name: sorted({makers[path] for path in _reads(stage, inside) if path in makers})
        for name, stage in sorted(stages.items())
    }
    return {name: stages[name] for name in graphlib.TopologicalSorter(before).static_order()}
