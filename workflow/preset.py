"""Presets: the scales that a study runs at; `laptop` is whole, the others say what they change."""

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from foreframe.artefacts import atomic
from foreframe.config import params, reading
from foreframe.errors import UserError

FOLDER = Path(__file__).parent / "presets"
BASE = "laptop"


def names() -> list[str]:
    """Return the names of the presets there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def values(name: str) -> dict[str, Any]:
    """Return all parameters of a preset as plain values.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in names():
        raise UserError(f"There is no preset {name}. Choose one of: {', '.join(names())}.")
    base = reading.load(FOLDER / f"{BASE}.yaml")
    return base if name == BASE else _merge(base, reading.load(FOLDER / f"{name}.yaml"))


def write(name: str, path: Path) -> list[str]:
    """Set every parameter in the file `path` to the preset's value, keeping the file's comments.

    Returns one line for each parameter that changed. A file that does not exist, or is no YAML, is
    written anew.

    Raises:
        UserError: there is no preset of that name.
    """
    wanted = values(name)
    own = _document(path).get("protocols", {})
    # Protocols of the user's own stay: dvc.yaml runs them by name.
    wanted["protocols"] = {**_plain(own), **wanted["protocols"]}
    params.check(wanted, f"preset {name}")
    return rewrite(path, wanted)


def rewrite(path: Path, wanted: Mapping[str, Any]) -> list[str]:
    """Set every parameter in a file to what is wanted, keeping comments; see `write`."""
    document = _document(path)
    before = dict(_flat(document))
    _assign(document, wanted)
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
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), _null)
    return yaml


def _null(representer: Any, _: None) -> Any:
    # ruamel writes nothing for null by default, which reads like a forgotten value.
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _document(path: Path) -> Any:
    template = FOLDER / f"{BASE}.yaml"
    try:
        document = _yaml().load(path.read_text(encoding="utf-8")) if path.exists() else None
    except (YAMLError, UnicodeDecodeError):
        document = None
    if isinstance(document, Mapping):
        return document
    return _yaml().load(template.read_text(encoding="utf-8"))


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = _merge(result[name], value) if both else value
    return result


def _assign(document: Any, wanted: Mapping[str, Any]) -> None:
    """Make a commented document equal to `wanted`, touching only what differs."""
    for name in [name for name in document if name not in wanted]:
        del document[name]
    for name, value in wanted.items():
        old = document.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            _assign(old, value)
        elif isinstance(value, Mapping):
            document[name] = CommentedMap()
            _assign(document[name], value)
        elif name not in document or old != value:
            document[name] = _in_line(value) if isinstance(value, list) else value


def _in_line(values: list[Any]) -> CommentedSeq:
    result = CommentedSeq(values)
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
