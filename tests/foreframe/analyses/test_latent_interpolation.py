"""The way from one picture to another among the latents of a flow."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.analyses import latent_interpolation
from foreframe.errors import UserError
from tests.foreframe.analyses.pictures import BRIGHT, DIM, analysed, clips
from tests.foreframe.predictors import test_glow


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
