"""One pass over the frames of all sets: what is known of each frame, and what is counted.

Fifty bytes are kept of a frame, so ten hours of video at ten frames a second take 20 MB.
Suffixes: N frames of the file, H height, W width, C = 3 colours, S stretches, V = 256 values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from foreframe.config.split import SETS
from foreframe.data.clips import Run, SplitRuns
from foreframe.inspection import drift, identical, motion, perceptual_hash, pixels
from foreframe.inspection.reading import Block


@dataclass(frozen=True)
class Scan:
    """What one pass finds; a frame that is in no set has zeros, and NaN for its numbers.

    Attributes:
        hashes: perceptual hash of each frame, uint64 (N,).
        checksums: checksum of each frame, uint64 (N,).
        motion: mean absolute difference to the frame before, in levels, float64 (N,); NaN for the
            first frame of a run.
        colour: mean of each colour, in levels, float64 (N, C).
        counts: how often each value occurs, int64 (S, C, V), by set; the stretches of the training
            set follow each other in time, the other sets are one stretch each.
    """

    hashes: NDArray[numpy.uint64]
    checksums: NDArray[numpy.uint64]
    motion: NDArray[numpy.float64]
    colour: NDArray[numpy.float64]
    counts: Mapping[str, NDArray[numpy.int64]]


def frame_count(runs: Iterable[Run]) -> int:
    """Return how many frames are in some runs."""
    return sum(stop - start for start, stop in runs)


def frames_of(runs: Iterable[Run]) -> NDArray[numpy.int64]:
    """Return the numbers of the frames in some runs, int64, in the runs' order."""
    return numpy.concatenate([numpy.arange(start, stop) for start, stop in runs])


def scan(blocks: Iterable[Block], split: SplitRuns, total: int) -> Scan:
    """Return what is found in the blocks of a file of `total` frames; their size is free."""
    sizes = {name: frame_count(split.runs(name)) for name in SETS}
    others = (sizes["validation"] + sizes["test"]) / 2
    stretches = dict.fromkeys(SETS, 1)
    stretches["train"] = drift.stretch_count(sizes["train"], others)
    result = Scan(
        hashes=numpy.zeros(total, numpy.uint64),
        checksums=numpy.zeros(total, numpy.uint64),
        motion=numpy.full(total, numpy.nan),
        colour=numpy.full((total, 3), numpy.nan),
        counts={
            name: numpy.zeros((stretches[name], 3, pixels.VALUES), numpy.int64) for name in SETS
        },
    )
    before_HWC: NDArray[numpy.uint8] | None = None
    for block in blocks:
        _add(result, block, None if block.begins else before_HWC)
        _count(result.counts[block.set_name], block, sizes[block.set_name])
        before_HWC = block.frames[-1]
    return result


def _add(result: Scan, block: Block, before_HWC: NDArray[numpy.uint8] | None) -> None:
    frames_NHWC = block.frames
    part = slice(block.first, block.first + len(frames_NHWC))
    result.hashes[part] = perceptual_hash.hashes(frames_NHWC)
    result.checksums[part] = identical.checksums(frames_NHWC)
    result.motion[part] = motion.steps(frames_NHWC, before_HWC)
    result.colour[part] = pixels.means(frames_NHWC)


def _count(counts_SCV: NDArray[numpy.int64], block: Block, size: int) -> None:
    places_N = block.position + numpy.arange(len(block.frames))
    stretches_N = places_N * len(counts_SCV) // size
    for stretch in numpy.unique(stretches_N):
        counts_SCV[stretch] += pixels.counts(block.frames[stretches_N == stretch])
