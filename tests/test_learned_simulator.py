"""The learned simulator's study, run whole at the scale of smoke."""

import re

import pytest

from tests import smoke
from workflow import dag

pytestmark = pytest.mark.slow

TITLES = (
    "Codes given the recorded and given another clip",
    "Futures steered left, straight and right",
    "Futures without and with the recorded actions",
    "Plain and varied training data",
)


@pytest.fixture(scope="module")
def simulated(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """A copy of the smoke study in which that of the learned simulator has run as well."""
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("simulated") / "project")
    clone.run("snakemake", "--cores", "2", "learned_simulator")
    return clone


def test_every_stage_has_run(simulated: smoke.Clone) -> None:
    stages = [stage for stage in dag.read(simulated.folder) if stage.study == "learned_simulator"]
    assert stages and not any(stage.due for stage in stages)


def test_the_report_has_its_tables(simulated: smoke.Clone) -> None:
    path = simulated.folder / "reports/learned_simulator/report.html"
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8")))
    for title in TITLES:
        assert title in words
