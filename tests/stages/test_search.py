"""Laws of the stage search: the best trial is found, none is hidden, and a kill changes nothing."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from torch import Tensor

from foreframe.artefacts import facts, tables
from foreframe.autoencoders import vqvae
from foreframe.config import reading
from foreframe.config.search import Search
from foreframe.data.normalization import Normalizer
from foreframe.errors import UserError
from foreframe.training.checkpoints import FOLDER
from stages import search
from tests.foreframe.autoencoders import small
from tests.stages.autoencoder_study import COMPUTE, Study, make

SPACE: dict[str, Any] = {
    "width": [4, 8],
    "residual_layers": {"low": 0, "high": 2},
    "training": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch_size": [2, 4]},
}
NAMES = ["width", "residual_layers", "training.learning_rate", "training.batch_size"]
CHANGES = {"training": {"epochs": 2, "schedule": "cosine"}}
OUTPUTS = {
    "trials": "trials.csv",
    "curves": "curves.csv",
    "epochs": "epochs.csv",
    "found": "search.json",
}
FEWER = 3


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return make(tmp_path)


def run(study: Study, base: dict[str, Any] = small.SMALL, **changes: Any) -> dict[str, bytes]:
    """Run the stage; return the bytes of each output."""
    values = {"trials": FEWER, "train_every": 2, "changes": CHANGES, "space": SPACE, **changes}
    settings: Search = reading.validate(Search, values, "search")
    paths = {name: study.folder / file for name, file in OUTPUTS.items()}
    search.main(
        **study.inputs,
        autoencoder=small.settings(base),
        search=settings,
        seed=0,
        compute=COMPUTE,
        **paths,
    )
    return {name: path.read_bytes() for name, path in paths.items()}


def written(study: Study) -> tuple[dict[str, Any], dict[str, pandas.DataFrame]]:
    found = facts.read(study.folder / OUTPUTS["found"], "search")
    columns = {
        "trials": ["trial", "ending", "parameters", "flops_per_clip"],
        "curves": ["trial", "epoch", "step", "samples", "loss"],
        "epochs": ["trial", "epoch", "train_loss", "validation_loss"],
    }
    read = {
        name: tables.read(study.folder / OUTPUTS[name], wanted, found[f"{name}_checksum"])
        for name, wanted in columns.items()
    }
    return found, read


def test_the_lowest_validation_loss_wins_and_every_trial_is_there(study: Study) -> None:
    run(study)
    found, read = written(study)
    trials = read["trials"]
    assert list(trials["trial"]) == list(range(FEWER))
    assert set(trials["ending"]) == {"finished"}
    assert trials["diverged_at_step"].isna().all()
    last = read["epochs"].groupby("trial").last()
    assert list(trials["validation_loss"]) == list(last["validation_loss"])
    assert set(last["epoch"]) == {2}
    best = trials.sort_values("validation_loss").iloc[0]
    assert found["best_trial"] == best["trial"]
    assert found["lowest_loss"] == best["validation_loss"]
    assert found["highest_loss"] == trials["validation_loss"].max()
    assert found["best_values"] == {name: best[name] for name in NAMES}
    assert (found["trials"], found["failed"]) == (FEWER, 0)
    # Every second of 19 training clips, in two epochs.
    assert found["train_clips"] == 10
    for number, curve in read["curves"].groupby("trial"):
        row = trials.loc[trials["trial"] == number].iloc[0]
        assert curve["step"].iloc[-1] == row["steps"] == 2 * -(-10 // row["training.batch_size"])
        assert curve["samples"].iloc[-1] == 20
    assert trials["flops_per_clip"].gt(1e5).all()
    assert set(found["correlations"]) == set(NAMES)


def test_the_best_trials_section_is_the_base_with_its_values(study: Study) -> None:
    run(study)
    found, read = written(study)
    path = study.folder / OUTPUTS["found"]
    section = reading.select(reading.load(path), "autoencoder", path)
    settings = reading.validate(vqvae.Settings, section, "search.json: autoencoder")
    values = found["best_values"]
    training = {name.removeprefix("training."): values[name] for name in NAMES[2:]}
    expected = small.settings(
        {**small.SMALL, **{name: values[name] for name in NAMES[:2]}},
        training={**small.TRAINING, **training},
    )
    assert settings == expected
    model = vqvae.build(settings, small.SHAPE)
    weights = sum(value.numel() for value in model.parameters())
    assert read["trials"]["parameters"][found["best_trial"]] == weights


def test_the_same_inputs_give_the_same_bytes(study: Study) -> None:
    assert run(study) == run(study)
    assert not list(FOLDER.iterdir())


@pytest.mark.parametrize("calls", [2, 16, 30])
def test_a_stopped_search_ends_in_the_same_bytes(
    study: Study, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Stopped in the first trial, as the second validates, and in the last."""
    straight = run(study)
    normalize, left = Normalizer.normalize, calls

    def stopping(self: Normalizer, frames_BTHWC: Tensor) -> Tensor:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return normalize(self, frames_BTHWC)

    for path in OUTPUTS.values():
        (study.folder / path).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Normalizer, "normalize", stopping)
        with pytest.raises(SystemExit) as stopped:
            run(study)
    assert stopped.value.code == 128 + signal.SIGTERM
    (kept,) = FOLDER.iterdir()
    assert list(kept.rglob("step-*"))
    finished = {path: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    again: dict[Path, int] = {}

    def noting(self: Normalizer, frames_BTHWC: Tensor) -> Tensor:
        again.update({path: path.stat().st_mtime_ns for path in finished})
        return normalize(self, frames_BTHWC)

    with monkeypatch.context() as patch:
        patch.setattr(Normalizer, "normalize", noting)
        assert run(study) == straight
    assert again == finished  # what was finished was not run again


# More than any address space holds.
HUGE = 10**13


def test_trials_that_diverge_or_need_too_much_memory_are_recorded(study: Study) -> None:
    space = {
        "residual_width": [8, HUGE],
        "training": {"learning_rate": [0.001, 1e30]},
    }
    base = {**small.SMALL, "training": {**small.TRAINING, "gradient_clip": None}}
    run(study, base, space=space, trials=8)
    found, read = written(study)
    trials = read["trials"].set_index("trial")
    huge, fast = trials["residual_width"] == HUGE, trials["training.learning_rate"] > 1
    expected = numpy.select([huge, fast], ["out of memory", "diverged"], "finished")
    assert list(trials["ending"]) == list(expected)
    assert set(expected) == {"finished", "diverged", "out of memory"}
    failed = trials["ending"] != "finished"
    assert found["failed"] == failed.sum()
    assert trials["validation_loss"].isna().equals(failed)
    assert trials["diverged_at_step"].notna().equals(trials["ending"] == "diverged")
    for number, curve in read["curves"].groupby("trial"):
        if trials["ending"][number] == "diverged":
            assert curve["step"].iloc[-1] == trials["diverged_at_step"][number] - 1
    assert set(read["curves"]["trial"]) == set(trials.index[~huge])
    assert not failed[found["best_trial"]]


def test_a_search_without_a_finished_trial_says_so(study: Study) -> None:
    with pytest.raises(UserError, match="none of 2 trials finished"):
        run(study, space={"residual_width": [HUGE]}, trials=2)
    assert not any((study.folder / name).exists() for name in OUTPUTS.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"widht": [4, 8]}}, "trial 0.widht is no parameter. Did you mean width"),
        ({"space": {"width": [0]}}, "trial 0.width: .*greater than or equal to 1"),
        ({"changes": {"training": {"epoch": 2}}}, "Did you mean epochs"),
    ],
)
def test_wrong_settings_are_named_before_any_work(
    study: Study, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(study, **changes)
    assert not FOLDER.exists()
