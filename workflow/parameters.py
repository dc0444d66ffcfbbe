"""Parameters as DVC sees them, each file parsed once; DVC would parse it anew for every stage."""

import functools
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import dpath
from dvc.dependency.param import ParamsDependency
from dvc.fs import LocalFileSystem
from dvc.utils.serialize import load_path

from foreframe import versions
from foreframe.errors import UserError
from workflow import studies

# What tells the content of a file before a stage writes it, from the parameters there are.
Prediction: TypeAlias = Callable[[Any], Any]
Coming: TypeAlias = Mapping[str, Prediction | None]  # by path

# The main study's stage whose output holds the code versions that others take as parameters, and
# the stage of each further one that writes its parameters out whole.
VERSIONS = "versions"
SETTINGS = "settings"
WRITES_SETTINGS = f"python -m stages.{SETTINGS} "
PARAMS = "params.yaml"

# No value: a parameter may be null.
ABSENT = object()


class Parameters:
    """The parameters in the files of one project; `coming` tells of those that stages write."""

    def __init__(self, root: str, coming: Coming) -> None:
        self.root = root
        self._parsed: dict[str, Any] = {}
        self.coming = coming

    def values(self, source: ParamsDependency) -> Iterator[tuple[tuple[str, str], Any]]:
        """Yield ((file, key), value) of every parameter; of code versions, as predicted."""
        file = os.path.relpath(source.fs_path, self.root)
        if file in self.coming and not self.coming[file]:
            content: Any = {}
        else:
            content = self.content(file)
        if not source.params:
            yield (file, ""), {} if content is ABSENT else content
        for key in source.params:
            value = _select(content, key)
            yield (file, key), None if value is ABSENT else value

    def changes(self, source: ParamsDependency) -> Iterator[str]:
        """Yield what `dvc status` would name, once code versions are written: file:key, or file."""
        file = os.path.relpath(source.fs_path, self.root)
        content = self.content(file)
        locked = source.hash_info.value or {}
        if not source.params and (content is ABSENT or source.hash_info.value is None):
            yield file
            return
        for key in source.params or content.keys() | locked.keys():
            value = _select(content, key) if source.params else content.get(key, ABSENT)
            if value is ABSENT or value != locked.get(key, ABSENT):
                yield f"{file}:{key}"

    def content(self, file: str) -> Any:
        """Return what a file of parameters holds, or will hold, or ABSENT."""
        predict = self.coming.get(file)
        if predict:
            return predict(self)
        if file not in self._parsed:
            path = Path(self.root, file)
            content = (load_path(str(path), LocalFileSystem()) or {}) if path.exists() else ABSENT
            if content is not ABSENT and not isinstance(content, Mapping):
                raise UserError(f"{file} holds no parameters; write them as `key: value`")
            self._parsed[file] = content
        return self._parsed[file]


def prediction(name: str, stage: Any, out: Any) -> Prediction | None:
    """Return a function that tells what a stage's output will hold, or None where none can.

    `stage` and `out` are of DVC's own types. The function refuses code that is no Python.
    """
    if name == VERSIONS:
        return functools.cache(lambda parameters: _code_versions(stage, out, parameters))
    if studies.local(name) == SETTINGS and str(stage.cmd).startswith(WRITES_SETTINGS):
        return functools.cache(lambda parameters: _settings(stage, out, parameters))
    return None


def _as_written(stage: Any, out: Any, parameters: Parameters) -> Any:
    """Return what a stage wrote, or ABSENT if it would write anew."""
    sources = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    others = [dep for dep in stage.deps if dep not in sources]
    changed = stage.cmd_changed or any(item.status() for item in (*others, out))
    if changed or any(change for source in sources for change in parameters.changes(source)):
        return ABSENT
    return json.loads(Path(out.fs_path).read_text(encoding="utf-8"))


def _settings(stage: Any, out: Any, parameters: Parameters) -> Any:
    found = _as_written(stage, out, parameters)
    if found is not ABSENT:
        return found
    # Loads every kind of network, which takes seconds.
    from foreframe.running.stage import paths
    from stages import settings

    given = paths(settings.main, shlex.split(stage.cmd)[3:])
    files = [Path(parameters.root, path) for path in given["params"]]
    code = parameters.content(str(given["versions"]))
    try:
        return settings.content(files, code, given["versions"])
    except UserError:
        # One study's mistake must not hold up another: its stage says it when it runs.
        return {}


def _code_versions(stage: Any, out: Any, parameters: Parameters) -> Any:
    # To parse all the code takes longer than all else here.
    found = _as_written(stage, out, parameters)
    if found is not ABSENT:
        return found
    deps = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    folders = [path for path in (Path(dep.fs_path) for dep in deps) if path.is_dir()]
    content = parameters.content(PARAMS)
    protocols = content.get("protocols", {}) if isinstance(content, Mapping) else {}
    try:
        return versions.of_study(versions.all_versions(folders), protocols)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{PARAMS}: protocols: {error} names no metric. See: foreframe check"
        ) from None
    except SyntaxError as error:
        names = " or ".join(folder.name for folder in folders)
        raise UserError(
            f"a module in {names} is no Python: {error.msg} in line {error.lineno}:"
            f" {(error.text or '').strip()}"
        ) from error


def _select(content: Any, key: str) -> Any:
    """Return what DVC finds under a key with dots, or ABSENT."""
    place = content
    for part in key.split("."):
        place = place.get(part, ABSENT) if isinstance(place, Mapping) else ABSENT
    if place is ABSENT and content is not ABSENT:
        # An index of a list, or a number as a key.
        return dpath.get(content, key, separator=".", default=ABSENT)
    # As dvc.lock holds what a Python file has.
    return [*place] if isinstance(place, tuple) else place
