"""Presets: the scales that a study runs at; `laptop` is whole, the others say what they change."""

from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from foreframe.artefacts import atomic
from foreframe.config import params, reading, replication
from foreframe.errors import UserError
from workflow import studies
from workflow.studies import Place

# The main study's presets; those of a further study are in a folder of its name below.
FOLDER = Path(__file__).parent / "presets"
BASE = "laptop"

# How the parameters of a further study are checked beside those of the main one.
SCHEMAS: Mapping[str, Callable[[Path, Path], object]] = MappingProxyType(
    {"replication": replication.load}
)


def check(main: Path, study: str) -> Path:
    """Check the parameters of a study, beside the main ones, and return its file.

    Raises:
        UserError: a parameter is wrong; the message names it.
    """
    if study == studies.MAIN:
        params.load(main)
        return main
    path = main.parent / Place(study).params
    SCHEMAS[study](path, main)
    return path


def checkable(main: Path) -> list[str]:
    """Return the studies beside the file of the main parameters that `check` knows."""
    known = {studies.MAIN, *SCHEMAS}
    return [place.name for place in studies.places(main.parent) if place.name in known]


def names(folder: Path = FOLDER) -> list[str]:
    """Return the names of the presets there are."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def values(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return all parameters of a preset as plain values.

    Raises:
        UserError: there is no preset of that name.
    """
    if name not in names(folder):
        known = ", ".join(names(folder))
        raise UserError(f"There is no preset {name}. Choose one of: {known}.")
    base = reading.load(folder / f"{BASE}.yaml")
    return base if name == BASE else reading.merged(base, reading.load(folder / f"{name}.yaml"))


def write_all(name: str, main: Path) -> dict[Path, list[str]]:
    """Write the parameters of every study that has presets; return each file's changes.

    Raises:
        UserError: there is no preset of that name.
    """
    places = [place for place in studies.places(main.parent) if names(FOLDER / place.name)]
    wanted = {place: values(name, FOLDER / place.name) for place in places}
    changes = {main: write(name, main)}
    for place, content in wanted.items():
        path = main.parent / place.params
        changes[path] = rewrite(path, content, FOLDER / place.name)
    return changes


def write(name: str, path: Path) -> list[str]:
    """Set every main parameter in `path` to the preset's value, keeping the file's comments.

    Returns one line for each parameter that changed. A file that does not exist, or is no YAML, is
    written anew.

    Raises:
        UserError: there is no preset of that name.
    """
    wanted = values(name)
    own = _document(path, FOLDER).get("protocols", {})
    # Protocols of the user's own stay: dvc.yaml runs them by name.
    wanted["protocols"] = {**_plain(own), **wanted["protocols"]}
    params.check(wanted, f"preset {name}")
    return rewrite(path, wanted)


def rewrite(path: Path, wanted: Mapping[str, Any], folder: Path = FOLDER) -> list[str]:
    """Set every parameter in a file to what is wanted, keeping comments; see `write`."""
    document = _document(path, folder)
    before = dict(_flat(document))
    _assign(document, wanted, _template(folder))
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


def _document(path: Path, folder: Path) -> Any:
    try:
        document = _yaml().load(path.read_text(encoding="utf-8")) if path.exists() else None
    except (YAMLError, UnicodeDecodeError):
        document = None
    if isinstance(document, Mapping):
        return document
    return _template(folder)


def _template(folder: Path) -> Any:
    return _yaml().load((folder / f"{BASE}.yaml").read_text(encoding="utf-8"))


def _assign(document: Any, wanted: Mapping[str, Any], template: Any) -> None:
    """Make a commented document equal to `wanted`, touching only what differs.

    Floats are written as in the template, where they are the same: 1.0e-4, not 0.0001.
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
            same = isinstance(value, float) and template.get(name) == value
            written = template[name] if same else value
            document[name] = _in_line(value) if isinstance(value, list) else written


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
