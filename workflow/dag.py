"""The stages of all studies as plain data: this, what it imports and storage.py alone ask DVC.

DVC resolves templates and fan-outs, so whoever asks what is `declared` sees the same DAG as `dvc
repro`; and it compares files with dvc.lock, so whoever `read`s sees the same work to do.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.dvcfile import ProjectFile
from dvc.exceptions import DvcException, NotDvcRepoError, OutputDuplicationError
from dvc.repo import Repo
from dvc.repo.index import Index

from foreframe.errors import UserError
from workflow import refusals, studies
from workflow.folders import Files
from workflow.parameters import Parameters, prediction
from workflow.studies import MAIN, Place


@dataclass(frozen=True)
class Declared:
    """One stage as a dvc.yaml declares it, its paths relative to the project and sorted.

    Attributes:
        name: DVC's address for it, such as `train_prior@top`, or
            `studies/driving_thesis/dvc.yaml:train_prior@top_small` in a further study.
        study: the study it belongs to: `main` or `driving_thesis`.
        commands: what DVC runs, one after the other.
        description: one line for people, or the empty string.
        declared_deps: its dependencies as dvc.yaml names them, parameter files aside.
        params: (file, key) of every parameter; an empty key is the whole file.
        outs: the files it writes.
        folder: where its commands run, relative to the project.
        metrics: those of `outs` that hold numbers for `dvc metrics`.
        uncached: those of `outs` that DVC keeps no copy of.
        frozen: whether dvc.yaml says not to run it for a change of what it reads.
        threads: how many it uses.
        resources: (name, amount) of what else it occupies, such as a GPU.
        together: whether Snakemake runs it in one job with those of its fan-out that read the same.
    """

    name: str
    study: str
    commands: tuple[str, ...]
    description: str
    declared_deps: tuple[str, ...]
    params: tuple[tuple[str, str], ...]
    outs: tuple[str, ...]
    folder: str
    metrics: frozenset[str]
    uncached: frozenset[str]
    frozen: bool
    threads: int
    resources: tuple[tuple[str, int | str], ...]
    together: bool

    @property
    def command(self) -> str:
        """What DVC runs; several commands stand on a line each."""
        return "\n".join(self.commands)


@dataclass(frozen=True)
class Stage(Declared):
    """One stage as it stands now.

    Attributes:
        identifier: its name for Snakemake, unique: letters, digits and _.
        deps: its dependencies, with folders as the files in them that DVC counts and those that
            other stages will write there.
        after: files that another stage writes and this one only takes parameters from.
        changes: what differs from dvc.lock, as `dvc status` names it: paths, parameters as
            `file:key`, `command`, `always`. What other stages will change is not considered, except
            for code versions, which are known before they are written.
        due: whether the stage has changes or reads the output of one that is due.
        values: the value of each of `params` as JSON, `null` where the file has none.
    """

    identifier: str
    deps: tuple[str, ...]
    after: tuple[str, ...]
    changes: tuple[str, ...]
    due: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Stages that one call of DVC runs, one after the other; nearly always it is one stage.

    All of them read the same files, so none waits for another, and whoever waits for one may as
    well wait for all.
    """

    stages: tuple[Stage, ...]

    @property
    def identifier(self) -> str:
        """Its name for Snakemake: that of its first stage."""
        return self.stages[0].identifier

    @property
    def reads(self) -> tuple[str, ...]:
        """The files that must be there before it starts."""
        return (*self.stages[0].deps, *self.stages[0].after)

    @property
    def outs(self) -> tuple[str, ...]:
        """The files that it writes."""
        return tuple(path for stage in self.stages for path in stage.outs)

    @property
    def threads(self) -> int:
        """How many it uses."""
        return self.stages[0].threads

    @property
    def resources(self) -> tuple[tuple[str, int | str], ...]:
        """What else it occupies."""
        return self.stages[0].resources

    @property
    def changed(self) -> bool:
        """Whether a stage of it differs from dvc.lock."""
        return any(stage.changes for stage in self.stages)

    @property
    def due(self) -> bool:
        """Whether a stage of it does, or reads the output of one that is due."""
        return any(stage.due for stage in self.stages)


