"""Kinds are files: `kind: pixel_snail` is `foreframe/priors/pixel_snail.py`, found by its name.

There is no table of kinds to keep, and nothing ties one kind's code version to another's.
"""

import importlib
import importlib.util
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from foreframe.errors import UserError


@dataclass(frozen=True)
class Kind:
    """Marks a stage's parameter whose schema is the `Settings` of a kind's file in `package`."""

    package: str


def available(package: str) -> list[str]:
    """Return the sorted names of the kinds in a package, e.g. `foreframe.priors`.

    A module is a kind when its file defines a class `Settings`, or a function `metric` for what has
    nothing to be set; its neighbours are helpers.
    """
    found = importlib.util.find_spec(package)
    assert found is not None and found.submodule_search_locations is not None
    modules = pkgutil.iter_modules(found.submodule_search_locations)
    return sorted(module.name for module in modules if _is_kind(f"{package}.{module.name}"))


def find(package: str, kind: object) -> ModuleType:
    """Import the module of a kind.

    Raises:
        UserError: there is no such kind; the message lists those there are.
    """
    names = available(package)
    if not isinstance(kind, str) or not re.fullmatch(r"[a-z0-9_]+", kind) or kind not in names:
        # A number of thousands of digits has no words.
        shown = repr(kind) if isinstance(kind, str) else f"a value of type {type(kind).__name__}"
        raise UserError(f"kind: {shown} is unknown. {package} has: {', '.join(names)}.")
    return importlib.import_module(f"{package}.{kind}")


def _is_kind(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return False
    # Read, not imported: looking for one kind must not load the libraries of all others.
    text = Path(spec.origin).read_text(encoding="utf-8")
    return re.search(r"^(class Settings|def metric)\b", text, re.MULTILINE) is not None
