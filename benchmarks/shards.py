"""What it costs to join shards of frames, beside copying and hashing the same bytes.

    python -m benchmarks.shards --frames 4000 --side 128 --shards 4

Processor time of one process, which says more than seconds on a busy machine; files lie in a
temporary folder, and are in the system's cache when they are read.
"""

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy

from foreframe.data import shards as shard_files
from foreframe.data import writing
from foreframe.data.shards import Origin, Shard, Shards
from foreframe.data.writing import Layout
from foreframe.randomness import numpy_generator
from foreframe.sources import BLOCK, Block, Episode, video_folder
from stages import join_frames

EPISODE = 250  # frames


def blocks(side: int, number: int) -> Iterator[Block]:
    """Yield an episode's frames, which no filter could make smaller."""
    random, nothing = numpy_generator(0, number), numpy.empty((BLOCK, 0), numpy.float32)
    for first in range(0, EPISODE, BLOCK):
        count = min(BLOCK, EPISODE - first)
        frames = random.integers(0, 256, (count, side, side, 3), dtype=numpy.uint8)
        yield Block(frames, nothing[:count], nothing[:count])


def write(folder: Path, source: video_folder.Settings, episodes: int, count: int) -> Shards:
    """Write `count` shards of so many episodes together."""
    layout = Layout(source.height, source.width, 0.1, source.kind, (), (), {}, 16)
    borders = [place * episodes // count for place in range(count + 1)]
    parts: Shards = {}
    for place, (first, last) in enumerate(pairwise(borders)):
        name = f"shard_{place}"
        parts[name] = Shard(videos=Path("videos"), first=first, count=last - first)
        with writing.creating(shard_files.path_of(folder, name), layout) as writer:
            shard_files.describe(writer.file, Origin.of(parts[name], source, 0))
            for number in range(first, last):
                for _ in writer.add(Episode(f"{number}", episodes, blocks(source.height, number))):
                    pass
    return parts


def took(work: Callable[[], object]) -> float:
    """Return the processor seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print megabytes of frames a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("frames", 4000), ("side", 128), ("shards", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    side = options.side
    source = video_folder.Settings(kind="video_folder", height=side, width=side, frame_interval=0.1)
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name, "joined.h5")
        parts = write(folder, source, options.frames // EPISODE, options.shards)
        works: dict[str, Callable[[], object]] = {
            "join": lambda: join_frames.main(
                folder=folder, shards=parts, source=source, seed=0, out=out
            ),
            "copy": lambda: shutil.copyfile(out, folder / "copy.h5"),
            "md5": lambda: hashlib.md5(out.read_bytes()).hexdigest(),
            "look at the shards": lambda: shard_files.find(folder, parts, source, 0),
        }
        seconds = {what: took(work) for what, work in works.items()}
        size = out.stat().st_size / 1e6
        print(f"{size:.0f} MB in {options.shards} shards")
        for what, spent in seconds.items():
            print(f"{what:20}{spent:8.2f} s{size / max(spent, 1e-3):10.0f} MB/s")


if __name__ == "__main__":
    main()
