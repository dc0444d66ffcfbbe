"""Laws of the stage train_autoencoder: its files, its repeatability, and how it stops."""

from pathlib import Path

import pytest
import torch

from foreframe import autoencoders
from foreframe.errors import UserError
from foreframe.training import record
from foreframe.training.checkpoints import FOLDER
from tests.foreframe.autoencoders.small import SMALL, THESIS, THESIS_SHAPE, settings
from tests.stages.autoencoder_study import TRAINING, Study, make

CLIPS = 17 + 2  # at stride 2 in runs of 40 and 10 frames


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return make(tmp_path)


def test_writes_a_model_that_learned_and_its_record(study: Study) -> None:
    study.train()
    model = autoencoders.load(study.outputs["model"])
    assert model.settings == settings(SMALL, training=TRAINING)
    found = record.read(study.outputs["record"])
    curve, epochs, known = found.curve, found.epochs, found.facts
    assert known["parameters"] == sum(value.numel() for value in model.parameters())
    assert known["codebook_size"] == {"top": 32, "bottom": 32}
    assert known["grids"] == {"top": [2, 2, 2], "bottom": [4, 4, 4]}
    assert (known["steps"], known["samples"]) == (3 * 5, 3 * CLIPS)
    assert known["flops_per_clip"] > 1e6
    assert known["environment"]["deterministic"]
    assert known["environment"]["threads"] == 1
    assert curve["loss"].iloc[-1] < 0.8 * curve["loss"].iloc[0]
    assert {"reconstruction", "commitment_top", "gradient_norm"} <= {*curve}
    assert list(epochs["epoch"]) == [1, 2, 3]
    for part in ("train", "validation"):
        for level in ("top", "bottom"):
            assert epochs[f"{part}_usage_{level}"].between(0, 1).all()
            assert epochs[f"{part}_perplexity_{level}"].between(1, 32).all()
    assert known["final"]["validation_loss"] == epochs["validation_loss"].iloc[-1]


def test_same_inputs_give_the_same_bytes(study: Study) -> None:
    first = study.train()
    assert study.train() == first
    assert study.train(seed=1)["model"] != first["model"]


def test_interrupted_run_ends_in_the_same_bytes(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = study.train()
    assert not list(FOLDER.iterdir())
    for path in study.outputs.values():
        path.unlink()
    # Killed after the training, while the outputs are written: even then no step is repeated.
    with monkeypatch.context() as patch:
        patch.setattr(record, "write", _fail)
        with pytest.raises(KeyboardInterrupt):
            study.train()
    (kept,) = FOLDER.iterdir()
    assert kept.name.startswith("train_autoencoder-")
    assert study.train() == straight
    assert not list(FOLDER.iterdir())


def _fail(*arguments: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_divergence_is_told_in_plain_words_and_leaves_no_output(study: Study) -> None:
    with pytest.raises(UserError, match="train_autoencoder: the loss of step"):
        study.train(training={**TRAINING, "learning_rate": 1e30, "gradient_clip": None})
    assert not any(path.exists() for path in study.outputs.values())


def test_operations_at_the_thesis_size() -> None:
    # Two for each multiply-add of the convolutions of one clip; the search for codes adds little.
    with torch.device("meta"):
        found = autoencoders.operations(autoencoders.build(settings(THESIS), THESIS_SHAPE))
    bottom = 8 * 64 * 64
    top = 4 * 32 * 32
    layer = 128 * 64 * 9 + 64 * 128
    stem = 3 * 128 * 4 * 8 * 8
    per_bottom = stem + 5 * layer + 128 * 64 + 128 * 128 * 27 + 5 * layer + stem
    per_top = 128 * 128 * 64 + 5 * layer + 128 * 64 + 64 * 64 * 64
    convolutions = 2 * (bottom * per_bottom + top * per_top)
    assert convolutions < found < 1.1 * convolutions
