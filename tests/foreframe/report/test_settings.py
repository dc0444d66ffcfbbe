"""What the settings of a report's studies say of them as a whole."""

from typing import Any

import pytest

from foreframe.config.report import Report
from foreframe.errors import UserError
from foreframe.report.settings import Settings


def sampling(*choices: str, **means: str) -> dict[str, Any]:
    return {
        "show": 1,
        "choices": {name: {} for name in choices},
        "means": {name: {"of": of, "futures": 2} for name, of in means.items()},
    }


def test_rows_are_those_of_every_sampling_each_once() -> None:
    files = {
        "base.yaml": {"sampling": sampling("argmax", "sampled", averaged="sampled")},
        "study.yaml": {
            "samplings": {
                "flows": sampling("cool", "sampled"),
                "cooler": {"like": "flows", "changes": {"choices": {}}},
            }
        },
    }
    found = Settings(files, {}, {}, Report(title=None, author="A", protocol=None)).drawn
    assert found == ["argmax", "sampled", "averaged", "cool"]
    assert Settings({}, {}, {}, Report(title=None, author="A", protocol=None)).drawn == []


def test_a_key_is_that_of_the_first_file_that_has_it_whole() -> None:
    base = {"data": {"driving": {"source": {"kind": "car_racing"}}}, "seed": 0}
    own = {"data": {"holes": {"source": {"hole": 16}}}, "seed": 1}
    found = Settings(
        {"base": base, "own": own}, {}, {}, Report(title=None, author="A", protocol=None)
    )
    assert found.section("data.holes.source.hole") == 16
    assert (found.section("seed"), found.section("data")) == (0, base["data"])
    with pytest.raises(UserError, match=r"no file of settings has data\.holes\.source\.side"):
        found.section("data.holes.source.side")
