"""The stages of all studies, resolved without DVC: their names, commands, files and parameters.

Only the forms that studies use are read; any other is refused rather than guessed. A test holds the
result against DVC's own resolution.
"""

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreframe.errors import UserError
from workflow import studies
from workflow.studies import Place
from workflow.verification import documents

# Where a stage's parameters are if it names no file.
PARAMS = "params.yaml"
KNOWN = {
    "cmd", "deps", "desc", "do", "foreach", "frozen", "matrix", "meta", "metrics", "outs",
    "params", "plots", "wdir",
}  # fmt: skip
TEMPLATE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")


@dataclass(frozen=True)
class Declared:
    """One stage as a dvc.yaml declares it; its paths are relative to the project.

    Attributes:
        name: DVC's address for it, such as `train_prior@top`.
        commands: what DVC runs, one line each.
        deps: the files and folders it reads, parameter files aside.
        outs: the files it writes.
        uncached: those of `outs` that DVC keeps no copy of.
        params: the keys it reads from each parameter file; none means the whole file.
        frozen: whether DVC is told not to run it for a change of what it reads.
    """

    name: str
    commands: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    uncached: frozenset[str]
    params: Mapping[str, tuple[str, ...]]
    frozen: bool


def read(root: Path) -> dict[str, Declared]:
    """Return the stages of `root`/dvc.yaml and of each studies/*/dvc.yaml by name.

    Raises:
        UserError: a file is missing or damaged, or has a form that is not understood.
    """
    found = (stage for place in studies.places(root) for stage in _stages(root, place))
    return {stage.name: stage for stage in found}


def _stages(root: Path, place: Place) -> Iterator[Declared]:
    path, params = root / place.definition, root / place.params
    content = documents.load(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("stages"), Mapping):
        raise UserError(f"{path} defines no stages. Restore it.")
    if "vars" in content:
        raise UserError(f"{path}: verify does not read `vars`. Move the values to {place.params}.")
    values = documents.load(params) if params.exists() else {}
    for group, body in content["stages"].items():
        where = f"{path}: {group}"
        unknown = sorted({*body, *body.get("do", {})} - KNOWN)
        if unknown:
            raise UserError(f"{where}: verify does not understand {', '.join(unknown)}.")
        for name, template, context in _instances(group, body, values or {}, where):
            stage = _declared(place.address(name), _resolve(template, context, where), where)
            _check_folder(body.get("do", body), place, where)
            yield stage


def _check_folder(body: Mapping[str, Any], place: Place, where: str) -> None:
    home = posixpath.dirname(place.definition)
    if posixpath.normpath(posixpath.join(home, body.get("wdir", "."))) != ".":
        cure = f"Write `wdir: {posixpath.relpath('.', home)}`" if home else "Remove `wdir`"
        raise UserError(
            f"{where}: verify reads only stages that work in the project's folder. {cure}."
        )


def _instances(
    group: str, body: Mapping[str, Any], values: Mapping[str, Any], where: str
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield (name, what is to be resolved, the values for it) of every stage in a group."""
    if "foreach" in body:
        items = _resolve(body["foreach"], values, where)
        pairs = items.items() if isinstance(items, Mapping) else ((item, item) for item in items)
        for index, (key, item) in enumerate(pairs):
            plain = not isinstance(key, Mapping | list)
            name = _text(key, where) if plain else str(index)
            yield f"{group}@{name}", body["do"], {**values, "key": key, "item": item}
    elif "matrix" in body:
        axes = _resolve(body["matrix"], values, where)
        template = {name: part for name, part in body.items() if name != "matrix"}
        for choice in itertools.product(*(list(enumerate(axis)) for axis in axes.values())):
            item = {axis: value for axis, (_, value) in zip(axes, choice, strict=True)}
            name = "-".join(
                f"{axis}{index}" if isinstance(value, Mapping | list) else _text(value, where)
                for axis, (index, value) in zip(axes, choice, strict=True)
            )
            yield f"{group}@{name}", template, {**values, "key": name, "item": item}
    else:
        yield group, body, values


def _resolve(node: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return `node` with every ${key} replaced; `meta` and `desc` do not matter here."""
    if isinstance(node, Mapping):
        return {
            _resolve(name, values, where): _resolve(part, values, where)
            for name, part in node.items()
            if name not in ("meta", "desc")
        }
    if isinstance(node, list):
        return [_resolve(part, values, where) for part in node]
    if not isinstance(node, str):
        return node
    whole = TEMPLATE.fullmatch(node)
    if whole:
        return _value(whole[1], values, where)
    return TEMPLATE.sub(lambda match: _text(_value(match[1], values, where), where), node)


def _value(key: str, values: Mapping[str, Any], where: str) -> Any:
    dotted = re.sub(r"\[(\w+)\]", r".\1", key)
    found = documents.select(values, dotted)
    if found is documents.ABSENT:
        raise UserError(f"{where}: ${{{key}}} is not in the {PARAMS} beside it. Add it.")
    return found


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise UserError(f"{where}: verify cannot put {value!r} into a text.")


def _declared(name: str, body: Mapping[str, Any], where: str) -> Declared:
    commands = body["cmd"] if isinstance(body["cmd"], list) else [body["cmd"]]
    outs: dict[str, bool] = {}
    for section in ("outs", "metrics", "plots"):
        for entry in body.get(section, []):
            [(path, options)] = entry.items() if isinstance(entry, Mapping) else [(entry, {})]
            outs[posixpath.normpath(path)] = (options or {}).get("cache", True)
    params: dict[str, tuple[str, ...]] = {}
    for entry in body.get("params", []):
        parts = entry if isinstance(entry, Mapping) else {PARAMS: [entry]}
        for file, keys in parts.items():
            file = posixpath.normpath(file)
            params[file] = (*params.get(file, ()), *(keys or ()))
    if not all(isinstance(path, str) for path in body.get("deps", [])):
        raise UserError(f"{where}: verify understands only paths under deps.")
    return Declared(
        name,
        tuple(" ".join(command.split()) for command in commands),
        tuple(posixpath.normpath(path) for path in body.get("deps", [])),
        tuple(outs),
        frozenset(path for path, cached in outs.items() if not cached),
        params,
        bool(body.get("frozen")),
    )
