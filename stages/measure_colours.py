"""Stage measure_colours: what the colours of the training frames are like, and of no others."""

from collections.abc import Iterator
from pathlib import Path

import numpy
from numpy.typing import NDArray

from foreframe.data import clips, normalization
from foreframe.data import frames as frames_file
from foreframe.errors import ArtefactError
from foreframe.running import stage


def training_blocks(frames: Path, split: clips.SplitRuns) -> Iterator[NDArray[numpy.uint8]]:
    """Yield the frames of the training runs in uint8 blocks (n, height, width, 3).

    Raises:
        ArtefactError: the runs reach beyond the last frame.
    """
    with frames_file.opening(frames) as file:
        dataset = file["frames"]
        if split.train[-1][1] > len(dataset):
            raise ArtefactError(f"{frames} has fewer frames than the split. Run `dvc repro`.")
        # One chunk at a time: the memory stays the same however long the runs are.
        size = dataset.chunks[0]
        for start, stop in split.train:
            for first in range(start, stop, size):
                yield dataset[first : min(first + size, stop)]


def main(*, frames: Path, split: Path, out: Path) -> None:
    """Write the mean and the standard deviation of each channel over the training runs."""
    blocks = training_blocks(frames, clips.load_split(split))
    normalization.save(out, normalization.measure(blocks))


if __name__ == "__main__":
    stage.run(main)
