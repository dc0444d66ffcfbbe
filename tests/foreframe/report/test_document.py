"""What the Typst source is told of where runs were computed."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from foreframe.artefacts import facts
from foreframe.models import layers
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


def test_what_makes_a_weight_stands_in_the_row_of_its_layer() -> None:
    plain = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Linear(6, 5))
    normed = nn.Sequential(weight_norm(nn.Conv2d(2, 4, 3)), nn.ReLU(), nn.Linear(6, 5))
    for network, count in ((plain, 4 * 18 + 4), (normed, 4 * 18 + 4 + 4)):
        rows = document.folded(
            layers.table(network, lambda model: model(torch.zeros(1, 2, 8, 8, device="meta")))
        )
        assert [(row["name"], row["layer"]) for row in rows] == [
            ("0", "Conv2d"),
            ("1", "ReLU"),
            ("2", "Linear"),
        ]
        assert [row["parameters"] for row in rows] == [count, 0, 35]
        assert rows[0]["output"] == [4, 6, 6]


def test_what_could_not_be_measured_is_told_with_its_reason(tmp_path: Path) -> None:
    report_artefacts.make(tmp_path / "data/driving")
    reader = Reader(Library([tmp_path / "data/driving/evaluations"]))
    found = document._evaluations(reader, [])
    assert found["main"]["driving"]["missing"] == {"fid": "there are no weights"}
