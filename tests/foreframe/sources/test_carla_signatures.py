"""The client in miniature is as the real one: checked against its recorded interface."""

import json
import re

import pytest

from tests.foreframe.sources.carla_signatures import SIGNATURES, VALUES, real, used

RECORDED: dict[str, list[list[str]]] = json.loads(SIGNATURES.read_text(encoding="utf-8"))


def fits(ours: list[str], theirs: list[str]) -> bool:
    """Tell whether our names are theirs, in order; parameters without a name fit any."""
    pairs = zip(ours, theirs, strict=False)
    return len(ours) <= len(theirs) and all(
        one == other or re.fullmatch(r"arg\d+", other) for one, other in pairs
    )


@pytest.mark.parametrize("name", used())
def test_the_double_takes_what_the_real_client_takes(name: str) -> None:
    assert any(fits(used()[name], form) for form in RECORDED[name])


def test_the_recorded_interface_is_that_of_the_installed_package() -> None:
    """After an update: python -m tests.foreframe.sources.carla_signatures."""
    library = pytest.importorskip("carla", reason="needs CARLA's client: pip install carla")
    assert real(library) == RECORDED
    for kind, names in VALUES.items():
        assert all(hasattr(getattr(library, kind), name) for name in names), kind
    presets = library.WeatherParameters
    assert isinstance(vars(presets)["ClearNoon"], presets)
