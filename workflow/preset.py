"""Presets: the scales that a study runs at; `laptop` is whole, the others say what they change."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from foreframe.artefacts import atomic
from foreframe.config import reading, study
from foreframe.config.study import Resolved
from foreframe.errors import UserError
from workflow import studies
from workflow.studies import Place

BASE = "laptop"


def names(folder: Path) -> list[str]:
    """Return the names of the presets in a study's folder of them."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def values(name: str, folder: Path) -> dict[str, Any]:
    """Return all parameters of a preset as plain values.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in names(folder):
        known = ", ".join(names(folder))
        raise UserError(f"{folder} has no preset {name}. Choose one of: {known}.")
    base = reading.load(folder / f"{BASE}.yaml")
    return base if name == BASE else changed(base, reading.load(folder / f"{name}.yaml"))


def resolved(name: str, root: Path, place: Place) -> Resolved:
    """Return a study at the scale of a preset; its base is at that of `base_scale`.

    Raises:
        UserError: there is no preset of that name, or a value of it is wrong.
    """
    own, main = values(name, root / place.presets), Place(studies.MAIN)
    base = values(base_scale(name, root), root / main.presets) if study.BASE in own else None
    return study.resolve(own, f"preset {name} of {place.name}", base)


def base_scale(name: str, root: Path) -> str:
    """Return the scale of the main study beside a study's preset: the same where it has that."""
    return name if name in names(root / Place(studies.MAIN).presets) else BASE


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `changes` in their places, mappings key by key.

    What becomes of another kind, such as a source, is given whole: kinds share no keys.
    """
    result = dict(base)
    for name, value in changes.items():
        there = result.get(name)
        if not (isinstance(value, Mapping) and isinstance(there, Mapping)):
            result[name] = value
        elif "kind" in value and value["kind"] != there.get("kind"):
            result[name] = dict(value)
        else:
            result[name] = changed(there, value)
    return result


def write(name: str, root: Path, only: str | None = None) -> dict[Path, list[str]]:
    """Set every parameter of the studies that have presets, or of one, keeping comments.

    Returns for each file one line for each parameter that changed. A file that does not exist, or
    is no YAML, is written anew.

    Raises:
        UserError: there is no such study or preset, or it does not fit what stands in a file.
    """
    every = studies.places(root) if only is None else (studies.named(root, only),)
    places = [place for place in every if only is not None or names(root / place.presets)]
    if not places:
        raise UserError("No study here has presets. Go to the folder of a project.")
    wanted = {root / place.params: _wanted(name, root, place) for place in places}
    for path, content in wanted.items():
        _check(name, path, content, wanted)
    return {
        root / place.params: rewrite(root / place.params, wanted[root / place.params], root, place)
        for place in places
    }


def _wanted(name: str, root: Path, place: Place) -> dict[str, Any]:
    content = values(name, root / place.presets)
    own = _document(root / place.params, root, place).get("protocols", {})
    # Protocols of the user's own stay: dvc.yaml runs them by name.
    protocols = {**_plain(own), **content.get("protocols", {})}
    return {**content, "protocols": protocols} if protocols else content


def _check(name: str, path: Path, content: Mapping[str, Any], wanted: Mapping[Path, Any]) -> None:
    base = None
    if study.BASE in content:
        coming = {each.resolve(): values for each, values in wanted.items()}
        other = (path.parent / content[study.BASE]).resolve()
        base = coming[other] if other in coming else reading.load(other)
    study.resolve(content, f"preset {name} of {path}", base)


def rewrite(path: Path, wanted: Mapping[str, Any], root: Path, place: Place) -> list[str]:
    """Set every parameter in a study's file to what is wanted, keeping comments; see `write`."""
    document = _document(path, root, place)
    before = dict(_flat(document))
    _assign(document, wanted, _template(root, place))
    text = StringIO()
    _yaml().dump(document, text)
    atomic.write_text(path, text.getvalue())
    return list(_changes(before, dict(_flat(wanted))))


def _plain(tree: Any) -> Any:
    """Return a commented document's values as plain ones."""
    if isinstance(tree, Mapping):
        return {str(name): _plain(value) for name, value in tree.items()}
    return [_plain(value) for value in tree] if isinstance(tree, list) else tree


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 1000  # lines break where a person broke them
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), _null)
    return yaml


def _null(representer: Any, _: None) -> Any:
    # ruamel writes nothing for null by default, which reads like a forgotten value.
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _document(path: Path, root: Path, place: Place) -> Any:
    try:
        document = _yaml().load(path.read_text(encoding="utf-8")) if path.exists() else None
    except (YAMLError, UnicodeDecodeError):
        document = None
    if isinstance(document, Mapping):
        return document
    return _template(root, place)


def _template(root: Path, place: Place) -> Any:
    path = root / place.presets / f"{BASE}.yaml"
    return _yaml().load(path.read_text(encoding="utf-8"))


def _assign(document: Any, wanted: Mapping[str, Any], template: Any) -> None:
    """Make a commented document equal to `wanted`, touching only what differs.

    What is the template's value is written as there: 1.0e-4, not 0.0001.
    """
    template = template if isinstance(template, Mapping) else {}
    for name in [name for name in document if name not in wanted]:
        del document[name]
    for name, value in wanted.items():
        old = document.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            _assign(old, value, template.get(name))
        elif isinstance(value, Mapping):
            document[name] = CommentedMap()
            _assign(document[name], value, template.get(name))
        elif name not in document or old != value:
            same = name in template and template[name] == value
            document[name] = deepcopy(template[name]) if same else _laid_out(value)


def _laid_out(value: Any) -> Any:
    """Return a value as it is written: a list of mappings by rows, any other list in one."""
    if not isinstance(value, list):
        return value
    result = CommentedSeq(value)
    if any(isinstance(each, Mapping) for each in value):
        for place, each in enumerate(value):
            result[place] = CommentedMap(each)
            result[place].fa.set_flow_style()
    else:
        result.fa.set_flow_style()
    return result


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name}: {before[name]} removed"
        elif name not in before:
            yield f"{name}: {after[name]} added"
        elif before[name] != after[name]:
            yield f"{name}: {before[name]} -> {after[name]}"
