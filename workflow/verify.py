"""`foreframe verify`: every artefact hashed again from its bytes and compared with its dvc.lock.

Neither DVC's state database nor its cache is believed. DVC is asked for two things: what every
dvc.yaml declares, and where the cache and remotes are.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from foreframe.errors import UserError
from workflow.verification import findings, rebuild, stores, study
from workflow.verification.checks import Checks
from workflow.verification.cures import Cures
from workflow.verification.findings import Finding
from workflow.verification.hashing import MISSING, Tally, Workspace
from workflow.verification.stores import Store
from workflow.verification.study import Study

SCHEMA = "foreframe/verify"
VERSION = 1


@dataclass(frozen=True)
class Options:
    """What to look at: all files, or those of `targets`; also the cache, a remote, a rebuild."""

    targets: Sequence[str] = ()
    cache: bool = False
    remote: str = ""
    rebuild: str = ""


def run(root: Path, options: Options, *, as_json: bool) -> int:
    """Print every finding about the studies in `root` and return the exit code.

    Raises:
        UserError: a study cannot be read, or a target, remote or stage is unknown.
    """
    start, tally = time.perf_counter(), Tally()
    known = study.read(root)
    found = list(_check(known, options, tally))
    seconds = time.perf_counter() - start
    code = findings.exit_code(found)
    whole = not (options.targets or options.rebuild)
    not_run = known.not_run if whole else ()
    if as_json:
        facts = _facts(found, tally, seconds, code)
        print(json.dumps({**facts, "not_run": [place.name for place in not_run]}, indent=2))
        return code
    for finding in found:
        print("\n".join(finding.lines()), end="\n\n")
    for place in not_run:
        print(f"The study {place.name} has not been run here: {place.command}")
    read = f"{tally.files} files, {tally.bytes:,} bytes in {seconds:.1f} s"
    print(f"verify: {findings.summary(found)} ({read}).")
    return code


def check(root: Path, options: Options, tally: Tally) -> Iterator[Finding]:
    """Yield every finding about the studies in `root`, damage before what is merely out of date.

    Raises:
        UserError: a study cannot be read, or a target, remote or stage is unknown.
    """
    return _check(study.read(root), options, tally)


def _check(known: Study, options: Options, tally: Tally) -> Iterator[Finding]:
    root = known.root
    targets = [*options.targets, *([options.rebuild] if options.rebuild else [])]
    stages, paths = study.select(known, targets)
    stages = stages if targets else set(known.locked)
    named = frozenset(paths)
    paths |= {path for name in stages for path in known.locked[name].deps}
    paths |= {path for name in stages for path in known.locked[name].outs}
    paths |= {path for folder in paths for path in known.inside.get(folder, ())}
    workspace = Workspace(root, tally)
    remote = stores.remote(root, options.remote, tally) if options.remote else None
    cures = Cures(known, workspace, remote)
    checks = Checks(known, workspace, cures)
    files = list(checks.files(paths))
    yield from (finding for finding in files if finding.kind != "stale")
    for store in [cures.cache] if options.cache else []:
        yield from _objects(known, store, cures, paths)
    if remote is not None:
        yield from _objects(known, remote, cures, paths)
    yield from (finding for finding in files if finding.kind == "stale")
    yield from checks.parameters(stages)
    readers = {name for path in named for name in known.readers.get(path, ())} - stages
    for finding in checks.parameters(readers):
        if finding.subject.partition(": ")[0] in named:
            yield finding
    yield from checks.definitions(stages)
    if not targets:
        yield from checks.stages()
    if options.rebuild:
        yield from _rebuild(checks, options.rebuild)


def _rebuild(checks: Checks, name: str) -> Iterator[Finding]:
    if name not in checks.study.locked:
        raise UserError(f"--rebuild takes one stage: {', '.join(checks.study.locked)}.")
    stage = checks.study.locked[name]
    same = all(checks.workspace.content(path).digest == stage.deps[path] for path in stage.deps)
    if not same or [*checks.parameters([name]), *checks.definitions([name])]:
        yield rebuild.refuse(checks.study, stage)
    else:
        yield from rebuild.check(checks.study, checks.workspace, stage)


def _objects(known: Study, store: Store, cures: Cures, paths: set[str]) -> Iterator[Finding]:
    """Yield the damaged and missing objects of a store that outputs among `paths` need."""
    for output in (path for path in known.makers if path in paths):
        stage = known.makers[output]
        if output in known.declared[stage].uncached:
            continue
        digest = known.digest(output)
        problem = store.problem(digest)
        if not problem:
            continue
        yield Finding(
            "missing" if problem == MISSING else "damaged",
            store.place,
            store.path(digest),
            f"the object of {output}: {problem}",
            stage,
            known.readers.get(output, ()),
            (),
            cures.copy(output) if store.place == "cache" else cures.push(output, problem),
        )


def _facts(found: list[Finding], tally: Tally, seconds: float, code: int) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "exit_code": code,
        "findings": [finding.facts() for finding in found],
        "files": tally.files,
        "bytes": tally.bytes,
        "seconds": round(seconds, 3),
    }
