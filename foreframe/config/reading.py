"""Reading params.yaml: a section at a time, with errors that name the key and the cure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from foreframe import kinds
from foreframe.config import explaining
from foreframe.errors import UserError


def load(path: Path) -> dict[str, Any]:
    """Read a YAML file (YAML 1.2, plain data only).

    Raises:
        UserError: the file is missing, no YAML, or not a mapping of names to values.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(explaining.not_there(path)) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no parameters. `foreframe preset laptop` writes them.")
    return content


def select(content: Mapping[str, Any], key: str, where: Path) -> Any:
    """Return the value under a dotted key such as `priors.top`.

    Raises:
        UserError: the key is not there.
    """
    value: Any = content
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise UserError(f"{where}: the parameter {key} is missing. Add it.")
        value = value[part]
    return value


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `changes` in their places; mappings merge key by key."""
    result = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def validate(annotation: Any, raw: Any, where: str) -> Any:
    """Return `raw` as a value of `annotation`, a type or `Annotated[Base, Kind(package)]`.

    `where` names the place in messages, e.g. `params.yaml: split`.

    Raises:
        UserError: a key is unknown or missing, or a value has the wrong type or range.
    """
    kind = kind_of(annotation)
    if kind is not None:
        return validate(settings_of(kind.package, raw, where), raw, where)
    try:
        # In JSON mode strict types still take a list for a tuple, which is all YAML can write.
        return TypeAdapter(annotation).validate_json(json.dumps(raw))
    except ValidationError as error:
        raise UserError(explaining.words(error, annotation, where)) from None
    # A date, a number of thousands of digits, a value that holds itself.
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}. Use plain YAML values.") from None


def kind_of(annotation: Any) -> kinds.Kind | None:
    """Return the `Kind` that an annotation carries, if it does."""
    if get_origin(annotation) is not Annotated:
        return None
    return next((mark for mark in get_args(annotation) if isinstance(mark, kinds.Kind)), None)


def settings_of(package: str, raw: Any, where: str) -> type[BaseModel]:
    """Return the schema of the kind that `raw` names.

    Raises:
        UserError: `raw` has no `kind`, or no kind of that name is there.
    """
    if not isinstance(raw, Mapping) or "kind" not in raw:
        known = ", ".join(kinds.available(package))
        raise UserError(f"{where}.kind is missing. Choose one of: {known}.")
    try:
        settings: type[BaseModel] = kinds.find(package, raw["kind"]).Settings
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    return settings
