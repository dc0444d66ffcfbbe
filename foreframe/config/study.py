"""A study's parameters: one schema for all studies; every section checked, then how they fit.

A study names its data, models and protocols. An entry is written out whole, or says which other
one it is `like` and what it `changes`, so it follows that one to any preset. A study with a `base`
takes over the single sections that it does not write itself, and may be like the base's entries.
A stage reads its own sections and never this module, which knows them all.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foreframe.config import explaining, reading
from foreframe.config.base import Folder
from foreframe.config.contradictions import contradictions
from foreframe.config.sections import LENT, NAMED, OPTIONAL, Study, entry, single
from foreframe.config.variants import Raw, written_out
from foreframe.errors import UserError

BASE = "base"  # the parameters that a study builds on, seen from its own file


class LeftOutError(UserError):
    """A study that the data of its base do not allow: nothing is wrong, but it cannot run."""


@dataclass(frozen=True)
class Resolved:
    """A study that was checked.

    Attributes:
        study: its sections and those that it takes over, with the entries of the base.
        sections: the same as plain values, every entry written out.
        like: the entry that a variant is like, by section and name.
        files: what was read: its own file and that of its base.
    """

    study: Study
    sections: Mapping[str, Any]
    like: Mapping[str, Mapping[str, str]]
    files: tuple[Path, ...] = ()


def load(path: Path) -> Resolved:
    """Read and check a study's whole params.yaml, and the base's.

    Raises:
        UserError: every section's mistakes, or those between sections, a line each; a base is
            missing, or has one itself.
        LeftOutError: the study cannot run on the data of its base.
    """
    content = reading.load(path)
    if BASE not in content:
        return replace(resolve(content, str(path)), files=(path,))
    named = reading.validate(Folder, content[BASE], f"{path}: {BASE}")
    other = Path(os.path.normpath(path.parent / named))
    base = reading.load(other)
    if BASE in base:
        raise UserError(f"{path}: {BASE} is {other}, which has a {BASE} itself. Name that one.")
    resolve(base, str(other))
    return replace(resolve(content, str(path), base), files=(path, other))


def load_plain(path: Path) -> Study:
    """Read and check a params.yaml whose values stages read as they stand.

    Raises:
        UserError: as `load`, or an entry is like another one.
    """
    found = load(path)
    for section, variants in found.like.items():
        raise UserError(
            f"{path}: {section}.{next(iter(variants))} is like another entry, but the stages read "
            "this file as it stands. Write the entry out, or put it into a study of its own."
        )
    return found.study


def check(content: Raw, where: str) -> Study:
    """Check the parameters of a study without a base, read from `where`; see `load`."""
    return resolve(content, where).study


def resolve(content: Raw, where: str, base: Raw | None = None) -> Resolved:
    """Check a study's parameters and write every entry out; `base` is right by itself.

    Raises:
        UserError: as `load`.
    """
    taken = base or {}
    _raise(list(_top_level(content, where, taken)))
    _check_sources(content.get("sources"), taken, where)
    sections: dict[str, Any] = {}
    like: dict[str, dict[str, str]] = {}
    values: dict[str, Any] = dict.fromkeys(OPTIONAL)
    mistakes = []
    for name in Study.model_fields:
        place = f"{where}: {name}"
        try:
            if name in NAMED:
                theirs = taken.get(name, {})
                own, like[name] = written_out(content.get(name, {}), theirs, place)
                sections[name] = every = {**theirs, **own}
                values[name] = {key: entry(name, every[key], f"{place}.{key}") for key in every}
            elif name in content or name in LENT:
                sections[name] = content[name] if name in content else taken[name]
                values[name] = single(name, sections[name], place)
        except UserError as error:
            mistakes.append(str(error))
    _raise(mistakes)
    study = Study.model_construct(**values)
    _raise([f"{where}: {text}" for text in contradictions(study, taken)])
    return Resolved(study, sections, {name: each for name, each in like.items() if each})


def _check_sources(sources: Any, base: Raw, where: str) -> None:
    """Refuse a study that the data of its base leave out, before it is looked at."""
    if not isinstance(sources, list):
        return
    found = {name: entry["source"]["kind"] for name, entry in base.get("data", {}).items()}
    other = [name for name, kind in found.items() if kind not in sources]
    if other:
        raise LeftOutError(
            f"{where} is left out: it can run on {', '.join(map(str, sources))}, and the source of "
            f"data.{other[0]} is {found[other[0]]}."
        )


def _top_level(content: Raw, where: str, base: Raw) -> Iterator[str]:
    known = list(Study.model_fields)
    for name in content:
        if name not in (*known, BASE):
            key = explaining.shown(str(name))
            yield f"{where}: {key} is no parameter. Remove it; allowed: {', '.join(known)}."
    for name in (*LENT, "report"):
        if name not in content and (name not in base or name not in LENT):
            yield f"{where}: the parameter {name} is missing. Add it."


def _raise(mistakes: list[str]) -> None:
    if mistakes:
        raise UserError("\n".join(mistakes))
