"""What comes back of pictures: of a flow all, of other models what they decode."""

from pathlib import Path

import numpy
import pytest
import torch

from foreframe.analyses import reconstruction
from foreframe.errors import UserError
from tests.foreframe.analyses.asked import told
from tests.foreframe.analyses.pictures import analysed, clips
from tests.foreframe.predictors import test_ali, test_gan
from tests.foreframe.predictors.pairs import SIDE

COUNT = 10  # more than a batch


def settings(show: int = 9) -> reconstruction.Settings:
    return reconstruction.Settings(kind="reconstruction", clips=None, show=show)


def test_a_flow_gives_pictures_back(tmp_path: Path) -> None:
    found, stored = analysed(tmp_path / "a.h5", reconstruction, settings(), count=COUNT)
    assert found.values["mse"]["mean"] == 0
    assert numpy.array_equal(stored["real"], clips(COUNT)[0][:9, 0].numpy())
    assert numpy.array_equal(stored["reconstructed"], stored["real"])


def test_the_error_is_that_of_what_is_decoded(tmp_path: Path) -> None:
    model = test_ali.model()
    found, stored = analysed(
        tmp_path / "a.h5", reconstruction, settings(), count=COUNT, predictor=model, side=SIDE
    )
    frames = clips(COUNT, SIDE)[0][:, 0]
    again = model.decoded(model.latents(frames, range(7, 7 + COUNT), 0))
    assert numpy.array_equal(stored["reconstructed"], again[:9].numpy())
    wanted = ((again.double() - frames) / 255).square().flatten(1).mean(dim=1)
    torch.testing.assert_close(found.per_clip["mse"], wanted)
    assert found.values["mse"]["mean"] == pytest.approx(wanted.mean().item())
    assert not analysed(
        tmp_path / "b.h5", reconstruction, settings(0), count=COUNT, predictor=model, side=SIDE
    )[1]


@pytest.mark.parametrize("make", [told, test_gan.model], ids=["no latents", "no encoder"])
def test_models_without_latents_are_refused(make: object, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(UserError, match="has no latents of a picture"):
        analysed(tmp_path / "a.h5", reconstruction, settings(), predictor=make(), side=SIDE)
