"""Figures of an analysis, as the study declares them, show the numbers and frames of its files."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image

from foreframe.report import desk, strips, style
from foreframe.report.desk import Desk, Picture
from foreframe.report.figures import by_frame
from tests import report_artefacts
from tests.stages import evaluation_study as tiny
from tests.stages import findings_study
from tests.stages.findings_study import Analysed

CHOICES = ("argmax", "drawn")
CONTEXT = 4
DECLARED = {
    name: figure
    for name, figure in report_artefacts.declared("driving_thesis").items()
    if "findings" in str(figure)
}


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return findings_study.make(tmp_path_factory.mktemp("analysed"))


@pytest.fixture(scope="module")
def there(analysed: Analysed, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with the files of the analysis, and the data that it was made of."""
    inputs = [analysed.inputs[name] for name in ("frames", "latents")]
    sections = {
        "sampling": {"show": 1, "choices": {choice: {} for choice in CHOICES}, "means": {}},
        "report": {"title": "t", "author": "a", "protocol": None},
    }
    folder = tmp_path_factory.mktemp("settings")
    return report_artefacts.desk(folder, [*inputs, *analysed.outputs.values()], sections)


def draw(name: str, there: Desk) -> Picture:
    (picture,) = desk.draw(name, DECLARED[name], there)
    return picture


def chart(name: str, there: Desk) -> Any:
    with style.drawing():
        return draw(name, there).content


def cell(image: Any, line: int, column: int, size: int) -> NDArray[Any]:
    """Return the frame (H,W,C) that a strip shows in a row and column."""
    assert isinstance(image, Image.Image)
    factor = strips.factor_for(size, strips.CELL)
    step = size * factor + strips.GAP
    top = 2 * strips.TEXT + line * (step + strips.EDGE)
    left = strips.LABELS + column * step
    pixels = numpy.asarray(image)[top : top + size * factor, left : left + size * factor]
    return pixels[::factor, ::factor]


def test_every_figure_is_drawn_and_equal_figures_have_equal_bytes(
    there: Desk, tmp_path: Path
) -> None:
    with style.drawing():
        for name in DECLARED:
            picture = draw(name, there)
            if not isinstance(picture.content, Image.Image):
                style.save(picture.content, tmp_path / f"{name}.svg")
        style.save(chart("leak", there), tmp_path / "leak again.svg")
    saved = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}
    assert saved["leak again"] == saved["leak"]
    assert len(set(saved.values())) == len(saved) - 1


def test_bars_are_as_high_as_the_numbers(there: Desk, analysed: Analysed) -> None:
    heights = [bar.get_height() for bar in chart("colour", there).axes[0].patches]
    expected = [
        analysed.facts["colour"][name][part]["correlation"]["mean"]
        for name in ("top_only", "bottom_only", "reconstruction")
        for part in ("cb", "cr", "luma_coarse", "luma_fine")
    ]
    assert heights == pytest.approx(expected)


def test_shares_of_a_list_add_up_to_one(there: Desk, analysed: Analysed) -> None:
    bars = [bar.get_height() for bar in chart("good_frames", there).axes[0].patches]
    assert sum(bars) == pytest.approx(len(CHOICES))
    found = analysed.facts["rollouts"]["study"]["choices"]["drawn"]["good_frames"]
    counts = numpy.array(found["clips_by_frames"])
    assert bars[len(counts) :] == pytest.approx((counts / counts.sum()).tolist())


def test_lines_are_the_series(there: Desk, analysed: Analysed) -> None:
    series = analysed.series
    rows = series[(series["samples"] == "full_clip minus study") & (series["predictor"] == "drawn")]
    axes, bars = chart("leak", there).axes
    (line,) = [line for line in axes.lines if line.get_label() == "drawn"]
    assert line.get_ydata() == pytest.approx(rows["mean"].to_numpy())
    codes = analysed.facts["leak"]["given_codes"]
    expected = [each["mean"] for level in ("top", "bottom") for each in codes[level]]
    assert [bar.get_height() for bar in bars.patches] == pytest.approx(expected)


