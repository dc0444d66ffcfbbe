"""Random clips from frames.h5, against the same clips from plain HDF5, PNG files and videos.

    python -m benchmarks.loading --json OUT.json [--frames data/driving/frames.h5]

All containers are made in a temporary folder from the frames of a study and lie in the page cache.
Each worker is a process that reads clips at random places for some seconds and keeps none.
"""

import argparse
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import av
import h5py
import numpy
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import limits
from foreframe.artefacts import facts
from foreframe.data import clips, writing
from foreframe.data import frames as frames_file
from foreframe.randomness import numpy_generator
from foreframe.sources import BLOCK, Block, Episode

LENGTH = 16
SECONDS = 1.5
ROUNDS = 3
CHECKED = 50
COPIES = 10
RATE = 10

Clip = NDArray[numpy.uint8]  # (T, H, W, 3)
Reader = Callable[[int], Clip]


@dataclass(frozen=True)
class Row:
    """How many clips and bytes of frames a second one container gives, with one or two workers."""

    container: str
    workers: int
    clips_per_second: float
    bytes_per_second: float
    times_frames_h5: float


# Containers: how each is written, and how a clip that begins at a frame is read ------------------


def episodes(source: Path) -> Iterator[Episode]:
    """Yield the episodes of a file of frames, without actions and states."""
    runs = frames_file.episodes(source)
    for number, (start, stop) in enumerate(runs):
        yield Episode(str(number), len(runs), _blocks(source, start, stop))


def _blocks(source: Path, start: int, stop: int) -> Iterator[Block]:
    with frames_file.opening(source) as file:
        for first in range(start, stop, BLOCK):
            frames = file["frames"][first : min(first + BLOCK, stop)]
            nothing = numpy.empty((len(frames), 0), numpy.float32)
            yield Block(frames, nothing, nothing)


def write_frames(source: Path, folder: Path, copies: int = 1) -> None:
    """Write frames.h5 as `collect` does, from so many copies of the source."""
    with frames_file.opening(source) as file:
        _, height, width, _ = file["frames"].shape
    layout = writing.Layout(
        height=height, width=width, frame_interval=1 / RATE, source="video_folder",
        actions=(), states=(), labels={}, chunk=LENGTH,
    )  # fmt: skip
    with writing.creating(folder / "frames.h5", layout) as writer:
        for _ in range(copies):
            for episode in episodes(source):
                for _ in writer.add(episode):
                    pass


def read_frames(folder: Path) -> Reader:
    path = folder / "frames.h5"
    count = frames_file.episodes(path)[-1][1]
    reader = clips.Clips(path, numpy.arange(count), LENGTH)
    return lambda start: reader.read([start]).numpy()[0]


def write_plain(source: Path, folder: Path) -> None:
    with frames_file.opening(source) as old, h5py.File(folder / "plain.h5", "w") as new:
        frames = old["frames"]
        chunks = (LENGTH, *frames.shape[1:])
        result = new.create_dataset("frames", frames.shape, frames.dtype, chunks=chunks)
        for start in range(0, len(frames), LENGTH):
            result[start : start + LENGTH] = frames[start : start + LENGTH]


def read_plain(folder: Path) -> Reader:
    frames = h5py.File(folder / "plain.h5", "r")["frames"]
    return lambda start: numpy.asarray(frames[start : start + LENGTH])


def write_images(source: Path, folder: Path) -> None:
    (folder / "images").mkdir()
    number = 0
    for episode in episodes(source):
        for block in episode.blocks:
            for frame in block.frames:
                Image.fromarray(frame).save(folder / "images" / f"{number}.png")
                number += 1


def read_images(folder: Path) -> Reader:
    def image(number: int) -> Clip:
        with Image.open(folder / "images" / f"{number}.png") as file:
            return numpy.asarray(file)

    return lambda start: numpy.stack([image(start + number) for number in range(LENGTH)])


