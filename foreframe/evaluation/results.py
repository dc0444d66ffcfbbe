"""What an evaluation found, as facts and as a table: means over clips, each with its interval.

The interval says how much a number would move with other clips of the kind; differences to the
reference are taken clip by clip, so what makes a clip hard for everyone cancels. The reference is
the baseline that is strongest under the metric: who leads it leads them all.

Shapes: n clips, h predicted frames.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from foreframe.config.sampling import BASELINES
from foreframe.evaluation.prediction import Scores
from foreframe.evaluation.statistics import Interval, interval, paired, won
from foreframe.metrics.metric import Found

SCHEMA = "evaluation"
SEED = 0  # of the resampled clips; the same for all, as an interval is no sample of a model

Values = dict[str, Any]


def summarize(scores: Scores) -> Values:
    """Return what the metrics mean, each predictor's values, and its differences to the reference.

    Each metric of frames has its own: the best of the baselines, which has no difference itself.
    Positive differences of a metric whose lower values are better are therefore losses.
    A value is {mean, low, high, std}: for a metric of frames the mean over clips and frames, and
    the standard deviation over clips. For a metric of whole sets it is that of the set, or the mean
    and standard deviation over repeats; it also has how many `repeats` there are, and whether the
    clips were too `few` for a covariance of full rank. What there is not is None: the ends of an
    interval, the deviation of one clip or repeat, and the whole where there is no value. `missing`
    then has the reason under the metric's name.
    """
    missing: dict[str, str] = {}
    predictors = {name: _values(scores, name, missing) for name in scores.predictors}
    reference = references(scores)
    return {
        "metrics": {
            name: {"better": metric.better, "unit": metric.unit}
            for name, metric in scores.metrics.items()
        },
        "missing": missing,
        "reference": reference,
        "predictors": predictors,
        "differences": {name: _differences(scores, name, reference) for name in predictors},
        "per_frame": per_frame(scores),
        "per_clip": per_clip(scores),
    }


def references(scores: Scores) -> dict[str, str]:
    """Return, for each metric of frames, the baseline with the best mean over clips and frames."""
    found = {}
    for name in scores.frame_metrics:
        best = max if scores.metrics[name].better == "higher" else min
        means = {
            each: float(_clips(scores, each, name).mean())
            for each in scores.predictors
            if each in BASELINES
        }
        found[name] = best(means, key=means.__getitem__)
    return found


def _values(scores: Scores, predictor: str, missing: dict[str, str]) -> Values:
    result: Values = {}
    for name in scores.metrics:
        if name in scores.frame_metrics:
            values_n = _clips(scores, predictor, name)
            result[name] = {**_ends(interval(values_n, SEED)), "std": _deviation(values_n)}
            continue
        found = scores.of_set(predictor, name)
        result[name] = None if found.value is None else _of_set(found)
        if found.missing is not None:
            missing[name] = found.missing
    return result


def _of_set(found: Found) -> Values:
    ends = {"mean": found.value, "low": found.low, "high": found.high, "std": found.std}
    return {**ends, "repeats": found.repeats, "few": found.few}


def _deviation(values_n: Tensor) -> float | None:
    """Return the unbiased standard deviation over clips, None for a single one."""
    return float(values_n.std(correction=1)) if len(values_n) > 1 else None


def _differences(scores: Scores, predictor: str, reference: Mapping[str, str]) -> Values:
    result = {}
    for name in scores.frame_metrics:
        if predictor == reference[name]:
            continue
        pair = (_clips(scores, predictor, name), _clips(scores, reference[name], name))
        better = scores.metrics[name].better
        result[name] = {**_ends(paired(*pair, SEED)), "won": won(*pair, better)}
    return result


def _clips(scores: Scores, predictor: str, metric: str) -> Tensor:
    """Return the mean over frames of each clip, float64 (n,)."""
    return scores.values(predictor, metric).mean(dim=1)


def _ends(found: Interval) -> Values:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def per_frame(scores: Scores) -> dict[str, list[Any]]:
    """Return a table by its columns, with a row for each predictor and frame (1..h).

    Its columns are predictor, frame and, for each metric of frames, its mean over clips under the
    metric's name and the ends of its interval under METRIC_low and METRIC_high, None for too few
    clips. Metrics that compare amounts, such as sharpness, have METRIC_ratio too: predicted / true.
    """
    columns: dict[str, list[Any]] = {"predictor": [], "frame": []}
    for predictor in scores.predictors:
        columns["predictor"] += [predictor] * scores.horizon
        columns["frame"] += range(1, scores.horizon + 1)
        for name in scores.frame_metrics:
            by_frame = scores.values(predictor, name).unbind(1)
            found = [interval(values_n, SEED) for values_n in by_frame]
            columns.setdefault(name, []).extend(frame.mean for frame in found)
            columns.setdefault(f"{name}_low", []).extend(frame.low for frame in found)
            columns.setdefault(f"{name}_high", []).extend(frame.high for frame in found)
            if (ratios := scores.ratio(predictor, name)) is not None:
                columns.setdefault(f"{name}_ratio", []).extend(ratios)
    return columns


def per_clip(scores: Scores) -> dict[str, dict[str, list[float]]]:
    """Return predictor -> metric of frames -> the mean over frames of each clip.

    From these, predictors of several evaluations under one protocol are compared clip by clip.
    """
    return {
        predictor: {name: _clips(scores, predictor, name).tolist() for name in scores.frame_metrics}
        for predictor in scores.predictors
    }
