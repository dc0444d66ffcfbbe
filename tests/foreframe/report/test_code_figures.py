"""Figures of codes and of runs that differ in one setting: what is drawn is what was found."""

import warnings
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from PIL import Image
from pytest import approx

from foreframe.artefacts import facts, hdf5
from foreframe.data import labels
from foreframe.errors import UserError
from foreframe.report import desk, strips, style
from foreframe.report.desk import Desk
from foreframe.training import record
from foreframe.training.result import Result
from tests import report_artefacts

ALT = "Words for those who cannot see it."
SECTIONS = {
    "report": {"title": "t", "author": "a", "protocol": None},
    "probes": {"of": {"label": "shape"}, "other": {"label": "colour"}},
}
COUNTS = numpy.array([[3, 1, 0], [0, 5, 2], [1, 0, 9]])
CLASSES = ("ring", "disc", "star")


def there(folder: Path) -> Desk:
    """Return a desk with all artefacts in a folder."""
    kinds = ("*.json", "*.h5")
    found = sorted(path for kind in kinds for path in (folder / "data").rglob(kind))
    return report_artefacts.desk(folder, found, SECTIONS)


def drawn(at: Desk, kind: str, **settings: Any) -> Any:
    with style.drawing():
        return desk.draw("figure", {"kind": kind, "alt": ALT, **settings}, at)[0].content


