"""Results that stand side by side: a quantity that is declared once, and its numbers by group."""

from collections.abc import Collection, Mapping
from typing import Literal

import numpy

from foreframe.report.desk import Desk
from foreframe.report.results import Number

GROUP = "{group}"  # in a declared quantity: what its groups have in its place
Unit = Literal["", "bits", "share", "percent"]  # bits of nats, share of the sum of all groups


def by_group(of: str, groups: Collection[str], unit: Unit, desk: Desk) -> dict[str, Number]:
    """Return the numbers of `of`, `run / quantity / where`, by group, in a unit.

    Without groups those are the places, from 1 on, for which there is a result; or, where `of` has
    no `{group}`, those of a list, from 0 on.

    Raises:
        UserError: there is no such result.
    """
    if groups:
        found = {group: desk.number(*_address(of, group)) for group in groups}
    elif GROUP in of:
        found, place = {"1": desk.number(*_address(of, "1"))}, 2
        while (each := desk.maybe(*_address(of, str(place)))) is not None:
            found[str(place)], place = each, place + 1
    else:
        whole = desk.number(*_address(of, ""))
        found = {
            str(place): Number(value, None, None, whole.artefact)
            for place, value in enumerate(whole.value)
        }
    factor = _factor(found, unit)
    return {group: _scaled(each, factor) for group, each in found.items()}


def _address(of: str, group: str) -> tuple[str, str, str]:
    run, quantity, *where = (part.strip() for part in of.replace(GROUP, group).split(" / "))
    return run, quantity, where[0] if where else ""


def _factor(found: Mapping[str, Number], unit: Unit) -> float:
    if unit == "bits":
        return float(1 / numpy.log(2.0))
    if unit == "share":
        return float(1 / sum(each.value for each in found.values()))
    return 1.0


def _scaled(number: Number, factor: float) -> Number:
    value, low, high = (
        None if each is None else factor * each for each in (number.value, number.low, number.high)
    )
    return Number(value, low, high, number.artefact)
