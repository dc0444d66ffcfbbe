"""The section `search` of a study: which autoencoder settings are drawn, and how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeGuard

from pydantic import Field, model_validator

from foreframe.config.base import Strict

Value = bool | int | float | str


@dataclass(frozen=True)
class Choices:
    """One of some values, each as likely."""

    choices: tuple[Value, ...]


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both among them, each as likely."""

    low: int
    high: int


@dataclass(frozen=True)
class Real:
    """A number between two, uniform, or uniform in its logarithm."""

    low: float
    high: float
    log: bool


Range = Choices | Whole | Real


class Search(Strict):
    """A random search (Bergstra and Bengio 2012): every trial draws all values of `space` anew."""

    trials: Annotated[int, Field(ge=1)]
    train_every: Annotated[int, Field(ge=1)]  # each so-many-th training clip is learned from
    changes: dict[str, Any]  # other values of the autoencoder's section that all trials have
    space: dict[str, Any]  # nested like that section: [choices], {low, high}, or {low, high, log}

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        ranges = self.ranges()
        if not ranges:
            raise ValueError("space is empty. Name at least one setting to search over.")
        if both := sorted(set(ranges) & {name for name, _ in _leaves(self.changes)}):
            raise ValueError(
                f"{', '.join(both)}: in `space` and in `changes`. Remove it from one of the two."
            )
        return self

    def ranges(self) -> dict[str, Range]:
        """Return what each searched setting is drawn from, by its dotted name."""
        return {name: _range(name, raw) for name, raw in _leaves(self.space)}


def nested(values: Mapping[str, Value]) -> dict[str, Any]:
    """Turn dotted names into nested mappings: {"a.b": 1} is {"a": {"b": 1}}."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return result


def _leaves(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, Mapping) and not set(value) & {"low", "high", "log"}:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _range(name: str, raw: Any) -> Range:
    if isinstance(raw, list) and raw and all(isinstance(value, Value) for value in raw):
        if len(set(raw)) < len(raw):
            raise ValueError(f"space.{name} names a choice twice: {raw}. Remove one of them.")
        return Choices(tuple(raw))
    if not isinstance(raw, Mapping) or not set(raw) <= {"low", "high", "log"} or len(raw) < 2:
        raise ValueError(_what_fits(name, raw))
    low, high, log = raw.get("low"), raw.get("high"), raw.get("log")
    if not _is_number(low) or not _is_number(high) or low > high:
        raise ValueError(_what_fits(name, raw))
    if "log" not in raw and isinstance(low, int) and isinstance(high, int):
        return Whole(low, high)
    if not isinstance(log, bool) or (log and low <= 0):
        raise ValueError(_what_fits(name, raw))
    return Real(float(low), float(high), log)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _what_fits(name: str, raw: Any) -> str:
    return (
        f"space.{name} is {raw}. Write a list of choices; {{low: 2, high: 12}} for a whole number "
        "of a range; or {low: 1.0e-5, high: 1.0e-2, log: true} for another number, where log (only "
        "above 0) makes every order of magnitude as likely."
    )
