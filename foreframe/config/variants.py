"""Entries of a section that are like another one, with some values changed."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from foreframe.config import explaining, reading
from foreframe.config.base import Strict
from foreframe.errors import UserError

NAME = r"[a-z][a-z0-9_]*"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Raw = Mapping[str, Any]


class Variant(Strict):
    """An entry like another one, with some values changed, nested as in the entry."""

    like: str
    changes: dict[str, Any]


def written_out(
    own: Any, base: Raw, where: str
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return a section's own entries as wholes, and the entry that each variant is like.

    Raises:
        UserError: one is like none of the section and of the base's, like itself, or called as one
            of the base's; the message names it.
    """
    entries = _named(own, where)
    if twice := sorted(entries.keys() & base.keys()):
        raise UserError(f"{where}.{twice[0]}: the base has an entry of this name. Rename it.")
    like = {name: _variant(entries[name], f"{where}.{name}") for name in entries}
    result: dict[str, dict[str, Any]] = {}

    def whole(name: str, seen: tuple[str, ...]) -> Any:
        if name in base:
            return base[name]
        variant = like[name]
        if variant is None:
            return entries[name]
        place = f"{where}.{name}.like"
        if variant.like in (*seen, name):
            raise UserError(f"{place} is {variant.like}, which is like this one. Write one out.")
        if variant.like not in {**base, **entries}:
            known = ", ".join(key for key in (*base, *entries) if key != name)
            raise UserError(f"{place} is {variant.like}; choose one of: {known}.")
        return reading.merged(whole(variant.like, (*seen, name)), variant.changes)

    for name in entries:
        result[name] = whole(name, ())
    return result, {name: variant.like for name, variant in like.items() if variant}


def _named(own: Any, where: str) -> dict[str, dict[str, Any]]:
    # What is wrong inside an entry is named when that is looked at, by its own place.
    if not isinstance(own, dict):
        raise UserError(f"{where} must hold entries, each as NAME: {{...}}.")
    for name, entry in own.items():
        if not isinstance(name, str) or not re.fullmatch(NAME, name):
            raise UserError(
                f"{where}.{explaining.shown(str(name))} is no name: it begins with a small "
                "letter, and has small letters, digits and _."
            )
        if not isinstance(entry, dict):
            raise UserError(f"{where}.{name} must hold settings, each as KEY: VALUE.")
    return own


def _variant(entry: Raw, where: str) -> Variant | None:
    found: Variant | None = reading.validate(Variant, entry, where) if "like" in entry else None
    return found