def jobs(stages: Sequence[Stage]) -> tuple[Job, ...]:
    """Return what Snakemake runs at once, each stage in one job, in the order of their first ones.

    Starting DVC takes about a second: stages of an instant that are `together` share it.
    """
    found: dict[object, list[Stage]] = {}
    for stage in stages:
        fan_out = stage.name.partition("@")[0]
        alike = (fan_out, stage.deps, stage.after, stage.threads, stage.resources)
        found.setdefault(alike if stage.together else stage.name, []).append(stage)
    return tuple(Job(tuple(members)) for members in found.values())


def declared(root: Path, only: Place | None = None) -> tuple[Declared, ...]:
    """Return the stages of `root`/dvc.yaml and of each studies/*/dvc.yaml, sorted by name.

    `only`: those of this study. Neither what they read and wrote is looked at, nor a dvc.lock, nor
    DVC's database of digests: one in a temporary folder stands for it.

    Raises:
        UserError: a dvc.yaml is missing or wrong, or has what Snakemake cannot run.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        _opening(root, {"core": {"site_cache_dir": scratch}}) as repo,
    ):
        places = studies.places(Path(repo.root_dir)) if only is None else (only,)
        files = [ProjectFile(repo, str(Path(repo.root_dir, place.definition))) for place in places]
        stages = [stage for file in files for stage in file.LOADER(file, file.contents).values()]
        found = _found(Index(repo, stages), places)
        return tuple(_declared(repo, place, stage) for place, stage in found)


def read(root: Path) -> tuple[Stage, ...]:
    """Return the same stages, compared with what is there.

    Raises:
        UserError: a dvc.yaml or a parameter file is wrong, or has what Snakemake cannot run.
    """
    with _opening(root, {}) as repo:
        return _with_due(
            tuple(_stages(repo, _found(repo.index, studies.places(Path(repo.root_dir)))))
        )


@contextlib.contextmanager
def _opening(root: Path, config: Mapping[str, Any]) -> Iterator[Repo]:
    """Yield the project, in DVC with these settings; DVC's errors inside become a user's."""
    try:
        with Repo(str(root), config={**config}) as repo:
            yield repo
    except NotDvcRepoError as error:
        raise UserError(f"DVC: {error} Go to the folder of a project.") from None
    except OutputDuplicationError as error:
        makers = " and ".join(sorted(map(_address, error.stages)))
        raise UserError(
            f"{error.output} is an output of {makers}. Let one stage write it, and one dvc.yaml."
        ) from None
    except DvcException as error:
        raise UserError(
            f"DVC cannot read the pipeline: {error}{_cause(error)}. Correct the file, or restore "
            "it by: git checkout -- FILE"
        ) from error


def _address(stage: Any) -> str:
    """Return DVC's name for a stage, seen from the project's folder."""
    definition = os.path.relpath(stage.path, stage.repo.root_dir)
    return stage.name if definition == studies.DEFINITION else f"{definition}:{stage.name}"


def _cause(error: DvcException) -> str:
    """Return what is wrong in a file, with line and column or the path of keys, as one line."""
    inner = getattr(error, "exc", None)
    return " ".join(f": {inner.__cause__ or inner}".split()) if inner else ""


def _found(index: Index, places: Sequence[Place]) -> Sequence[tuple[Place, Any]]:
    """Return every stage of some studies with its study, sorted by address."""
    repo = index.repo
    homes = {str(Path(repo.root_dir, place.definition)): place for place in places}
    index.check_graph()
    found = [(homes[stage.path], stage) for stage in index.stages if stage.path in homes]
    for place in places:
        if place not in {home for home, _ in found}:
            raise UserError(
                f"{place.definition} defines no stages. Restore it, for example by: "
                f"git checkout -- {place.definition}"
            )
    for place, stage in found:
        paths = [_path(repo, item) for item in (*stage.deps, *stage.outs)]
        refusals.check(stage, paths, place, repo.root_dir)
    return sorted(found, key=lambda pair: pair[0].address(pair[1].name))


def _declared(repo: Repo, place: Place, stage: Any) -> Declared:
    sources = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    keys = {(_path(repo, source), key) for source in sources for key in source.params or [""]}
    meta = stage.meta or {}
    return Declared(
        name=place.address(stage.name),
        study=place.name,
        commands=(stage.cmd,) if isinstance(stage.cmd, str) else tuple(stage.cmd),
        description=stage.desc or "",
        declared_deps=tuple(sorted({_path(repo, dep) for dep in stage.deps if dep not in sources})),
        params=tuple(sorted(keys)),
        outs=tuple(sorted(_path(repo, out) for out in stage.outs)),
        folder=os.path.relpath(stage.wdir, repo.root_dir),
        metrics=frozenset(_path(repo, out) for out in stage.outs if out.metric),
        uncached=frozenset(_path(repo, out) for out in stage.outs if not out.use_cache),
        frozen=stage.frozen,
        threads=meta.get("threads", 1),
        resources=tuple(sorted(meta.get("resources", {}).items())),
        together=meta.get("together", False),
    )


def _stages(repo: Repo, found: Sequence[tuple[Place, Any]]) -> Iterator[Stage]:
    # A stage's parameters may lie in a file that another stage has yet to write.
    coming = {
        _path(repo, out): prediction(place.address(stage.name), stage, out)
        for place, stage in found
        for out in stage.outs
    }
    files, parameters = Files(repo, coming), Parameters(repo.root_dir, coming)
    identifiers = _identifiers(found)
    for place, stage in found:
        refusals.check_outputs(stage, place)
        known = _declared(repo, place, stage)
        yield _stage(repo, stage, known, identifiers[known.name], files, parameters)


def _stage(
    repo: Repo, stage: Any, known: Declared, identifier: str, files: Files, parameters: Parameters
) -> Stage:
    sources = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    values = dict(pair for source in sources for pair in parameters.values(source))
    written = {file for file, _ in values if file in parameters.coming}
    # What the stage `versions` will write is known now; of any other file only its bytes can tell.
    after = {file for file in written if parameters.coming[file]}
    return Stage(
        **vars(known),
        identifier=identifier,
        deps=tuple(sorted({*files.expand(known.declared_deps), *(written - after)})),
        after=tuple(sorted(after)),
        changes=tuple(sorted(_changes(repo, stage, parameters))),
        due=False,
        values=tuple(json.dumps(values[param], sort_keys=True) for param in known.params),
    )


def _path(repo: Repo, item: Any) -> str:
    return os.path.relpath(item.fs_path, repo.root_dir)


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


def _identifiers(found: Sequence[tuple[Place, Any]]) -> dict[str, str]:
    """Return a name for Snakemake by that of each stage.

    Every other character than a letter, digit or _ becomes _; where two meet, digests are added.
    """
    plain = {
        place.address(stage.name): re.sub(
            r"\W",
            "_",
            stage.name if place.name == MAIN else f"{place.name}_{stage.name}",
            flags=re.ASCII,
        )
        for place, stage in found
    }
    # The Snakefile has rules of its own, one for each study.
    times = Counter([studies.ALL, *{place.name for place, _ in found}, *plain.values()])
    return {
        name: f"{short}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        if times[short] > 1
        else short
        for name, short in plain.items()
    }


def _with_due(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    makers = {path: stage for stage in stages for path in stage.outs}

    @functools.cache
    def due(stage: Stage) -> bool:
        fed = (makers[path] for path in stage.deps if path in makers)
        return bool(stage.changes) or (not stage.frozen and any(due(maker) for maker in fed))

    return tuple(replace(stage, due=due(stage)) for stage in stages)
