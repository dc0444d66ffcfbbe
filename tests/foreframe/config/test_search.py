"""What may be searched over, and the messages for what may not."""

from typing import Any

import pytest

from foreframe.config import reading
from foreframe.config.search import Choices, Real, Search, Whole, nested
from foreframe.errors import UserError

VALUES: dict[str, Any] = {
    "trials": 3,
    "train_every": 1,
    "changes": {"training": {"epochs": 2}},
    "space": {
        "width": [64, 128, 256],
        "residual_layers": {"low": 2, "high": 12},
        "training": {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}},
    },
}


def search(**changes: Any) -> Search:
    result: Search = reading.validate(Search, {**VALUES, **changes}, "params.yaml: search")
    return result


def test_ranges_are_named_as_the_settings_they_are_for() -> None:
    assert search().ranges() == {
        "width": Choices((64, 128, 256)),
        "residual_layers": Whole(2, 12),
        "training.learning_rate": Real(1e-5, 1e-2, log=True),
    }


def test_dotted_names_and_nested_sections_are_the_same() -> None:
    values: dict[str, Any] = {"a": 1, "b.c": 2.5, "b.d.e": "x"}
    assert nested(values) == {"a": 1, "b": {"c": 2.5, "d": {"e": "x"}}}


@pytest.mark.parametrize(
    "raw",
    [
        [],
        3,
        "wide",
        [[1], [2]],
        {"low": 2},
        {"low": 3, "high": 2},
        {"low": 1.5, "high": 2},
        {"low": 0, "high": 1, "log": True},
        {"low": 1, "high": 2, "log": "yes"},
        {"low": 1, "high": 2, "log": None},
        {"low": True, "high": 2},
        {"low": 1, "high": 2, "step": 1},
    ],
)
def test_what_cannot_be_drawn_from_is_named_with_what_can(raw: Any) -> None:
    with pytest.raises(UserError, match=r"search: space\.width is .*list of choices"):
        search(space={"width": raw})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {}}, "space is empty"),
        ({"space": {"training": {}}}, "space is empty"),
        ({"space": {"width": [1, 1]}}, "twice"),
        ({"space": {"training": {"epochs": [1, 2]}}}, r"training\.epochs: in `space` and"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"train_every": 0}, "greater than or equal to 1"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        search(**changes)
