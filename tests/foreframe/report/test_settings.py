"""What the settings of a report's studies say of them as a whole."""

from typing import Any

from foreframe.config.report import Report
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
