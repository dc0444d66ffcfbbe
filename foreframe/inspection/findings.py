"""What the sets hold and how far they are apart, as the values that the data report shows.

Suffixes: N frames of the file, Q clips looked up, M windows searched, C = 3 colours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.config.split import SETS
from foreframe.data.clips import SplitRuns, windows
from foreframe.data.views import View
from foreframe.inspection import drift, identical, motion, near_duplicates, perceptual_hash, pixels
from foreframe.inspection.near_duplicates import Nearest, Scenes
from foreframe.inspection.scan import Scan, frame_count, frames_of

# The set that is searched, and the set whose clips are looked up in it.
PAIRS = (("train", "validation"), ("train", "test"), ("validation", "test"))
SHOWN_PAIRS = 2  # of two sets
COURSE = 600  # points of the recording's course in time
MEASURES = ("earth_mover", "jensen_shannon")


def name_of(pair: tuple[str, str]) -> str:
    """Return what a pair of sets is called in files."""
    return "_".join(pair)


def sets(split: SplitRuns, view: View, scenes: Scenes, interval: float) -> dict[str, Any]:
    """Return the size of each set; `interval` is in seconds, playing time in minutes."""
    return {name: _set(split, name, view, scenes, interval) for name in SETS}


def _set(
    split: SplitRuns, name: str, view: View, scenes: Scenes, interval: float
) -> dict[str, Any]:
    runs = split.runs(name)
    frames = frame_count(runs)
    starts = numpy.array([start for start, _ in runs])
    return {
        "episodes": len(numpy.unique(scenes.episodes(starts))),
        "runs": len(runs),
        "frames": frames,
        "minutes": frames * interval / 60,
        "clips": len(view.starts(split, name)),
    }


def lengths(lengths_E: NDArray[numpy.int64]) -> dict[str, Any]:
    """Return the number of episodes and how many frames the shortest, usual and longest has."""
    return {
        "count": len(lengths_E),
        "shortest": int(lengths_E.min()),
        "median": float(numpy.median(lengths_E)),
        "longest": int(lengths_E.max()),
    }


def pixel_statistics(found: Scan) -> dict[str, Any]:
    """Return the statistics of each set's pixels."""
    return {name: asdict(pixels.statistics(found.counts[name].sum(axis=0))) for name in SETS}


def motion_statistics(found: Scan, split: SplitRuns) -> dict[str, Any]:
    """Return the motion of each set; None for a set in which no frame follows another."""
    steps = {name: motion.summary(motion_of(found, split, name)) for name in SETS}
    return {name: None if found is None else asdict(found) for name, found in steps.items()}


def motion_of(found: Scan, split: SplitRuns, name: str) -> NDArray[numpy.float64]:
    """Return the steps of one set, float64, in levels; NaN where a run begins."""
    return found.motion[frames_of(split.runs(name))]


def course(found: Scan, split: SplitRuns) -> dict[str, NDArray[numpy.float64]]:
    """Return at most COURSE means over neighbouring frames, in the order of the file.

    `frame` (P,) is the mean frame number, `colour` (P, C) and `motion` (P,) are in levels. A point
    whose frames all begin runs has the motion NaN.
    """
    frames_N = numpy.sort(frames_of([run for name in SETS for run in split.runs(name)]))
    groups = numpy.array_split(frames_N, min(COURSE, len(frames_N)))
    return {
        "frame": numpy.array([group.mean() for group in groups]),
        "colour": numpy.stack([found.colour[group].mean(axis=0) for group in groups]),
        "motion": numpy.array([_mean(found.motion[group]) for group in groups]),
    }


def _mean(values: NDArray[numpy.float64]) -> float:
    known = values[~numpy.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class Duplicates:
    """What the search for near-duplicates found.

    Attributes:
        calibration: training clips among different scenes of the training set.
        threshold: largest distance in bits that counts as near, or None.
        found: each clip looked up in another set, by the pair's name.
        shown: places in `found` of the closest pairs, by the pair's name.
        values: all that the report says of it.
    """

    calibration: Nearest
    threshold: int | None
    found: Mapping[str, Nearest]
    shown: Mapping[str, Sequence[int]]
    values: dict[str, Any]


def duplicates(found: Scan, split: SplitRuns, view: View, scenes: Scenes) -> Duplicates:
    """Return the nearest clips between the sets, and between different training scenes."""
    offsets_K = perceptual_hash.offsets(view.frames)
    every = {name: windows(split.runs(name), view.frames, 1) for name in SETS}
    starts = {name: view.starts(split, name) for name in SETS}
    clips = near_duplicates.spread(starts["train"], near_duplicates.CALIBRATION)
    usual = near_duplicates.nearest(found.hashes, clips, every["train"], offsets_K, scenes)
    threshold = near_duplicates.threshold(usual)
    usual_values = _looked_up(usual, threshold)
    nearest, shown, pairs = {}, {}, {}
    for first, second in PAIRS:
        name = name_of((first, second))
        queries = near_duplicates.spread(starts[second], near_duplicates.QUERIES)
        looked = near_duplicates.nearest(found.hashes, queries, every[first], offsets_K, None)
        same = identical.occurring(found.checksums, starts[second], every[first], view.frames)
        nearest[name] = looked
        shown[name] = near_duplicates.closest(looked, scenes, SHOWN_PAIRS)
        pairs[name] = {
            "clips": len(starts[second]),
            "identical": int(same.sum()),
            "windows": len(every[first]),
            **_looked_up(looked, threshold),
        }
        pairs[name]["chance"] = near_duplicates.chance(
            (pairs[name]["near"], len(queries)), (usual_values["near"], len(clips))
        )
    values = {
        "bits": perceptual_hash.BITS * len(offsets_K),
        "frames": len(offsets_K),
        "threshold": threshold,
        "apart": scenes.apart,
        "calibration": {"windows": len(every["train"]), **usual_values},
        "pairs": pairs,
    }
    return Duplicates(usual, threshold, nearest, shown, values)


def _looked_up(found: Nearest, threshold: int | None) -> dict[str, Any]:
    known = found.distances[found.distances < near_duplicates.NONE]
    within = 0 if threshold is None else int((known <= threshold).sum())
    return {
        "looked_up": len(found.queries),
        "near": within,
        "share": within / len(found.queries),
        "closest": int(known.min()) if len(known) else None,
        "median": float(numpy.median(known)) if len(known) else None,
    }


def drifts(found: Scan, split: SplitRuns) -> dict[str, Any]:
    """Return how far each set's colours are from the training set's, and how far is usual.

    `usual` holds the distances of the training set's stretches; of each other set, `usual_beyond`
    is the number of stretches that are further from the rest than the set is from the training set.
    """
    train_SCV = found.counts["train"]
    usual = [_distance(part) for part in drift.among(train_SCV)]
    total_CV = train_SCV.sum(axis=0)
    others = {
        name: _distance(drift.distance(found.counts[name][0], total_CV))
        for name in SETS
        if name != "train"
    }
    for values in others.values():
        values["usual_beyond"] = {
            measure: sum(part[measure] > values[measure] for part in usual) for measure in MEASURES
        }
    return {
        "stretch_frames": frame_count(split.train) // len(train_SCV),
        "usual": {measure: [part[measure] for part in usual] for measure in MEASURES},
        "sets": others,
    }


def _distance(found: drift.Distance) -> dict[str, Any]:
    """Return both measures as means over the colours, and of each colour."""
    colours = {measure: getattr(found, measure) for measure in MEASURES}
    means = {measure: float(values.mean()) for measure, values in colours.items()}
    return {**means, "colours": {measure: values.tolist() for measure, values in colours.items()}}
