"""Strips of the KL of channels: every level where it belongs, all on one scale."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.report import desk, style
from foreframe.report.desk import Desk
from tests import report_artefacts

TOP = 0.15
# From the coarsest level to the finest; by their names 16 would stand before 4.
ONE: dict[int, NDArray[Any]] = {
    1: numpy.array([0.2, 0.0, 0.01, 0.15], numpy.float32),
    4: numpy.array([0.05, 0.1], numpy.float32),
    16: numpy.array([0.3, 0.0, 0.02], numpy.float32),
}
OTHER: dict[int, NDArray[Any]] = {1: ONE[1][::-1].copy(), 4: ONE[4] / 2}
FIGURE: dict[str, Any] = {
    "kind": "channels",
    "alt": "Words for those who cannot see it.",
    "of": {"channels/one": "One", "channels/other": "Other"},
    "top": TOP,
}


def there(folder: Path, **runs: dict[int, NDArray[Any]]) -> Desk:
    place = folder / "data/study/analyses/channels"
    place.mkdir(parents=True)
    for run, levels in runs.items():
        with hdf5.creating(place / f"{run}.h5", "analysis", {}) as file:
            hdf5.store(file, "channels", numpy.zeros(2, numpy.float32))
            for size, values in levels.items():
                hdf5.store(file, f"channels_{size}", values)
    sections = {"report": {"title": "t", "author": "a", "protocol": None}}
    return report_artefacts.desk(folder, [folder / "data/study"], sections)


def panels(at: Desk) -> list[list[Any]]:
    """Return the axes by model, the upper ones first; the last is the scale."""
    with style.drawing():
        (picture,) = desk.draw("channels", FIGURE, at)
    *axes, _ = picture.content.axes  # type: ignore[union-attr]
    return [axes[0::2], axes[1::2]]


def test_levels_go_down_from_the_coarsest_and_show_what_is_stored(tmp_path: Path) -> None:
    for column, levels in zip(
        panels(there(tmp_path, one=ONE, other=OTHER)), (ONE, OTHER), strict=True
    ):
        shown = {
            size: axes.images[0].get_array().ravel().tolist()
            for size, axes in zip((1, 4, 16), column, strict=True)
            if axes.images
        }
        assert shown == {size: values.tolist() for size, values in levels.items()}


def test_all_strips_have_one_scale_from_0_to_top(tmp_path: Path) -> None:
    columns = panels(there(tmp_path, one=ONE, other=OTHER))
    assert [column[0].get_title() for column in columns] == ["One", "Other"]
    limits = {image.get_clim() for column in columns for axes in column for image in axes.images}
    assert limits == {(0, TOP)}


def test_an_analysis_of_something_else_is_answered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="channels/other has no KL of channels"):
        panels(there(tmp_path, one=ONE, other={}))
