"""The stages finetune_classifier and locate: what begins where, and what is measured of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe import classifiers
from foreframe.artefacts import facts, hdf5
from foreframe.config.split import SETS
from foreframe.errors import UserError
from foreframe.predictors import learned
from foreframe.predictors.describing import describer
from stages import finetune_classifier
from tests.foreframe.classifiers import small
from tests.stages import locating_study
from tests.stages.evaluation_study import COMPUTE
from tests.stages.locating_study import FRAMES, STEPS, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where checkpoints lie
        made = locating_study.make(folder)
        made.finetune("fine")
        made.finetune("frozen", moves=False)
        made.finetune("random", start="random")
        yield made


def encoder(path: Path) -> dict[str, torch.Tensor]:
    model: Any = classifiers.ROLE.load(path)
    found: dict[str, torch.Tensor] = model.encoder.state_dict()
    return found


def test_an_encoder_that_is_frozen_stays_the_given_one_and_others_move(study: Study) -> None:
    given = describer(learned.ROLE.load(study.path("scene"))).state_dict()
    frozen, fine, other = (
        encoder(study.path(f"{name}_model")) for name in ("frozen", "fine", "random")
    )
    assert given.keys() == frozen.keys() == fine.keys()
    assert all(torch.equal(value, frozen[name]) for name, value in given.items())
    moved = [(value - fine[name]).abs().max() for name, value in given.items()]
    # Adam's steps are no larger than its step size.
    assert 0 < max(moved) < 1.5 * STEPS * 0.1
    assert not all(torch.equal(value, other[name]) for name, value in given.items())


def test_the_record_says_what_was_trained(study: Study) -> None:
    fine, frozen = (facts.read(study.path(name), "training") for name in ("fine", "frozen"))
    own = sum(value.numel() for value in encoder(study.path("frozen_model")).values())
    assert fine["trainable"] - frozen["trainable"] == own
    assert len(fine["classes"]) == 36
    assert {"entropy", "distance", "masked", "error", "error_5"} <= fine["curve"][0].keys()


def test_a_run_again_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    again = Study(tmp_path / "again")
    again.folder.mkdir()
    for name in (*locating_study.DATA, "scene"):
        again.path(name).write_bytes(study.path(name).read_bytes())
    found = again.finetune("fine")
    assert found.read_bytes() == study.path("fine_model").read_bytes()


def test_classifiers_are_measured_beside_what_needs_no_training(
    study: Study, tmp_path: Path
) -> None:
    out = tmp_path / "found.json"
    study.locate(out, study.path("fine_model"))
    found = facts.read(out, "analysis")
    with hdf5.opening(study.path("frames"), "frames") as file:
        cells = file["episode_label/cell"][:]
    counts = {"train": 16, "validation": 8, "test": 12}
    for name in SETS:
        told = found["told"][name]
        assert 0 <= told["top_1"]["mean"] <= told["top_5"]["mean"] <= 1
        assert told["apart"]["clips"] == counts[name]
        assert found["chance"][name] == {"top_1": 1 / 36, "top_5": 5 / 36}
        assert 0 < found["last_seen"][name]["top_1"]["mean"] < 1
    most = numpy.bincount(cells[:16], minlength=36)
    assert found["frequent"]["train"]["top_1"] == most.max() / 16
    wrong = found["per_clip"]["error"]
    assert numpy.mean(wrong) == pytest.approx(1 - found["told"]["test"]["top_1"]["mean"])
    with hdf5.opening(out.with_suffix(".h5"), "analysis") as file:
        table = file["confusion"][:]
    assert table.sum(axis=0).tolist() == numpy.bincount(cells[24:], minlength=36).tolist()
    assert len(wrong) - numpy.sum(wrong) == table.diagonal().sum()


def test_several_classifiers_are_taken_as_one(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "two.json"
    fine, frozen = study.path("fine_model"), study.path("frozen_model")
    study.locate(out, fine, fine)
    alone = tmp_path / "one.json"
    study.locate(alone, fine)
    assert facts.read(out, "analysis")["told"] == facts.read(alone, "analysis")["told"]
    study.locate(out, fine, frozen)


def test_what_does_not_fit_is_refused(study: Study, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"seed": 0, "compute": COMPUTE}
    changes |= {"model": tmp_path / "model", "record": tmp_path / "record"}
    with pytest.raises(UserError, match="trains classifiers of the kind snitch whose encoder is"):
        finetune_classifier.main(
            **study.data, given=study.path("scene"), classifier=small.settings("conv3d"), **changes
        )
    view = small.view(
        frames=FRAMES, channels="colour", train_stride=2, evaluation_stride=3, scaling="unit"
    )
    other = study.finetune("other", view=view)
    with pytest.raises(UserError, match="do not tell the same of the same clips"):
        study.locate(tmp_path / "a.json", study.path("fine_model"), other)
