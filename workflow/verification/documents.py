"""The study's YAML and JSON files as plain data, with errors that name the file and the cure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from foreframe.errors import UserError


class _Absent:
    """The type of ABSENT."""

    def __repr__(self) -> str:
        return "nothing"


# What a key that is not there holds; None is a value like others.
ABSENT = _Absent()


def load(path: Path) -> Any:
    """Read a YAML file, or one named *.json, as plain data.

    Raises:
        UserError: the file is missing, unreadable, or not of its format.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        return YAML(typ="safe").load(text)
    except FileNotFoundError:
        raise UserError(f"{path.name} does not exist in {path.parent.resolve()}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (YAMLError, ValueError) as error:
        raise UserError(
            f"{path} is damaged: {error}\nRestore it, for example by: git checkout -- {path}"
        ) from None


def select(content: Any, key: str) -> Any:
    """Return what stands under a dotted key such as `priors.top`, or ABSENT."""
    for part in key.split("."):
        if isinstance(content, list) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        elif isinstance(content, Mapping) and part in content:
            content = content[part]
        else:
            return ABSENT
    return content
