"""What an evaluation found, as facts and as a table: means over clips, each with its interval.

The interval says how much a number would move with other clips of the kind; differences to the
reference are taken clip by clip, so what makes a clip hard for everyone cancels.

Shapes: n clips, h predicted frames.
"""

from typing import Any

import pandas
from torch import Tensor

from foreframe.metrics.prediction import Scores
from foreframe.metrics.statistics import Interval, interval, paired, won

SCHEMA = "evaluation"
REFERENCE = "copy_last_frame"  # the predictor that all others are compared with, clip by clip
SEED = 0  # of the resampled clips; the same for all, as an interval is no sample of a model

Values = dict[str, Any]


def summarize(scores: Scores) -> Values:
    """Return what the metrics mean, each predictor's values, and its differences to the reference.

    A value is {mean, low, high}: over clips and frames for a metric of frames, that of the whole
    set otherwise; the ends of its interval are None where there is none, and the whole is None
    where there is no value. `missing` then has the reason under the metric's name.
    """
    missing: dict[str, str] = {}
    predictors = {name: _values(scores, name, missing) for name in scores.predictors}
    others = [name for name in scores.predictors if name != REFERENCE]
    return {
        "metrics": {
            name: {"better": metric.better, "unit": metric.unit}
            for name, metric in scores.metrics.items()
        },
        "missing": missing,
        "reference": REFERENCE,
        "predictors": predictors,
        "differences": {name: _differences(scores, name) for name in others},
    }


def _values(scores: Scores, predictor: str, missing: dict[str, str]) -> Values:
    result: Values = {}
    for name in scores.metrics:
        if name in scores.frame_metrics:
            result[name] = _ends(interval(_clips(scores, predictor, name), SEED))
            continue
        found = scores.of_set(predictor, name)
        ends = {"mean": found.value, "low": found.low, "high": found.high}
        result[name] = None if found.value is None else ends
        if found.missing is not None:
            missing[name] = found.missing
    return result


def _differences(scores: Scores, predictor: str) -> Values:
    result = {}
    for name in scores.frame_metrics:
        pair = (_clips(scores, predictor, name), _clips(scores, REFERENCE, name))
        better = scores.metrics[name].better
        result[name] = {**_ends(paired(*pair, SEED)), "won": won(*pair, better)}
    return result


def _clips(scores: Scores, predictor: str, metric: str) -> Tensor:
    """Return the mean over frames of each clip, float64 (n,)."""
    return scores.values(predictor, metric).mean(dim=1)


def _ends(found: Interval) -> Values:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def per_frame(scores: Scores) -> pandas.DataFrame:
    """Return a row for each predictor and frame (1..h) of the horizon.

    Its columns are predictor, frame and, for each metric of frames, its mean over clips under the
    metric's name and the ends of its interval under METRIC_low and METRIC_high, empty for too few
    clips. Metrics that compare amounts, such as sharpness, have METRIC_ratio too: predicted / true.
    """
    return pandas.concat([_rows(scores, name) for name in scores.predictors], ignore_index=True)


def _rows(scores: Scores, predictor: str) -> pandas.DataFrame:
    columns: dict[str, list[float | None]] = {}
    for name in scores.frame_metrics:
        found = [interval(values_n, SEED) for values_n in scores.values(predictor, name).unbind(1)]
        columns[name] = [frame.mean for frame in found]
        columns[f"{name}_low"] = [frame.low for frame in found]
        columns[f"{name}_high"] = [frame.high for frame in found]
        if (ratios := scores.ratio(predictor, name)) is not None:
            columns[f"{name}_ratio"] = ratios
    rows = pandas.DataFrame(columns, index=range(scores.horizon))
    rows.insert(0, "frame", range(1, len(rows) + 1))
    rows.insert(0, "predictor", predictor)
    return rows