def test_a_line_over_another_is_their_share(there: Desk, analysed: Analysed) -> None:
    found = [
        by_frame.select(analysed.series, f"study / drawn / {quantity}", "", "")["mean"]
        for quantity in ("sharpness", "sharpness_true")
    ]
    axes = chart("freezing", there).axes[2]
    (line,) = [line for line in axes.lines if line.get_label() == "drawn"]
    assert line.get_ydata() == pytest.approx(found[0].to_numpy() / found[1].to_numpy())


def test_maps_are_the_arrays_from_the_first_predicted_code_frame(
    there: Desk, analysed: Analysed
) -> None:
    array = analysed.maps["errors/full_clip/argmax/bottom"]
    images = [axes for axes in chart("code_errors", there).axes if axes.images]
    titles = [axes.get_title() for axes in images]
    given = len(array) * CONTEXT // tiny.FRAMES
    shown = [axes for axes, title in zip(images, titles, strict=True) if title][
        -len(array) + given :
    ]
    assert shown[0].get_title() == f"code-frame {given + 1}"
    for axes, expected in zip(shown, array[given:], strict=True):
        numpy.testing.assert_array_equal(axes.images[0].get_array(), expected)


def test_the_replaced_code_itself_is_left_out_and_distances_are_the_curves(
    there: Desk, analysed: Analysed
) -> None:
    canvas = chart("corrupted_code", there)
    around = analysed.maps["corrupted/bottom/around"]
    first = numpy.ma.filled(canvas.axes[0].images[0].get_array(), numpy.nan)
    assert numpy.isnan(first[around.shape[1] // 2, around.shape[2] // 2])
    assert numpy.isnan(first).sum() == 1
    curves = next(axes.lines for axes in canvas.axes if axes.get_ylabel() == "codes changed")
    for line, name in zip(curves, ("bottom", "bottom_unconditioned"), strict=True):
        expected = analysed.maps[f"corrupted/{name}/by_distance"]
        numpy.testing.assert_array_equal(line.get_ydata(), expected)


def test_the_predicted_code_and_marked_inputs_have_their_colours(
    there: Desk, analysed: Analysed
) -> None:
    facts = analysed.facts["receptive_field"]
    canvas = chart("receptive_field_bottom", there)
    place = facts["bottom"]["trained"]["place"]
    assert len(canvas.axes) == 2 * (place[0] + 1)
    image = numpy.asarray(canvas.axes[-1].images[0].get_array())
    values = analysed.maps["receptive_field/bottom/trained"][place[0]]
    assert image[place[1], place[2]] == 3
    assert ((image == 2) == (values > facts["threshold"])).all()


def test_strips_hold_the_rows_they_name(there: Desk, analysed: Analysed) -> None:
    maps, size = analysed.maps, tiny.SIZE
    # Figure, line, column; the array with its clip and frame. Columns are the frames 3 to 8 where
    # some were given.
    for name, line, column, array, clip, frame in (
        ("levels", 0, 0, "examples/top_only", 0, 0),
        ("levels", 2, 7, "examples/original", 0, 7),
        ("reconstructions", 3, 7, "examples/reconstruction", 1, 7),
        ("top_static", 1, 2, "rollouts/generated_top_true_bottom", 2, CONTEXT),
        ("bottom_given_top", 3, 5, "rollouts/hierarchical", 1, 7),
        ("bottom_top_compared", 1, 0, "rollouts/true_top_generated_bottom", 2, 2),
        ("hierarchical", 3, 5, "rollouts/hierarchical", 2, 7),
        ("wrapped", 2, 0, "wrap/wrapped", 0, 0),
    ):
        shown = cell(draw(name, there).content, line, column, size)
        numpy.testing.assert_array_equal(shown, maps[array][clip, frame], err_msg=name)


def test_clips_play_every_frame(there: Desk) -> None:
    names = [name for name in DECLARED if DECLARED[name]["kind"] == "strip"]
    assert len(names) == 9
    assert {len(draw(name, there).clip) for name in names} == {tiny.FRAMES}
