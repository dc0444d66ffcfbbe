"""Stage inspect_data: what the sets hold, whether clips of one are in another, how colours drift.

The numbers go into facts; what figures are drawn from, a few clips among it, into arrays.
Suffixes: E episodes, T frames of a clip, H height, W width.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5
from foreframe.config.split import SETS
from foreframe.data.clips import Clips, SplitRuns, load_split
from foreframe.data.views import View
from foreframe.inspection import findings, motion, near_duplicates, reading
from foreframe.inspection.findings import Duplicates
from foreframe.inspection.scan import Scan, scan
from foreframe.running import stage

SHOWN_CLIPS = 3  # of each set


def pair_facts(duplicates: Duplicates, frames: Path, clip_frames: int) -> dict[str, Any]:
    """Return by pair of sets where its shown pairs lie and how far apart their pixels are.

    `difference` is the mean absolute difference over all frames and colours, in levels.
    """
    shown: dict[str, list[dict[str, Any]]] = {}
    for name, places in duplicates.shown.items():
        found = duplicates.found[name]
        shown[name] = []
        for place in places:
            window, query = int(found.windows[place]), int(found.queries[place])
            with Clips(frames, [window, query], clip_frames) as clips:
                first, second = clips.read([0, 1]).numpy().astype(numpy.int64)
            shown[name].append(
                {
                    "window": window,
                    "clip": query,
                    "distance": int(found.distances[place]),
                    "difference": float(numpy.abs(first - second).mean()),
                }
            )
    return shown


def write_arrays(
    path: Path,
    frames: Path,
    split: SplitRuns,
    view: View,
    lengths_E: NDArray[numpy.int64],
    found: Scan,
    duplicates: Duplicates,
) -> None:
    """Write what figures are drawn from: counts, courses, distances, and a few clips."""
    with hdf5.creating(path, "inspection", {}) as file:
        hdf5.store(file, "episode_length", lengths_E)
        hdf5.store(file, "motion_edges", motion.EDGES)
        for name, values in findings.course(found, split).items():
            hdf5.store(file, f"course/{name}", values)
        hdf5.store(file, "distances/usual", duplicates.calibration.distances)
        for name, nearest in duplicates.found.items():
            hdf5.store(file, f"distances/{name}", nearest.distances)
        for name in SETS:
            hdf5.store(file, f"pixels/{name}", found.counts[name].sum(axis=0))
            steps = findings.motion_of(found, split, name)
            hdf5.store(file, f"motion/{name}", motion.distribution(steps))
            starts = near_duplicates.spread(view.starts(split, name), SHOWN_CLIPS)
            store_clips(file, f"clips/{name}", frames, starts, view.frames)
        for name, places in duplicates.shown.items():
            nearest = duplicates.found[name]
            starts = numpy.stack([nearest.windows[places], nearest.queries[places]], axis=1)
            store_clips(file, f"pairs/{name}", frames, starts.ravel(), view.frames)


def store_clips(
    file: h5py.File, name: str, frames: Path, starts: NDArray[numpy.int64], clip_frames: int
) -> None:
    """Store clips, uint8 (clips, T, H, W, 3), and where they begin."""
    with Clips(frames, starts, clip_frames) as clips:
        hdf5.store(file, f"{name}/frames", clips.read(numpy.arange(len(starts))).numpy())
    hdf5.store(file, f"{name}/start", starts)


def main(*, frames: Path, split: Path, view: View, inspection: Path, arrays: Path) -> None:
    """Go once through the frames of all sets, compare the sets, and write what was found.

    Clips are those of `view`; of the rest it says nothing, since frames are looked at as they are.
    """
    runs = load_split(split)
    with reading.opening(frames, runs) as file:
        dataset = file["frames"]
        blocks = reading.blocks(dataset, runs, reading.block_size(dataset))
        found = scan(blocks, runs, len(dataset))
        size, interval = dataset.shape[1:3], float(file.attrs["frame_interval"])
        starts_E, lengths_E = file["episode_start"][:], file["episode_length"][:]
    scenes = near_duplicates.Scenes(starts_E, near_duplicates.APART * view.frames)
    duplicates = findings.duplicates(found, runs, view, scenes)
    shown = pair_facts(duplicates, frames, view.frames)
    values = {
        "frame_size": list(size),
        "frame_interval": interval,
        "clip_frames": view.frames,
        "episodes": findings.lengths(lengths_E),
        "sets": findings.sets(runs, view, scenes, interval),
        "pixels": findings.pixel_statistics(found),
        "motion": findings.motion_statistics(found, runs),
        "duplicates": {**duplicates.values, "shown": shown},
        "drift": findings.drifts(found, runs),
    }
    write_arrays(arrays, frames, runs, view, lengths_E, found, duplicates)
    facts.write(inspection, "inspection", values)


if __name__ == "__main__":
    stage.run(main)
