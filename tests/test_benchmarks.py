"""Benchmarks are run by hand; here they are only read, and given their sizes, to stay in step."""

import importlib
import pkgutil

import pytest

import benchmarks
from benchmarks import sizes


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(benchmarks.__path__)])
def test_a_benchmark_can_be_read(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def test_sizes_are_those_of_the_presets_and_multiples() -> None:
    grids = {level: prior.grid for level, prior in sizes.parse("smoke*2").priors().items()}
    assert grids == {"top": (4, 8, 8), "bottom": (8, 16, 16)}
