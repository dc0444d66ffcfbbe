"""Which commands put a finding right; a test runs what is printed here and verifies again.

DVC trusts a file whose size and time are unchanged, a read-only object in its cache, and its
record of earlier runs. So damaged files are deleted before DVC is asked to bring them back, damaged
objects with them, and a changed source is touched before DVC is asked to look at it.
"""

import functools
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflow import storage, studies
from workflow.verification import stores
from workflow.verification.findings import Cure
from workflow.verification.hashing import MISSING, Workspace
from workflow.verification.stores import Store
from workflow.verification.study import Study


def reproduce(stages: Iterable[str]) -> tuple[str, ...]:
    """Return the commands that run what is out of date in the studies of these stages.

    The main study comes first; `dvc repro` alone runs no other.
    """
    places = {studies.of(stage) for stage in stages}
    return tuple(place.command for place in sorted(places, key=lambda place: place.definition))


@dataclass
class Cures:
    """The cures for one study; DVC's cache is looked at only where a cure depends on it.

    Attributes:
        study: what dvc.lock says.
        workspace: what the files hold.
        remote: a remote whose objects are checked, too, if any.
    """

    study: Study
    workspace: Workspace
    remote: Store | None = None

    def restore(self, path: str) -> Cure:
        """Bring back an output that is damaged or missing: from the cache, a remote, or anew."""
        source = self._source(path)
        delete, name = f"rm -rf {shlex.quote(path)}", shlex.quote(path)
        if source == "cache":
            return Cure((delete, f"dvc checkout {name}"))
        stage = self.study.makers[path]
        remake = f"dvc repro {shlex.quote(stage)}"
        if source:
            doubt = f"if {source} lacks it or its copy is damaged (--remote {source}): {remake}"
            pull = (delete, *self._clear([path]), f"dvc pull -r {source} {name}")
            return Cure(pull, "" if self.remote else doubt)
        clear = self._clear(self.study.locked[stage].outs)
        return Cure((delete, *clear, remake), f"no intact copy is known, so {stage} runs again")

    def copy(self, path: str) -> Cure:
        """Replace a damaged or missing object of the cache by the output itself, if intact."""
        if not self._intact_here(path):
            return Cure((), f"the cure of {path} above replaces this object, too")
        target = shlex.quote(self.cache.path(self.study.digest(path)))
        return Cure((f"install -D -m 444 {shlex.quote(path)} {target}",))

    def push(self, path: str, problem: str) -> Cure:
        """Replace a damaged or missing object of the remote by the cache's."""
        assert self.remote is not None
        if self._bad(path) and not self._intact_here(path):
            return Cure((), f"first the cure of {path} above; then verify again")
        fill = self.copy(path).commands if self._bad(path) else ()
        send = f"dvc push -r {self.remote.name} {shlex.quote(path)}"
        address = self.remote.path(self.study.digest(path))
        if problem == MISSING:
            return Cure((*fill, send))
        if not self.remote.local:
            return Cure((*fill, send), f"first delete {address} with the remote's own tools")
        return Cure((*fill, f"rm -f {shlex.quote(address)}", send))

    def source(self, path: str, problem: str, stages: Iterable[str]) -> Cure:
        """Take over a change of a file that no stage makes into `stages`, or undo it."""
        quoted = shlex.quote(path)
        undo = f"git checkout -- {quoted}" if self._in_git(path) else ""
        if problem == MISSING:
            return Cure((undo,)) if undo else Cure((), f"put {path} back")
        if problem:
            return Cure((), "make it readable, or put it back")
        folder = (self.study.root / path).is_dir()
        touch = f"find {quoted} -type f -exec touch {{}} +" if folder else f"touch {quoted}"
        return Cure((touch, *reproduce(stages)), f"or undo the change{undo and ': ' + undo}")

    @functools.cached_property
    def cache(self) -> Store:
        """DVC's cache on this machine."""
        return stores.cache(self.study.root, self.workspace.tally)

    @functools.cached_property
    def _remotes(self) -> tuple[str, ...]:
        return storage.remotes(self.study.root)

    def _source(self, path: str) -> str:
        """Return `cache`, or the name of a remote, or nothing: where a copy of an output is."""
        stage = self.study.declared[self.study.makers[path]]
        if path in stage.uncached:
            return ""
        if not self._bad(path):
            return "cache"
        if self.remote is not None:
            return "" if self._bad(path, self.remote) else self.remote.name
        return next(iter(self._remotes), "")

    def _bad(self, path: str, store: Store | None = None) -> str:
        """Return what is wrong with an output's object."""
        return (store or self.cache).problem(self.study.digest(path))

    def _clear(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield the commands that delete damaged objects of outputs from the cache."""
        for digest in dict.fromkeys(map(self.study.digest, paths)):
            if self.cache.problem(digest) not in ("", MISSING):
                yield f"rm -f {shlex.quote(self.cache.path(digest))}"

    def _intact_here(self, path: str) -> bool:
        return self.workspace.content(path).digest == self.study.digest(path)

    def _in_git(self, path: str) -> bool:
        command = ["git", "ls-files", "--error-unmatch", "--", path]
        try:
            run = subprocess.run(command, cwd=self.study.root, capture_output=True, check=False)
        except FileNotFoundError:
            return False
        return run.returncode == 0
