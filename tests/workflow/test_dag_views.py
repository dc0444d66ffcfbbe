"""Snakemake's own report, and equal locks whatever the engine and the number of cores."""

import re
from pathlib import Path

import pytest

from tests import smoke
from tests.workflow import engines, tiny


def test_equal_locks_whatever_the_engine_and_the_cores(tmp_path: Path) -> None:
    folders = {name: tiny.make(tmp_path / name) for name in ("dvc", "1", "4")}
    engines.repro(folders["dvc"])
    for cores in ("1", "4"):
        tiny.run(folders[cores], "snakemake", "--cores", cores)
    locks = [tiny.lock(folder) for folder in folders.values()]
    assert locks[0] == locks[1] == locks[2]
    assert locks[0].keys() == tiny.STAGES


@pytest.mark.slow
@pytest.mark.parametrize("cores", ["1", "4"])
def test_the_study_is_the_same_whatever_the_cores(
    cores: str, by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    clone = smoke.clone(tmp_path / "study")
    clone.run("snakemake", "--cores", cores)
    assert tiny.lock(clone.folder) == tiny.lock(by_dvc.folder)
    for name in ("report.pdf", "report.html", "data.html"):
        path = f"reports/driving/{name}"
        assert (clone.folder / path).read_bytes() == (by_dvc.folder / path).read_bytes()


def test_snakemakes_report_is_one_file_and_shows_the_study(
    by_snakemake: smoke.Clone, tmp_path: Path
) -> None:
    path = tmp_path / "snakemake.html"
    by_snakemake.run("snakemake", "--report", str(path))
    text = path.read_text()
    for name in ("report.pdf", "report.html", "data.html"):
        assert f"reports/driving/{name}" in text
    assert '"train_prior_top"' in text
    # Links for people aside, everything it needs is inside.
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text) == []
