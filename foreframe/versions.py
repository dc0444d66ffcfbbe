"""Code versions: a module's digest covers its syntax and that of every project module it imports.

Comments, docstrings and layout are left out, so rewording them makes nothing stale, and so are the
modules in `NEUTRAL`; a change to one prior's file changes the versions of what imports it, and of
nothing else.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("foreframe", "stages")
METRICS = "foreframe.metrics"
# Modules that can touch no byte of an artefact: what they say and note is for people. Nearly every
# stage imports them, and rewording a message must not train everything anew. A test rewords them.
NEUTRAL = frozenset(
    {
        "foreframe.artefacts.log",
        "foreframe.config.explaining",
        "foreframe.errors",
        "foreframe.running.spending",
    }
)


def code_digest(*modules: str) -> str:
    """Return one digest of the running code of `modules`, e.g. `stages.split`, for checkpoints."""
    own = _own_modules()
    return _combine({name: _version(name, own) for name in modules})


def all_versions(folders: Iterable[Path]) -> dict[str, str]:
    """Return {module name: digest} for every module in the package folders given."""
    own = read_modules(folders)
    return {name: _version(name, own) for name in sorted(own)}


def nested(versions: Mapping[str, str]) -> dict[str, Any]:
    """Turn dotted names into nested mappings, so that DVC can address each one as a parameter.

    A package's own version stands under `__init__`: {"a": {"__init__": ..., "b": ...}}.
    """
    packages = {name.rpartition(".")[0] for name in versions} - {""}
    result: dict[str, Any] = {}
    for name in sorted(versions):
        *parents, leaf = [*name.split("."), "__init__"] if name in packages else name.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = versions[name]
    return result


def of_study(versions: Mapping[str, str], protocols: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study's stages depend on: every module, and what each protocol measures.

    `protocols` are sections of params.yaml. A metric that no protocol names makes nothing stale.
    """
    measured = {
        name: {metric: versions[f"{METRICS}.{metric}"] for metric in section["measures"]["metrics"]}
        for name, section in protocols.items()
    }
    return {**nested(versions), "protocols": measured}


def read_modules(folders: Iterable[Path]) -> dict[str, str]:
    """Return the text of every module below the package folders by its dotted name."""
    texts = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder.parent).with_suffix("")
            parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
            texts[".".join(parts)] = path.read_text(encoding="utf-8")
    return texts


@cache
def _own_modules() -> dict[str, str]:
    return read_modules(ROOT / package for package in PACKAGES)


def _version(name: str, texts: Mapping[str, str]) -> str:
    modules = closure(name, texts) - NEUTRAL
    return _combine({module: _parsed(texts[module]).digest for module in modules})


def closure(name: str, texts: Mapping[str, str]) -> set[str]:
    """Return `name` and all project modules that importing it loads."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        waiting.extend(name for name in _parsed(texts[module]).imports if name in texts)
        # Importing a.b.c runs a and a.b first.
        waiting.extend(parent for parent in _parents(module) if parent in texts)
    return seen


def _parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


class _Module(NamedTuple):
    """What a version takes from a module's text: what it imports, and the digest of its syntax."""

    imports: tuple[str, ...]
    digest: str


# A module stands in many closures, and most of them are as they were when versions are asked for
# again: parsing, which takes longest, is done once for each text, and for those that are needed.
@cache
def _parsed(text: str) -> _Module:
    tree = ast.parse(text)
    return _Module(_imports(tree), _syntax_digest(tree))


def _imports(tree: ast.Module) -> tuple[str, ...]:
    """Return all names that may be modules, of this project or not, that a module imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, "relative imports are not followed; use absolute ones"
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _syntax_digest(tree: ast.Module) -> str:
    return hashlib.md5(repr(_plain(tree)).encode(), usedforsecurity=False).hexdigest()


def _plain(node: object) -> object:
    """Return a syntax tree as nested tuples, without docstrings, positions or empty fields.

    ast.dump would differ between Python versions, which add fields and print them differently.
    """
    if isinstance(node, ast.AST):
        fields = ((name, _plain(getattr(node, name, None))) for name in node._fields)
        kept = [(name, value) for name, value in fields if value not in (None, (), "")]
        return (type(node).__name__, *kept)
    if isinstance(node, list):
        return tuple(_plain(child) for child in node if not _is_docstring(child))
    return None if node is None else repr(node)


def _is_docstring(node: object) -> bool:
    # A string on a line of its own never does anything, wherever it stands.
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _combine(digests: Mapping[str, str]) -> str:
    lines = "\n".join(f"{name} {digests[name]}" for name in sorted(digests))
    return hashlib.md5(lines.encode(), usedforsecurity=False).hexdigest()
