"""The share of clips whose class a semi-supervised critic misses."""

from pathlib import Path

import pytest
import torch

from foreframe.analyses import misclassification
from foreframe.errors import UserError
from tests.foreframe.analyses.pictures import analysed, clips
from tests.foreframe.predictors import test_ali, test_semi_supervised
from tests.foreframe.predictors.pairs import SIDE

COUNT = 11
SETTINGS = misclassification.Settings(kind="misclassification", clips=None, show=0)


def test_the_error_is_of_the_likeliest_class(tmp_path: Path) -> None:
    model = test_semi_supervised.model()
    frames = clips(COUNT, SIDE)[0][:, 0]
    likeliest = model.classify(frames, range(7, 7 + COUNT), 0).argmax(dim=1)
    labels_N = likeliest.clone()
    labels_N[[2, 9]] = (labels_N[[2, 9]] + 1) % 3
    known = {"count": COUNT, "predictor": model, "side": SIDE, "digit": labels_N}
    found, _ = analysed(tmp_path / "a.h5", misclassification, SETTINGS, **known)
    assert found.values["error"]["mean"] == pytest.approx(2 / COUNT)
    assert found.per_clip["error"].nonzero().flatten().tolist() == [2, 9]


def test_what_learnt_no_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ALI has learnt no classes"):
        analysed(tmp_path / "a.h5", misclassification, SETTINGS, predictor=test_ali.model())


def test_clips_without_the_label_are_refused(tmp_path: Path) -> None:
    model, labels_N = test_semi_supervised.model(), torch.zeros(24, dtype=torch.int64)
    with pytest.raises(UserError, match="not every clip has the label digit"):
        analysed(tmp_path / "a.h5", misclassification, SETTINGS, predictor=model, person=labels_N)