def write_videos(source: Path, folder: Path) -> None:
    (folder / "videos").mkdir()
    with frames_file.opening(source) as file:
        _, height, width, _ = file["frames"].shape
    start = 0
    for episode in episodes(source):
        with av.open(str(folder / "videos" / f"{start}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            for block in episode.blocks:
                for frame in block.frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
                    start += 1
            container.mux(stream.encode())


def read_videos(folder: Path) -> Reader:
    firsts = numpy.array(sorted(int(path.stem) for path in (folder / "videos").iterdir()))
    opened = {first: av.open(str(folder / "videos" / f"{first}.mp4")) for first in firsts}

    def read(start: int) -> Clip:
        first = firsts[numpy.searchsorted(firsts, start, side="right") - 1]
        stream = opened[first].streams.video[0]
        ticks = round((start - first) / RATE / stream.time_base)
        opened[first].seek(ticks, stream=stream)
        pictures: list[Clip] = []
        for picture in opened[first].decode(stream):
            if picture.pts >= ticks:
                pictures.append(numpy.asarray(picture.to_ndarray(format="rgb24"), numpy.uint8))
            if len(pictures) == LENGTH:
                break
        return numpy.stack(pictures)

    return read


WRITERS = (write_frames, write_plain, write_images, write_videos)
READERS: Mapping[str, Callable[[Path], Reader]] = {
    "frames.h5": read_frames,
    "plain HDF5": read_plain,
    "PNG files": read_images,
    "H.264 videos": read_videos,
}


# Measuring ----------------------------------------------------------------------------------------


def differences(folder: Path, starts: NDArray[numpy.int64]) -> dict[str, float]:
    """Return the mean difference of each container's clips from those of frames.h5, of 255."""
    readers = {name: open_reader(folder) for name, open_reader in READERS.items()}
    total = dict.fromkeys(READERS, 0.0)
    for start in starts[:CHECKED]:
        expected = readers["frames.h5"](int(start)).astype(float)
        for name, read in readers.items():
            total[name] += float(numpy.abs(read(int(start)) - expected).mean()) / CHECKED
    wrong = [name for name in ("plain HDF5", "PNG files") if total[name]]
    assert not wrong, f"{wrong} hold other clips than frames.h5"
    return total


def rate(name: str, folder: Path, starts: NDArray[numpy.int64], workers: int) -> float:
    """Return the clips a second of all workers together, the best of some rounds."""
    return max(sum(each[0] for each in _run(name, folder, starts, workers)) for _ in range(ROUNDS))


def _run(
    name: str, folder: Path, starts: NDArray[numpy.int64], workers: int
) -> list[tuple[float, int]]:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(workers), context.Queue()
    team = [
        context.Process(target=_work, args=(name, folder, starts[n::workers], barrier, queue))
        for n in range(workers)
    ]
    for process in team:
        process.start()
    results = [queue.get(timeout=600) for _ in team]
    for process in team:
        process.join()
    return results


def _work(
    name: str,
    folder: Path,
    starts: NDArray[numpy.int64],
    barrier: Barrier,
    queue: "Queue[tuple[float, int]]",
) -> None:
    torch.set_num_threads(1)
    read = READERS[name](folder)
    for start in starts[:20]:
        read(int(start))
    barrier.wait()
    begin = time.perf_counter()
    number = 0
    while time.perf_counter() - begin < SECONDS:
        read(int(starts[number % len(starts)]))
        number += 1
    done = number / (time.perf_counter() - begin)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+([0-9]+) kB", status)
    assert found is not None, "Linux says how much memory a process took"
    queue.put((done, 1024 * int(found[1])))


def places(path: Path) -> NDArray[numpy.int64]:
    """Return the first frames of all clips of a file, in an order drawn at random."""
    starts = clips.windows(frames_file.episodes(path), LENGTH, 1)
    return numpy_generator(0, "loading").permutation(starts)


def measure(source: Path, folder: Path) -> dict[str, object]:
    """Return the rows, the differences of the clips, and the memory."""
    for write in WRITERS:
        write(source, folder)
    starts = places(folder / "frames.h5")
    size = read_plain(folder)(0).nbytes
    different = differences(folder, starts)
    rows = []
    for workers in (1, 2):
        rates = {name: rate(name, folder, starts, workers) for name in READERS}
        ours = rates["frames.h5"]
        rows += [Row(name, workers, x, x * size, x / ours) for name, x in rates.items()]
    # The most bytes that a process took which read clips of frames.h5, and of one that is larger.
    small = _run("frames.h5", folder, starts, 1)[0][1]
    write_frames(source, folder, COPIES)
    large = _run("frames.h5", folder, places(folder / "frames.h5"), 1)[0][1]
    return {
        "rows": [asdict(row) for row in rows],
        "mean_difference_of_255": different,
        "clip": {"frames": LENGTH, "bytes": size},
        "frames": int(starts.max()) + LENGTH,
        "memory_bytes": {"1": small, str(COPIES): large},
    }


def show(result: Mapping[str, object]) -> None:
    """Print the result as a table."""
    print(f"{'container':16}{'workers':>8}{'clips/s':>10}{'MB/s':>9}{'x frames.h5':>13}")
    rows = result["rows"]
    assert isinstance(rows, list), "measure makes a list"
    for row in rows:
        print(
            f"{row['container']:16}{row['workers']:8}{row['clips_per_second']:10.0f}"
            f"{row['bytes_per_second'] / 1e6:9.1f}{row['times_frames_h5']:13.3f}"
        )
    print(f"mean difference, of 255: {result['mean_difference_of_255']}")
    print(f"memory in bytes, by copies of the data: {result['memory_bytes']}")
    print(f"load of the machine: {result['load']}")


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT.json")
    parser.add_argument("--frames", type=Path, default=Path("data/driving/frames.h5"))
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options.frames, Path(folder))
    result["load"] = {"before": before, "after": os.getloadavg()[0], "cores": os.cpu_count()}
    result["machine"] = limits.machine(torch.device("cpu"))
    show(result)
    if options.json is not None:
        facts.write(options.json, "benchmark_loading", result)


if __name__ == "__main__":
    main()
