"""The checks of the study's own files: outputs and sources by their bytes, parameters by value."""

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foreframe import versions
from workflow import studies
from workflow.parameters import VERSIONS
from workflow.verification import documents
from workflow.verification.cures import Cures, reproduce
from workflow.verification.findings import Cure, Finding, Kind
from workflow.verification.hashing import MISSING, Workspace, folder_digest
from workflow.verification.study import Locked, Study

PARAMS = "params.yaml"


@dataclass
class Checks:
    """Compares a study with its lock; nothing is read before it is asked for."""

    study: Study
    workspace: Workspace
    cures: Cures
    _files: dict[str, Any] = field(default_factory=dict)

    def files(self, paths: Collection[str]) -> Iterator[Finding]:
        """Yield what is wrong with the bytes of outputs and dependencies, makers before readers."""
        for stage in self.study.locked.values():
            for path in (*stage.deps, *stage.outs):
                first = self.study.makers.get(path) or self.study.readers[path][0]
                if path in paths and first == stage.name:
                    yield from self._output(path) if path in stage.outs else self._source(path)

    def parameters(self, stages: Collection[str]) -> Iterator[Finding]:
        """Yield the parameters and code versions that changed since these stages ran."""
        changes: dict[tuple[str, str], tuple[str, list[str]]] = {}
        for name in self._ordered(stages):
            for file, key, text in self._changed_values(self.study.locked[name]):
                changes.setdefault((file, key), (text, []))[1].append(name)
        for (file, key), (text, readers) in changes.items():
            yield self._stale(f"{file}: {key}", text, readers, self._run(readers))

    def definitions(self, stages: Collection[str]) -> Iterator[Finding]:
        """Yield the stages whose definition changed since they ran."""
        for name in self._ordered(stages):
            now, locked = self.study.declared[name], self.study.locked[name]
            changed = []
            if now.commands != locked.commands:
                changed.append("its command")
            changed += [f"reads {path}" for path in now.declared_deps if path not in locked.deps]
            changed += [f"makes {path}" for path in now.outs if path not in locked.outs]
            if changed:
                place = studies.of(name).definition
                text = f"{place} changed since it ran: {', '.join(changed)}"
                yield self._stale(name, text, [name], self._run([name]))

    def stages(self) -> Iterator[Finding]:
        """Yield the stages that have never run, and those that dvc.yaml has no more.

        A further study of which nothing has been run is none of this; `Study.not_run` names it.
        """
        for name in (name for name in self.study.declared if name not in self.study.locked):
            place = studies.of(name)
            if place in self.study.not_run:
                continue
            text = f"{place.lock} has no entry: it has not been run yet"
            yield Finding("not made", "workspace", name, text, "", (), (), self._run([name]))
        for name, stage in self.study.left_over.items():
            place = studies.of(name)
            kept = [path for path in stage.outs if path not in self.study.makers]
            there = [path for path in kept if (self.study.root / path).exists()]
            files = f", and delete {', '.join(there)}" if there else ""
            entry = f"the entry of {studies.local(name)} from {place.lock}"
            cure = Cure((), f"delete {entry}{files}")
            text = f"{place.definition} has no such stage, {place.lock} has"
            yield Finding("left over", "workspace", name, text, "", (), (), cure)

    def _output(self, path: str) -> Iterator[Finding]:
        wanted, content = self.study.digest(path), self.workspace.content(path)
        stage, readers = self.study.makers[path], self.study.readers.get(path, ())
        if content.digest != wanted:
            kind: Kind = "missing" if content.problem == MISSING else "damaged"
            found = content.problem or f"its bytes have the digest {content.digest}"
            yield Finding(
                kind,
                "workspace",
                path,
                found if kind == "missing" else f"{found}; dvc.lock has {wanted}",
                stage,
                readers,
                self.study.following(readers),
                self.cures.restore(path),
            )
        outdated = self._outdated(path, wanted)
        if outdated:
            text = f"made again by {stage} since; they read {self._read(path, outdated[0])}"
            yield self._stale(path, text, outdated, self._run(outdated))

    def _source(self, path: str) -> Iterator[Finding]:
        content = self.workspace.content(path)
        if path in self.study.inside:
            yield from self._shared(path)
            return
        outdated = self._outdated(path, content.digest)
        if not outdated:
            return
        made = any(path in stage.outs for stage in self.study.declared.values())
        follows = self.study.following(outdated)
        cure = self._run(outdated)
        if not made:
            cure = self.cures.source(path, content.problem, (*outdated, *follows))
        if content.problem:
            kind: Kind = "missing" if content.problem == MISSING else "damaged"
            yield Finding(
                kind, "workspace", path, content.problem, "", tuple(outdated), follows, cure
            )
            return
        text = f"changed since; its digest was {self._read(path, outdated[0])}"
        if outdated == [VERSIONS]:
            text = f"{text}; {self._code_changes()}"
            if isinstance(self._file_of_versions(), str):
                cure = Cure((), f"mend the code; {cure.note}")
        yield self._stale(path, text, outdated, cure)

    def _shared(self, folder: str) -> Iterator[Finding]:
        """Yield what is otherwise in a folder that stages write into than its readers found it.

        Damaged and missing outputs are findings of their own, so they count as they were written.
        """
        digests = {path: self.workspace.content(path).digest for path in self._there(folder)}
        digests |= {path: self.study.digest(path) for path in self.study.inside[folder]}
        outdated = self._outdated(folder, folder_digest(folder, digests))
        if not outdated:
            return
        before = self._read(folder, outdated[0])
        made = {path for stage in self.study.declared.values() for path in stage.outs}
        strange = sorted(digests.keys() - made)
        new = _new(folder, digests, strange, before)
        cure = self.cures.source(folder, "", (*outdated, *self.study.following(outdated)))
        if new:
            text = f"{', '.join(new)} is new, and no stage writes it"
            cure = Cure(cure.commands, f"or undo the change: rm {shlex.join(new)}")
        else:
            others = f"; no stage writes {', '.join(strange)}" if strange else ""
            text = f"changed since; its digest was {before}{others}"
        yield self._stale(folder, text, outdated, cure)

    def _there(self, folder: str) -> Iterator[str]:
        """Yield the files in a folder; one that is gone has none."""
        if not self.workspace.content(folder).problem:
            for path in self.workspace.files(self.study.root / folder):
                yield path.relative_to(self.study.root).as_posix()

    def _code_changes(self) -> str:
        code = self._file_of_versions()
        if isinstance(code, str):
            return f"{code}, so what else is out of date is unknown"
        changes = [
            name
            for name, stage in self.study.locked.items()
            for file, _, _ in self._changed_values(stage)
            if self.study.makers.get(file) == VERSIONS
        ]
        if not changes:
            return "no code that a stage runs changed, so no other stage is out of date"
        return f"code changed that {', '.join(dict.fromkeys(changes))} run"

    def _outdated(self, path: str, digest: str) -> list[str]:
        """Return the stages that read another version of a file than the one with this digest."""
        return [
            name
            for name in self.study.readers.get(path, ())
            if self.study.locked[name].deps.get(path, digest) != digest
        ]

    def _read(self, path: str, stage: str) -> str:
        return self.study.locked[stage].deps[path]

    def _run(self, readers: list[str]) -> Cure:
        """A change of a parameter, or of a stage's definition, is seen by DVC without help."""
        return Cure(reproduce((*readers, *self.study.following(readers))))

    def _stale(self, subject: str, text: str, readers: list[str], cure: Cure) -> Finding:
        follows = self.study.following(readers)
        frozen = [name for name in readers if self.study.declared[name].frozen]
        if frozen:
            note = f"frozen in dvc.yaml, so DVC does not run: {', '.join(frozen)}"
            cure = Cure(cure.commands, f"{note}{cure.note and '; '}{cure.note}")
        return Finding("stale", "workspace", subject, text, "", tuple(readers), follows, cure)

    def _ordered(self, stages: Collection[str]) -> Iterator[str]:
        return (name for name in self.study.locked if name in stages)

    def _changed_values(self, stage: Locked) -> Iterator[tuple[str, str, str]]:
        """Yield (file, key, what changed) of every parameter that a stage read otherwise."""
        for file, name in self.study.declared[stage.name].params:
            now, before = self._parameters(file), stage.params.get(file, {})
            if now is documents.ABSENT:
                continue
            for key in [name] if name else sorted({*now, *before}):
                old = before.get(key, documents.ABSENT)
                yield from (
                    (file, *change) for change in _differences(key, old, documents.select(now, key))
                )

    def _parameters(self, file: str) -> Any:
        """Return a parameter file's content, or ABSENT where its own damage is a finding."""
        if file not in self._files:
            self._files[file] = self._load(file)
        return self._files[file]

    def _load(self, file: str) -> Any:
        stage = self.study.makers.get(file)
        if stage == VERSIONS:
            code = self._file_of_versions()
            return documents.ABSENT if isinstance(code, str) else code
        if stage and self.workspace.content(file).digest != self.study.digest(file):
            return documents.ABSENT
        path = self.study.root / file
        to_be_made = any(file in stage.outs for stage in self.study.declared.values())
        return documents.ABSENT if to_be_made and not path.exists() else documents.load(path)

    def _file_of_versions(self) -> Mapping[str, Any] | str:
        """Return what the stage `versions` would write now, or why that is unknown."""
        if VERSIONS not in self._files:
            paths = [self.study.root / path for path in self.study.locked[VERSIONS].deps]
            try:
                digests = versions.all_versions([path for path in paths if path.is_dir()])
                protocols = documents.load(self.study.root / PARAMS).get("protocols", {})
                self._files[VERSIONS] = versions.of_study(digests, protocols)
            except (SyntaxError, ValueError) as error:
                self._files[VERSIONS] = f"its code is no valid Python ({error})"
        return self._files[VERSIONS]


def _new(
    folder: str, digests: Mapping[str, str], strange: Sequence[str], before: str
) -> Sequence[str]:
    """Return which of the strange files were not there when the folder had the digest `before`."""
    for new in (strange, *([path] for path in strange)):
        rest = {path: digest for path, digest in digests.items() if path not in new}
        if folder_digest(folder, rest) == before:
            return new
    return ()


def _differences(key: str, old: Any, new: Any) -> Iterator[tuple[str, str]]:
    """Yield (key, what changed) down to the single values that differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}, key=str):
            before, after = old.get(name, documents.ABSENT), new.get(name, documents.ABSENT)
            yield from _differences(f"{key}.{name}", before, after)
    elif old != new:
        yield key, f"was {old!r} when they ran, is {new!r} now"
