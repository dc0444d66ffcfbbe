"""The record of a training: read as it was written, and numbers only where there are some."""

from pathlib import Path
from typing import Any

import pandas
import pytest

from foreframe.artefacts import facts
from foreframe.errors import ArtefactError
from foreframe.training import record
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.record import Training
from tests.foreframe.training import runs


def written(folder: Path, **changes: Any) -> Training:
    network = runs.Network()
    training = runs.training(diverging="record", gradient_clip=None, **changes)
    result = runs.run(network, Checkpoints(folder / "checkpoints"), training=training)
    record.write(folder / "record.json", result, 4, {}, {"grid": [1, 2]})
    found = record.read(folder / "record.json")
    pandas.testing.assert_frame_equal(found.curve, result.curve)
    pandas.testing.assert_frame_equal(found.epochs, result.epochs)
    return found


@pytest.mark.parametrize("rate", [1e25, 1e30])
def test_a_run_with_a_wild_rate_is_recorded_up_to_its_last_number(
    tmp_path: Path, rate: float
) -> None:
    found = written(tmp_path, learning_rate=rate)
    assert found.facts["diverged_at_step"] == found.facts["steps"] + 1
    assert found.facts["final"]["train_loss"] > 0
    # The last step's weights are so large that the validation's loss is no number.
    assert found.facts["final"]["validation_loss"] is None
    assert found.curve["step"].iloc[-1] == found.facts["steps"]
    assert list(found.epochs["step"]) == [found.facts["steps"]]
    assert found.epochs["validation_loss"].isna().all()


def test_a_run_that_does_not_diverge_says_so(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert found.facts["diverged_at_step"] is None
    assert (found.facts["steps"], found.facts["grid"]) == (18, [1, 2])
    assert all(isinstance(value, float) for value in found.facts["final"].values())


def test_gaps_are_kept(tmp_path: Path) -> None:
    """In a phase in which a player rests there is nothing of it to tell."""
    objective, plan = runs.CASES["duel"]()
    result = runs.play(objective, plan, Checkpoints(tmp_path / "checkpoints"))
    record.write(tmp_path / "record.json", result, 4, {}, {})
    found = record.read(tmp_path / "record.json")
    assert found.curve["generator_loss"].isna().any()
    pandas.testing.assert_frame_equal(found.curve, result.curve)
    pandas.testing.assert_frame_equal(found.epochs, result.epochs)


def test_the_curve_is_the_only_list_of_records(tmp_path: Path) -> None:
    written(tmp_path)
    content = facts.parse(tmp_path / "record.json")
    lists = {name for name, value in content.items() if isinstance(value, list)}
    assert {name for name in lists if isinstance(content[name][0], dict)} == {"curve"}
    assert len({frozenset(row) for row in content["curve"]}) == 1


def test_a_record_of_the_older_form_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    facts.write(path, "training", {"curve_checksum": []})
    path.write_text(path.read_text().replace('"version": 3', '"version": 2'))
    with pytest.raises(ArtefactError, match=r"version 2, this code reads 3\. .*dvc repro"):
        record.read(path)
