"""The way from one picture to another among the latents of a flow."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe.analyses import latent_interpolation
from foreframe.errors import UserError
from tests.foreframe.analyses.pictures import BRIGHT, DIM, analysed, clips
from tests.foreframe.predictors import test_ali, test_glow
from tests.foreframe.predictors.pairs import SIDE


def line(**changes: Any) -> latent_interpolation.Settings:
    known = {"kind": "latent_interpolation", "clips": None, "show": 2, "label": "digit"}
    known |= {"first": DIM, "second": BRIGHT, "steps": 5}
    return latent_interpolation.Settings(**(known | changes))


def test_the_way_begins_and_ends_at_the_pictures_and_is_even_among_latents(tmp_path: Path) -> None:
    found, stored = analysed(tmp_path / "a.h5", latent_interpolation, line())
    frames, _ = clips(24)
    assert stored["frames"].shape == (2, 5, *frames.shape[2:])
    for pair, ends in zip(stored["frames"], ((0, 1), (2, 3)), strict=True):
        assert numpy.array_equal(pair[[0, -1]], frames[list(ends), 0].numpy())
    assert found.values["ends_differ"]["mean"] == 0 and found.values["pairs"] == 2
    model = test_glow.ready()
    latents = model.latents(frames[:2, 0], [7, 8], 0)
    quarter = model.decoded([0.75 * each[:1] + 0.25 * each[1:] for each in latents])
    apart = abs(stored["frames"][0, 1].astype(int) - quarter[0].numpy().astype(int))
    assert apart.max() <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": 4}, "of the class 4 of digit there are 0 clips"),
        ({"show": 13}, r"show is 13, but .* 12 clips"),
        ({"label": "person"}, "not every clip has the label person"),
    ],
)
def test_clips_that_are_not_there_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        analysed(tmp_path / "a.h5", latent_interpolation, line(**changes))


@pytest.mark.parametrize(
    ("changes", "said"), [({"show": 0}, "show is 0"), ({"second": DIM}, "both 3")]
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        line(**changes)


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
PAIRS: dict[str, Any] = {"label": None, "first": None, "second": None}


def test_pictures_of_another_model_do_not_come_back_and_are_stored_as_they_were(
    tmp_path: Path,
) -> None:
    model = test_ali.model()
    found, stored = analysed(
        tmp_path / "a.h5", latent_interpolation, line(**PAIRS), predictor=model, side=SIDE
    )
    frames = clips(24, SIDE)[0][:, 0]
    assert numpy.array_equal(stored["ends"], frames[:4].unflatten(0, (2, 2)).numpy())
    [z_4Z] = model.latents(frames[:4], range(7, 11), 0)
    z_PSZ = torch.stack(
        [z + share * (to - z) for z, to in (z_4Z[:2], z_4Z[2:]) for share in SHARES]
    )
    wanted = model.decoded([z_PSZ]).unflatten(0, (2, 5))
    apart = abs(stored["frames"].astype(int) - wanted.numpy().astype(int))
    assert apart.max() <= 1
    differ = (stored["frames"][:, [0, -1]] != stored["ends"]).mean()
    assert found.values["ends_differ"]["mean"] == pytest.approx(differ) and differ > 0.5


def test_more_pairs_than_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="show is 13 pairs, but there are 24 clips"):
        analysed(tmp_path / "a.h5", latent_interpolation, line(**PAIRS, show=13))


@pytest.mark.parametrize("name", PAIRS)
def test_classes_are_named_whole_or_not_at_all(name: str) -> None:
    with pytest.raises(ValueError, match="label, first and second say together"):
        line(**{name: None})
