"""The search's and the trainings' figures: every run is drawn, and where it belongs."""

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from foreframe.artefacts import facts, tables
from foreframe.errors import UserError
from foreframe.report import desk, style
from foreframe.report.desk import Desk
from tests import report_artefacts

SPACE: dict[str, Any] = {
    "codebook_size": {"choices": [16, 64, 128]},
    "residual_layers": {"low": 2, "high": 12},
    "training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
}
FACTS: dict[str, Any] = {
    "space": SPACE,
    "best_trial": 1,
    "correlations": {"codebook_size": {"spearman": -0.5, "p": 0.25}},
}
TRIALS = pandas.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "ending": ["finished", "finished", "diverged", "finished"],
        "codebook_size": [16, 128, 64, 16],
        "residual_layers": [2, 12, 7, 7],
        "training.learning_rate": [1e-5, 1e-2, 3e-3, 10**-3.5],
        "parameters": [100, 400, 200, 300],
        "flops_per_clip": [10, 40, 20, 30],
        "steps": [4, 4, 2, 4],
        "samples": [8, 8, 4, 8],
        "validation_loss": [0.4, 0.2, numpy.nan, 0.3],
    }
)


DECLARED = report_artefacts.declared("driving_thesis")


def there(folder: Path, trials: pandas.DataFrame = TRIALS, **more: Any) -> Desk:
    """Return a desk with the search above and whatever lies in `folder`."""
    checksum = tables.write(folder / "trials.csv", trials)
    facts.write(folder / "search.json", "search", {**FACTS, **more, "trials_checksum": checksum})
    sections = {"report": {"title": "t", "author": "a", "protocol": None}}
    return report_artefacts.desk(folder, sorted(folder.glob("*.*[nv]")), sections)


def chart(name: str, at: Desk, figure: dict[str, Any] | None = None) -> Any:
    with style.drawing():
        return desk.draw(name, figure or DECLARED[name], at)[0].content


def lines(figure: Any) -> list[numpy.ndarray[Any, Any]]:
    """Return the points of every drawn line of the first axes."""
    return [numpy.asarray(line.get_xydata()) for line in figure.axes[0].lines]


def test_a_line_goes_through_the_values_of_its_trial(tmp_path: Path) -> None:
    drawn = lines(chart("search_parallel", there(tmp_path)))
    whole = [points for points in drawn if len(points) == len(SPACE) + 1]
    heights = numpy.unique(numpy.round([points[:, 1] for points in whole], 1), axis=0)
    # Trials 0, 3 and 1, each from 0 (lowest) to 1 along every axis, the loss last.
    expected = [[0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 0.0]]
    numpy.testing.assert_allclose(heights, expected, atol=0.05)
    # The one that did not finish has no loss.
    (failed,) = {tuple(points[:, 1].round(1)) for points in drawn if len(points) == len(SPACE)}
    assert failed == (0.5, 0.5, 0.8)


def test_losses_over_codebook_sizes_are_those_of_finished_trials(tmp_path: Path) -> None:
    another = TRIALS[:1].assign(trial=4, validation_loss=0.9)
    (axes,) = chart("search_codebook", there(tmp_path, pandas.concat([TRIALS, another]))).axes
    drawn: dict[str, Any] = {str(line.get_label()): line for line in axes.lines}
    points = [tuple(point) for name in ("a run", "best run") for point in drawn[name].get_xydata()]
    assert sorted(points) == [(16.0, 0.3), (16.0, 0.4), (16.0, 0.9), (128.0, 0.2)]
    assert [tuple(point) for point in drawn["median"].get_xydata()] == [(16, 0.4), (128, 0.2)]
    assert "-0.50" in axes.get_title()


@pytest.mark.parametrize("found", [{}, {"codebook_size": {"spearman": None, "p": None}}])
def test_too_few_runs_have_no_correlation(found: dict[str, Any], tmp_path: Path) -> None:
    figure = chart("search_codebook", there(tmp_path, correlations=found))
    assert "too few" in figure.axes[0].get_title()


