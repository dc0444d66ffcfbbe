"""What is wrong with a parameter, in words: the key, the mistake, and the cure."""

import difflib
import json
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def words(error: ValidationError, annotation: Any, where: str) -> str:
    """Return what is wrong with a value of `annotation`, a line for each mistake.

    `where` names the place of the whole in messages, e.g. `params.yaml: split`.
    """
    return "\n".join(_explain_one(detail, annotation, where) for detail in error.errors())


def not_there(path: Path) -> str:
    """Return what is said of a file of parameters that does not exist, and its cure."""
    if path.suffix == ".json":
        return f"{path} does not exist. A stage writes it: `dvc repro` runs those that are needed."
    return f"{path} does not exist. `foreframe preset laptop` writes a fresh one."


def shown(key: str) -> str:
    """Return a user's key as one line shows it: one that holds control characters is escaped."""
    return key if key.isprintable() else ascii(key)


def _explain_one(detail: Any, annotation: Any, where: str) -> str:
    place = ".".join([where, *(shown(str(part)) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return f"{place} is no parameter. {_suggest(detail['loc'], annotation)}"
    if detail["type"] == "missing":
        return f"{place} is missing. Add it."
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":
        return f"{place}: {message}"
    return f"{place}: {message} (it is {json.dumps(detail['input'])})."


def _suggest(location: tuple[Any, ...], annotation: Any) -> str:
    model = _model_at(annotation, location[:-1])
    names = sorted(model.model_fields) if model is not None else []
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Remove it; allowed here: {', '.join(names)}."


def _model_at(annotation: Any, location: tuple[Any, ...]) -> type[BaseModel] | None:
    annotation = _present(annotation)
    for part in location:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            annotation = annotation.model_fields[part].annotation
        elif get_args(annotation):
            # A mapping's or a list's elements: the last type argument.
            annotation = get_args(annotation)[-1]
        annotation = _present(annotation)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None


def _present(annotation: Any) -> Any:
    """Return of what may be null what it is if it is not."""
    kinds = [each for each in get_args(annotation) if each is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) and len(kinds) == 1 else annotation