def place(folder: Path, *names: str) -> Path:
    path = folder.joinpath("data", "codes", *names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def answered(folder: Path, name: str, run: str, **values: Any) -> None:
    facts.write(place(folder, "analyses", name, f"{run}.json"), "analysis", values)


def stored(folder: Path, name: str, run: str, **arrays: Any) -> None:
    with hdf5.creating(place(folder, "analyses", name, f"{run}.h5"), "analysis", {}) as file:
        for key, values in arrays.items():
            hdf5.store(file, key, values)


def trained(folder: Path, run: str, values: list[float], **more: Any) -> None:
    """Write a training whose epochs noted these values as `train_reconstruction`."""
    count = range(1, len(values) + 1)
    rows = {"epoch": count, "step": count, "samples": count, "train_reconstruction": values}
    table = pandas.DataFrame(rows)
    result = Result(len(values), len(values), table, table, None, (), None)
    record.write(place(folder, "autoencoders", f"{run}.json"), result, 0, {}, more)


SWEEP = {
    "of": "told/{run} / {panel}.{line}",
    "panels": {"top": "top"},
    "lines": {"accuracy": "accuracy"},
    "runs": {"a": 0.0, "b": 1.0, "c": 1.0},
    "xlabel": "width",
}


def bars(axes: Any) -> list[tuple[float, float, float, float]]:
    """Return the place, the value and both ends of every bar."""
    found = []
    for container in axes.containers:
        ((x, value),) = container.lines[0].get_xydata()
        (segments,) = container.lines[2]
        ((_, low), (_, high)) = segments.get_segments()[0]
        found.append((x, value, low, high))
    return found


def test_a_sweep_has_the_interval_of_each_run_and_a_line_through_means(tmp_path: Path) -> None:
    for run, mean in (("a", 0.2), ("b", 0.4), ("c", 0.6)):
        ends = {"mean": mean, "low": mean - 0.1, "high": mean + 0.05}
        answered(tmp_path, "told", run, top={"accuracy": ends})
    (axes,) = drawn(there(tmp_path), "sweep", **SWEEP).axes
    expected = [(0.0, 0.2, 0.1, 0.25), (1.0, 0.4, 0.3, 0.45), (1.0, 0.6, 0.5, 0.65)]
    for bar, whole in zip(bars(axes), expected, strict=True):
        assert bar == approx(whole)
    (line,) = (each for each in axes.lines if each.get_label() == "accuracy")
    assert line.get_xydata().tolist() == [[0.0, 0.2], [1.0, approx(0.5)]]


def test_a_spread_is_half_of_an_interval_and_nothing_is_none(tmp_path: Path) -> None:
    for run, mean in (("a", 0.2), ("b", 0.4), ("c", 0.6)):
        answered(tmp_path, "told", run, top={"accuracy": {"mean": mean, "deviation": mean / 10}})
    at = there(tmp_path)
    spread = "told/{run} / {panel}.{line}.deviation"
    (axes,) = drawn(at, "sweep", **SWEEP, spread=spread).axes
    assert bars(axes)[1] == approx((1.0, 0.4, 0.36, 0.44))
    with pytest.raises(UserError, match=r"told/a / top.accuracy has no interval"):
        drawn(at, "sweep", **SWEEP)


def test_a_sweep_may_show_what_trainings_noted_last(tmp_path: Path) -> None:
    for run, mean in (("a", 0.2), ("b", 0.4), ("c", 0.6)):
        ends = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
        answered(tmp_path, "told", run, top={"accuracy": ends})
        trained(tmp_path, run, [9.0, mean + 1])
    at = there(tmp_path)
    (axes,) = drawn(at, "sweep", **SWEEP, trained={"train_reconstruction": "with noise"}).axes
    (line,) = (each for each in axes.lines if each.get_label() == "with noise")
    assert line.get_xydata().tolist() == [[0.0, 1.2], [1.0, 1.5]]
    assert {artefact.schema for artefact in at.used.values()} == {"analysis", "training"}
    with pytest.raises(UserError, match=r"notes no train_loss.*train_reconstruction"):
        drawn(there(tmp_path), "sweep", **SWEEP, trained={"train_loss": "with noise"})


def test_matrices_of_runs_share_a_scale_and_a_printed_one_has_its_own(tmp_path: Path) -> None:
    for run, table in (("a", COUNTS), ("b", 2 * COUNTS)):
        stored(tmp_path, "told", run, confusion=table, classes=list(CLASSES))
    printed = tmp_path / "printed.yaml"
    printed.write_text("about: {table: {classes: [x, y], rows: [[40, 1], [2, 3]]}}")
    panels = {"told/a": "a", "told/b": "b"}
    stated = {f"{printed}:about.table": "document"}
    canvas = drawn(there(tmp_path), "confusion", panels=panels, stated=stated)
    shown = [axes for axes in canvas.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["document", "a", "b"]
    tables = (numpy.array([[40, 1], [2, 3]]), COUNTS, 2 * COUNTS)
    for axes, table in zip(shown, tables, strict=True):
        numpy.testing.assert_array_equal(axes.images[0].get_array(), table)
    assert [axes.images[0].get_clim() for axes in shown] == [(0, 40), (0, 18), (0, 18)]
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in shown]
    assert names == [["x", "y"], [*CLASSES], [*CLASSES]]


def test_codes_are_points_by_index_and_those_that_nothing_has_are_hollow(tmp_path: Path) -> None:
    points = numpy.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    counts = numpy.array([5, 0, 1, 9])
    stored(tmp_path, "order", "a", top_points=points, top_counts=counts)
    canvas = drawn(there(tmp_path), "codebook", rows={"order/a": "a"}, columns={"top": "top"})
    hollow, filled = canvas.axes[0].collections
    assert hollow.get_offsets().tolist() == points[[1]].tolist()
    assert filled.get_offsets().tolist() == points[[0, 2, 3]].tolist()
    assert filled.get_array().tolist() == [0, 2, 3] and filled.get_clim() == (0, 3)
    assert hollow.get_facecolors().size == 0


def cell(image: Image.Image, row: int, column: int, side: int) -> set[int]:
    """Return the grey values of a cell of a grid of maps of so many places a side."""
    width = side * strips.factor_for(side, strips.CELL)
    corner = (column * (width + strips.GAP), row * (width + strips.GAP))
    part = image.crop((*corner, corner[0] + width, corner[1] + width))
    return set(numpy.unique(numpy.asarray(part)).tolist())


def test_a_phase_that_a_game_did_not_come_to_has_an_empty_row(tmp_path: Path) -> None:
    dark, light = [[0, 0], [0, 0]], [[3, 3], [3, 3]]
    known = {"codebook_size": 6, "grid": [1, 2, 2]}
    trained(tmp_path, "game", [1.0], drawn=[[dark, light], [light], []], **known)
    image = drawn(there(tmp_path), "phases", of="game")
    grey = round(3 / 5 * 255)
    white = 255
    expected = [[{0}, {grey}], [{grey}, {white}], [{white}, {white}]]
    assert [[cell(image, row, column, 2) for column in (0, 1)] for row in range(3)] == expected
    trained(tmp_path, "game", [1.0], drawn=[[], [], []], **known)
    image = drawn(there(tmp_path), "phases", of="game")
    assert [cell(image, row, 0, 2) for row in range(3)] == [{white}] * 3


def test_an_album_has_the_first_picture_of_each_class(tmp_path: Path) -> None:
    numbers = [2, 0, 2, 0]  # no disc at all
    attributes = {"frame_interval": 0.1, **labels.attributes({"shape": CLASSES})}
    frames = numpy.zeros((4, 8, 8, 3), numpy.uint8)
    frames += numpy.arange(10, 50, 10, dtype=numpy.uint8)[:, None, None, None]
    with hdf5.creating(place(tmp_path, "objects", "frames.h5"), "frames", attributes) as file:
        hdf5.store(file, "frames", frames)
        hdf5.store(file, "episode_start", numpy.arange(4))
        hdf5.store(file, "episode_length", numpy.ones(4, numpy.int64))
        labels.store(file, {"shape": numbers})
    at = there(tmp_path)
    image = drawn(at, "classes", data="objects", label="probes.of.label", rows=1)
    width = 8 * strips.factor_for(8, strips.CELL)
    found = [image.getpixel((column * (width + strips.GAP), 0))[0] for column in (0, 1)]
    assert found == [20, 10]  # the first ring, the first star
    assert image.size[0] == 2 * width + strips.GAP
    under = numpy.asarray(image)[width:]
    assert (under < 255).any()  # their names
    with pytest.raises(UserError, match=r"colour is no label of objects.*shape"):
        drawn(at, "classes", data="objects", label="probes.other.label")


def test_a_curve_that_never_moves_is_drawn_without_a_word(tmp_path: Path) -> None:
    trained(tmp_path, "a", [0.0, 0.0, 0.0])
    panels = [{"lines": ["train_reconstruction"], "ylabel": ""}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (axes,) = drawn(there(tmp_path), "curve", of=["a"], panels=panels).axes
    low, high = axes.get_ylim()
    assert low < 0 < high
