"""The record of a run that diverged: up to where it did, and numbers only where there are some."""

from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import facts, tables
from foreframe.training import record
from foreframe.training.checkpoints import Checkpoints
from tests.foreframe.training import runs


def written(folder: Path, **changes: Any) -> dict[str, Any]:
    network = runs.Network()
    training = runs.training(diverging="record", gradient_clip=None, **changes)
    result = runs.run(network, Checkpoints(folder / "checkpoints"), training=training)
    paths = {name: folder / name for name in ("facts_path", "curve_path", "epochs_path")}
    record.write(result, network, {}, {}, **paths)
    return facts.read(paths["facts_path"], "training")


@pytest.mark.parametrize("rate", [1e25, 1e30])
def test_a_run_with_a_wild_rate_is_recorded_up_to_its_last_number(
    tmp_path: Path, rate: float
) -> None:
    found = written(tmp_path, learning_rate=rate)
    assert found["diverged_at_step"] == found["steps"] + 1
    assert found["final"]["train_loss"] > 0
    # The last step's weights are so large that the validation's loss is no number.
    assert found["final"]["validation_loss"] is None
    curve = tables.read(tmp_path / "curve_path", ["step", "loss"], found["curve_checksum"])
    assert curve["step"].iloc[-1] == found["steps"]
    epochs = tables.read(tmp_path / "epochs_path", ["step"], found["epochs_checksum"])
    assert list(epochs["step"]) == [found["steps"]]
    assert epochs["validation_loss"].isna().all()


def test_a_run_that_does_not_diverge_says_so(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert found["diverged_at_step"] is None
    assert found["steps"] == 18
    assert all(isinstance(value, float) for value in found["final"].values())