def train(folder: Path, name: str, scale: float = 1.0, diverged: int | None = None) -> None:
    steps = numpy.arange(10, 101, 10)
    curve = pandas.DataFrame(
        {"epoch": 1, "step": steps, "samples": steps, "loss": scale * (2 + 1 / steps)}
    )
    curve["gradient_norm"] = scale
    epochs = pandas.DataFrame({"step": [50, 100], "train_loss": 2.1, "validation_loss": 2.2})
    if diverged is not None:
        curve, epochs = curve[:4].copy(), epochs[:1].assign(validation_loss=numpy.nan)
        curve.loc[3, "loss"] = 4e10
    content: dict[str, Any] = {
        "parameters": int(1e6 * scale),
        "steps": 100,
        "samples": 400,
        "flops_per_clip": 7,
    }
    content |= {"diverged_at_step": diverged, "curve": curve.to_dict("records")}
    content["epochs"] = epochs.astype(object).where(epochs.notna(), None).to_dict("list")
    facts.write(folder / f"{name}.json", "training", content)


def test_three_priors_share_one_plot(tmp_path: Path) -> None:
    for name, scale in (("top_small", 1.0), ("top", 1.5), ("top_large", 2.0)):
        train(tmp_path, name, scale)
    (axes,) = chart("curves_top", there(tmp_path)).axes
    assert len(axes.lines) == 6
    assert len({line.get_color() for line in axes.lines}) == 3
    # Grey print: lines and marks differ too.
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 6
    low, high = axes.get_ylim()
    assert low < 2.0 and high > 4.0


@pytest.mark.parametrize(
    ("scale", "said"), [(1.5, ["1.00 M weights", "1.50 M weights"]), (1.0, ["a", "b c"])]
)
def test_runs_of_one_size_are_told_apart_by_name(
    scale: float, said: list[str], tmp_path: Path
) -> None:
    train(tmp_path, "a")
    train(tmp_path, "b_c", scale)
    panels = [{"ylabel": "", "lines": ["loss"]}]
    alt = "The losses of two runs by step."
    figure = {"kind": "curve", "of": ["a", "b_c"], "panels": panels, "alt": alt}
    (axes,) = chart("x", there(tmp_path), figure).axes
    assert [line.get_label() for line in axes.lines] == said


def test_a_diverged_run_is_drawn_up_to_its_last_number(tmp_path: Path) -> None:
    train(tmp_path, "bottom_unclipped", diverged=47)
    loss, norm = chart("curve_unclipped", there(tmp_path)).axes
    assert [loss.get_yscale(), norm.get_yscale()] == ["log", "linear"]
    drawn = {line.get_label(): line for line in loss.lines}
    assert drawn["training"].get_xydata()[-1].tolist() == [40, 4e10]
    assert len(drawn["validation"].get_xydata()) == 0
    assert set(drawn["diverged at step 47"].get_xdata()) == {47}


def test_a_steady_run_has_plain_axes_and_lines_that_are_its_tables(tmp_path: Path) -> None:
    train(tmp_path, "bottom")
    loss, norm = chart("curve_clipped", there(tmp_path)).axes
    assert [loss.get_yscale(), norm.get_yscale()] == ["linear", "linear"]
    drawn = {line.get_label(): line for line in loss.lines}
    steps = numpy.arange(10.0, 101, 10)
    numpy.testing.assert_allclose(drawn["training"].get_xydata().T, [steps, 2 + 1 / steps])
    numpy.testing.assert_array_equal(drawn["validation"].get_xydata(), [[50, 2.2], [100, 2.2]])
    assert not any("diverged" in str(label) for label in drawn)


def test_operations_are_three_passes_for_each_clip_seen(tmp_path: Path) -> None:
    train(tmp_path, "a")
    results = there(tmp_path).results
    assert results.of("a", "operations").value == 3 * 7 * 400
    found = {name: results.of("search", name).value for name in ("operations", "steps", "samples")}
    assert found == {"operations": 3 * (80 + 320 + 80 + 240), "steps": 14, "samples": 28}
    sizes = [results.of("search", name).value for name in ("fewest_parameters", "parameters")]
    assert sizes == [100, 400]


def test_a_column_or_a_run_that_is_not_there_is_named_with_the_choices(tmp_path: Path) -> None:
    train(tmp_path, "bottom")
    panel = {"ylabel": "", "lines": ["los"]}
    figure = {
        "kind": "curve",
        "of": ["bottom"],
        "panels": [panel],
        "alt": "Loss of a run by its steps.",
    }
    with pytest.raises(UserError, match=r"figures\.x: no training run logs los\. It logs: .*loss"):
        chart("x", there(tmp_path), figure)
    with pytest.raises(UserError, match=r"figures\.x: .* training of top .* There is: bottom\."):
        chart("x", there(tmp_path), {**figure, "of": ["top"]})
