"""The search's and the trainings' figures: every run is drawn, and where it belongs."""

from typing import Any

import numpy
import pandas
import pytest
from matplotlib.figure import Figure

from foreframe.report import style
from foreframe.report.replication import costs, search, trainings
from foreframe.report.study import Training

SPACE: dict[str, Any] = {
    "codebook_size": {"choices": [16, 64, 128]},
    "residual_layers": {"low": 2, "high": 12},
    "training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
}
FACTS = {
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


def lines(figure: Figure) -> list[numpy.ndarray[Any, Any]]:
    """Return the points of every drawn line of the first axes."""
    return [numpy.asarray(line.get_xydata()) for line in figure.axes[0].lines]


def test_a_line_goes_through_the_values_of_its_trial() -> None:
    with style.drawing():
        drawn = lines(search.parallel(TRIALS, FACTS))
    whole = [points for points in drawn if len(points) == len(SPACE) + 1]
    heights = numpy.unique(numpy.round([points[:, 1] for points in whole], 1), axis=0)
    # Trials 0, 3 and 1, each from 0 (lowest) to 1 along every axis, the loss last.
    expected = [[0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 0.0]]
    numpy.testing.assert_allclose(heights, expected, atol=0.05)
    # The one that did not finish has no loss.
    (failed,) = {tuple(points[:, 1].round(1)) for points in drawn if len(points) == len(SPACE)}
    assert failed == (0.5, 0.5, 0.8)


def test_losses_over_codebook_sizes_are_those_of_finished_trials() -> None:
    with style.drawing():
        figure = search.codebook(TRIALS, FACTS)
        drawn: dict[str, Any] = {str(line.get_label()): line for line in figure.axes[0].lines}
    points = [tuple(point) for name in ("a run", "best run") for point in drawn[name].get_xydata()]
    assert sorted(points) == [(16.0, 0.3), (16.0, 0.4), (128.0, 0.2)]
    assert [tuple(point) for point in drawn["median"].get_xydata()] == [(16, 0.35), (128, 0.2)]
    assert "-0.50" in figure.axes[0].get_title()


@pytest.mark.parametrize("found", [{}, {"codebook_size": {"spearman": None, "p": None}}])
def test_too_few_runs_have_no_correlation(found: dict[str, Any]) -> None:
    with style.drawing():
        figure = search.codebook(TRIALS, {**FACTS, "correlations": found})
    assert "Too few" in figure.axes[0].get_title()


def training(scale: float = 1.0, diverged: int | None = None) -> Training:
    steps = numpy.arange(10, 101, 10)
    curve = pandas.DataFrame(
        {"epoch": 1, "step": steps, "samples": steps, "loss": scale * (2 + 1 / steps)}
    )
    curve["gradient_norm"] = 1.0
    epochs = pandas.DataFrame({"step": [50, 100], "train_loss": 2.1, "validation_loss": 2.2})
    if diverged is not None:
        curve, epochs = curve[:4].copy(), epochs[:1].assign(validation_loss=numpy.nan)
        curve.loc[3, "loss"] = 4e10
    facts = {"parameters": int(1e6 * scale), "steps": 100, "samples": 400, "flops_per_clip": 7}
    return Training({**facts, "diverged_at_step": diverged}, curve, epochs)


def test_three_priors_share_one_plot() -> None:
    with style.drawing():
        figure = trainings.tops({"a": training(1.0), "b": training(1.5), "c": training(2.0)})
    (axes,) = figure.axes
    assert len(axes.lines) == 6
    assert len({line.get_color() for line in axes.lines}) == 3
    # Grey print: lines and marks differ too.
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 6
    low, high = axes.get_ylim()
    assert low < 2.0 and high > 4.0


def test_a_diverged_run_is_drawn_up_to_its_last_number() -> None:
    with style.drawing():
        figure: Any = trainings.bottom(training(diverged=47))
    loss, norm = figure.axes
    assert [loss.get_yscale(), norm.get_yscale()] == ["log", "linear"]
    assert loss.lines[0].get_xydata()[-1].tolist() == [40, 4e10]
    assert len(loss.lines[1].get_xydata()) == 0
    (mark,) = (line for line in loss.lines if "diverged" in str(line.get_label()))
    assert set(mark.get_xdata()) == {47}


def test_a_steady_run_has_a_plain_axis() -> None:
    with style.drawing():
        loss, _ = trainings.bottom(training()).axes
    assert loss.get_yscale() == "linear"
    assert not any("diverged" in str(line.get_label()) for line in loss.lines)


def test_operations_are_three_passes_for_each_clip_seen() -> None:
    settings = {"a": {"training": {"batch_size": 4, "gradient_clip": None}}}
    (row,) = costs.rows({"a": training()}, settings)
    assert row == {
        "name": "a",
        "parameters": 1000000,
        "batch_size": 4,
        "gradient_clip": None,
        "epochs": 2,
        "steps": 100,
        "samples": 400,
        "operations": 3 * 7 * 400,
    }
    whole = costs.of_search(TRIALS, {"changes": {"training": {"epochs": 2}}})
    assert whole["operations"] == 3 * (80 + 320 + 80 + 240)
    assert (whole["steps"], whole["samples"], whole["epochs"]) == (14, 28, 2)
    assert (whole["fewest_parameters"], whole["parameters"]) == (100, 400)
