"""What the Typst source is told of where runs were computed."""

from pathlib import Path
from typing import Any

from foreframe.artefacts import facts
from foreframe.report import desk, document
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from tests import report_artefacts


def environments(folder: Path) -> Any:
    files = [*folder.glob("*.json"), *folder.glob("*.csv")]
    wanted = [path for path in files if path.stem.startswith(("vqvae", "evaluation"))]
    return document._environments(Reader(Library(wanted)))


def test_runs_on_the_same_machine_share_a_column(tmp_path: Path) -> None:
    folder = tmp_path / "data/driving"
    report_artefacts.make(folder)
    found = environments(folder)
    assert found["columns"] == ["every run"]
    assert {len(row) for row in found["rows"]} == {2}


def test_a_run_on_another_machine_has_a_column_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "data/driving"
    report_artefacts.make(folder)
    record = facts.read(folder / "vqvae.json", "training")
    record["environment"]["threads"] = 64
    other = tmp_path / "data/driving/priors/other.json"
    other.parent.mkdir(exist_ok=True)
    facts.write(other, "training", record)
    found = document._environments(Reader(Library([folder / "vqvae.json", other])))
    assert found["columns"] == ["vqvae", "other"] or found["columns"] == ["other", "vqvae"]
    (threads,) = [row for row in found["rows"] if row[0] == "threads"]
    assert "64" in threads and len(set(threads[1:])) == 2


def test_what_other_programs_predicted_stands_between_the_choices_and_the_bound() -> None:
    names = ["mine", "reconstruction", "sampled", "copy_last_frame", "another"]
    assert desk.others(names, ["sampled"]) == ["another", "mine"]
    expected = ["copy_last_frame", "sampled", "another", "mine", "reconstruction"]
    assert desk.ordered(names, ["sampled"]) == expected
