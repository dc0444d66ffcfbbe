"""Lines with bands: the stored numbers, in as many panels as there are rows or names."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.report import desk, style
from foreframe.report.desk import Desk
from tests import report_artefacts

X = numpy.arange(5) / 8
FRAMES = numpy.array([1, 10])
ARRAYS = {
    "frequencies": X,
    "frames": FRAMES,
    "real_mean": numpy.exp(-numpy.arange(10)).reshape(2, 5),
    "model_mean": numpy.exp(-2.0 * numpy.arange(10)).reshape(2, 5),
    "real_deviation": numpy.full((2, 5), 1e-6),
    "model_deviation": numpy.full((2, 5), 1e-5),
    "lengths": numpy.array([8, 16, 24, 32, 40]),
    "whole_kept": numpy.arange(5) + 1.0,
    "upper_kept": numpy.full(5, 2.0),
    "whole_operations": 3.0 * numpy.arange(5),
    "upper_operations": numpy.full(5, 4.0),
}
SPECTRA: dict[str, Any] = {
    "kind": "banded",
    "alt": "Words for those who cannot see it.",
    "of": "spectra/one",
    "x": "frequencies",
    "y": "{line}_mean",
    "band": "{line}_deviation",
    "lines": {"real": "true", "model": "made"},
    "panels": {"0": "frame {row}", "1": "frame {row}"},
    "rows": "frames",
    "xlabel": "cycles a pixel",
    "scale": "log",
}
COSTS: dict[str, Any] = {
    "kind": "banded",
    "alt": "Words for those who cannot see it.",
    "of": "spectra/one",
    "x": "lengths",
    "y": "{line}_{panel}",
    "lines": {"whole": "single level", "upper": "second"},
    "panels": {"kept": "kept", "operations": "operations"},
    "mark": "whole",
    "xlabel": "frames",
}


def there(folder: Path) -> Desk:
    place = folder / "data/study/analyses/spectra"
    place.mkdir(parents=True)
    with hdf5.creating(place / "one.h5", "analysis", {}) as file:
        for name, values in ARRAYS.items():
            hdf5.store(file, name, values)
    sections = {"report": {"title": "t", "author": "a", "protocol": None}}
    return report_artefacts.desk(folder, [folder / "data/study"], sections)


def panels(folder: Path, figure: dict[str, Any]) -> list[Any]:
    with style.drawing():
        (picture,) = desk.draw("banded", figure, there(folder))
    return list(picture.content.axes)  # type: ignore[union-attr]


def test_a_panel_shows_a_row_without_the_zero_that_a_logarithm_lacks(tmp_path: Path) -> None:
    every = panels(tmp_path, SPECTRA)
    assert [axes.get_title() for axes in every] == ["frame 1", "frame 10"]
    for row, axes in enumerate(every):
        for line, name in zip(axes.lines, ("real", "model"), strict=True):
            numpy.testing.assert_array_equal(line.get_xdata(), X[1:])
            numpy.testing.assert_array_equal(line.get_ydata(), ARRAYS[f"{name}_mean"][row, 1:])
        assert len(axes.collections) == 2
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_panels_are_arrays_by_name_and_a_dashed_line_is_the_most_of_one(tmp_path: Path) -> None:
    kept, operations = panels(tmp_path, COSTS)
    for axes, name in ((kept, "kept"), (operations, "operations")):
        whole, mark, upper = axes.lines
        numpy.testing.assert_array_equal(whole.get_ydata(), ARRAYS[f"whole_{name}"])
        numpy.testing.assert_array_equal(upper.get_ydata(), ARRAYS[f"upper_{name}"])
        assert set(mark.get_ydata()) == {ARRAYS[f"whole_{name}"].max()}
        assert not axes.collections and axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": "places"}, r"spectra/one has no array places\. Name one of: frames, frequencies"),
        ({"panels": {"2": "frame {row}"}}, r"has 2 frames, but panels name number 2"),
    ],
)
def test_what_is_not_there_is_answered(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        panels(tmp_path, SPECTRA | changes)
