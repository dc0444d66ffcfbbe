"""Figures of findings show the numbers and frames that the stage wrote."""

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from numpy.typing import NDArray
from PIL import Image

from foreframe.report import strips, style
from foreframe.report.replication import findings, receptive_fields, rollouts, wrap
from tests.stages import analysis_study
from tests.stages import evaluation_study as tiny
from tests.stages.analysis_study import Analysed

CHOICES = ("argmax", "drawn")
CONTEXT = 4


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analysis_study.make(tmp_path_factory.mktemp("analysed"))


@pytest.fixture(scope="module")
def series(analysed: Analysed) -> pandas.DataFrame:
    return findings.read_series(analysed.outputs["series"], analysed.facts)


def cell(image: Image.Image, line: int, column: int, size: int) -> NDArray[Any]:
    """Return the frame (H,W,C) that a strip shows in a row and column."""
    factor = strips.factor_for(size, strips.CELL)
    step = size * factor + strips.GAP
    top = 2 * strips.TEXT + line * (step + strips.EDGE)
    left = strips.LABELS + column * step
    pixels = numpy.asarray(image)[top : top + size * factor, left : left + size * factor]
    return pixels[::factor, ::factor]


def test_every_figure_is_drawn_and_equal_figures_have_equal_bytes(
    analysed: Analysed, series: pandas.DataFrame, tmp_path: Path
) -> None:
    facts, maps = analysed.facts, analysed.maps
    with style.drawing():
        figures = {
            "colour": findings.colour(facts),
            "freezing": findings.freezing(series, CHOICES),
            "good_frames": findings.good_frames(facts, CHOICES),
            "corrupted_code": findings.corrupted_code(maps),
            "code_errors": findings.code_errors(maps, "argmax", {"top": 1, "bottom": 2}),
            "pixel_errors": findings.pixel_errors(maps, "study", CHOICES),
            "sensitivity": findings.sensitivity(facts),
            "leak": findings.leak(facts, series),
            "structure": findings.structure(series, CONTEXT),
            "receptive_top": receptive_fields.draw(facts, maps, "top"),
            "receptive_bottom": receptive_fields.draw(facts, maps, "bottom"),
            "leak again": findings.leak(facts, series),
        }
        for name, figure in figures.items():
            style.save(figure, tmp_path / f"{name}.svg")
    saved = {name: (tmp_path / f"{name}.svg").read_bytes() for name in figures}
    assert saved["leak again"] == saved["leak"]
    assert len(set(saved.values())) == len(figures) - 1


def test_bars_are_as_high_as_the_numbers(analysed: Analysed) -> None:
    facts = analysed.facts
    with style.drawing():
        patches: list[Any] = list(findings.colour(facts).axes[0].patches)
    heights = [bar.get_height() for bar in patches]
    expected = [
        facts["colour"][name][part]["correlation"]["mean"]
        for name in findings.DECODINGS
        for part in findings.PARTS
    ]
    assert heights == pytest.approx(expected)


def test_lines_are_the_series(analysed: Analysed, series: pandas.DataFrame) -> None:
    with style.drawing():
        axes = findings.leak(analysed.facts, series).axes[0]
    rows = series[(series["samples"] == "full_clip minus study") & (series["predictor"] == "drawn")]
    (line,) = [line for line in axes.lines if line.get_label() == "drawn"]
    assert line.get_ydata() == pytest.approx(rows["mean"].to_numpy())


def test_the_predicted_code_and_marked_inputs_have_their_colours(analysed: Analysed) -> None:
    facts, maps = analysed.facts, analysed.maps
    with style.drawing():
        figure = receptive_fields.draw(facts, maps, "bottom")
    place = facts["receptive_field"]["bottom"]["trained"]["place"]
    assert len(figure.axes) == 2 * (place[0] + 1)
    image = numpy.asarray(figure.axes[-1].images[0].get_array())
    values = maps["receptive_field/bottom/trained"][place[0]]
    marked = values > facts["receptive_field"]["threshold"]
    assert image[place[1], place[2]] == 3
    assert ((image == 2) == marked).all()


def test_strips_hold_the_rows_they_name(analysed: Analysed) -> None:
    maps, size = analysed.maps, tiny.SIZE
    levels = rollouts.levels(maps, 1)
    for line, name in enumerate(("top_only", "bottom_only", "original")):
        shown = maps[f"examples/{name}"][1, 0]
        numpy.testing.assert_array_equal(cell(levels, line, 0, size), shown)
    static = rollouts.top_rollout(maps, "static", CONTEXT)
    for line, name in enumerate(("top_only", "generated_top_true_bottom", "true_decode")):
        # The columns are frames 3 and 4, which were given, and 5 to 8.
        shown = maps[f"rollouts/{name}"][2, CONTEXT]
        numpy.testing.assert_array_equal(cell(static, line, 2, size), shown)
    pairs = rollouts.reconstructions(maps)
    shown = maps["examples/reconstruction"][1, 7]
    numpy.testing.assert_array_equal(cell(pairs, 3, 7, size), shown)
    whole = rollouts.hierarchical(maps, ("good", "static"), CONTEXT)
    numpy.testing.assert_array_equal(cell(whole, 3, 5, size), maps["rollouts/hierarchical"][2, 7])
    numpy.testing.assert_array_equal(
        cell(wrap.strip(maps, 0), 2, 0, size), maps["wrap/wrapped"][0, 0]
    )


def test_clips_play_every_frame(analysed: Analysed) -> None:
    maps, frames = analysed.maps, tiny.FRAMES
    rows, context = rollouts.of_samples(analysed.inputs["samples_full_clip"], 0)
    assert context == CONTEXT
    clips = [
        rollouts.levels_clip(maps, 0),
        rollouts.reconstruction_clip(maps, 0),
        rollouts.top_rollout_clip(maps, "faded", CONTEXT),
        rollouts.bottom_given_top_clip(maps, "good", CONTEXT),
        rollouts.bottom_top_compared_clip(maps, "good", CONTEXT),
        rollouts.hierarchical_clip(maps, "static", CONTEXT),
        rollouts.clip_of(rows, context),
        wrap.clip(maps, 0),
    ]
    assert [len(clip) for clip in clips] == [frames] * len(clips)


def test_a_strip_of_samples_shows_its_shown_choice(analysed: Analysed) -> None:
    rows, context = rollouts.of_samples(analysed.inputs["samples_full_clip"], 1)
    strip, size = rollouts.strip_of(rows, context), tiny.SIZE
    for line, row in enumerate(rows):
        numpy.testing.assert_array_equal(cell(strip, line, 5, size), row.frames[7])
    assert [len(row.frames) for row in rows] == [8, 8, 8]
