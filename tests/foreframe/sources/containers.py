"""The same episodes in every container that a source reads, and what the sources make of them."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
from numpy.typing import NDArray
from PIL import Image

from foreframe import kinds
from foreframe.sources import BLOCK, Stream
from tests.foreframe.sources import making

Frames = NDArray[numpy.uint8]


@dataclass(frozen=True)
class Recording:
    """An episode as it was recorded: frames (N, H, W, 3), actions (N, A), states (N, S)."""

    name: str
    frames: Frames
    actions: NDArray[numpy.float32]
    states: NDArray[numpy.float32]


@dataclass(frozen=True)
class Collected:
    """An episode as a source gives it."""

    origin: str
    part: str
    frames: Frames
    actions: NDArray[numpy.float32]
    states: NDArray[numpy.float32]


def random(*lengths: int, height: int = 16, width: int = 24, seed: int = 0) -> list[Recording]:
    """Return episodes of these lengths with two actions and a state, named take1, take2, ..."""
    rng = numpy.random.Generator(numpy.random.Philox(seed))
    return [
        Recording(
            f"take{number}",
            rng.integers(0, 256, (length, height, width, 3), dtype=numpy.uint8),
            rng.standard_normal((length, 2)).astype(numpy.float32),
            rng.standard_normal((length, 1)).astype(numpy.float32),
        )
        for number, length in enumerate(lengths, start=1)
    ]


def stream(kind: str, folder: Path, workers: int = 1, first: int = 0, **changes: Any) -> Stream:
    """Return what a source gives at 16 x 24 pixels and ten frames a second, unless changed."""
    module = kinds.find("foreframe.sources", kind)
    values = {"kind": kind, "height": 16, "width": 24, "frame_interval": 0.1, **changes}
    if "recorded_interval" in module.Settings.model_fields:
        values.setdefault("recorded_interval", 0.1)
    found: Stream = module.stream(module.Settings(**values), 0, folder, workers, first)
    return found


def collect(
    kind: str, folder: Path, workers: int = 1, first: int = 0, **changes: Any
) -> list[Collected]:
    """Return all episodes that a source gives, after a look at the size of its blocks."""
    found = stream(kind, folder, workers, first, **changes)
    result = []
    for episode in found.episodes:
        blocks = list(episode.blocks)
        assert [len(block.frames) for block in blocks[:-1]] == [BLOCK] * (len(blocks) - 1)
        frames, actions, states = (
            numpy.concatenate([getattr(block, name) for block in blocks])
            for name in ("frames", "actions", "states")
        )
        assert actions.shape == (len(frames), len(found.actions))
        assert states.shape == (len(frames), len(found.states))
        result.append(Collected(episode.origin, episode.part, frames, actions, states))
    return result


def same(one: Sequence[Collected], two: Sequence[Collected]) -> bool:
    """Tell whether two lists of episodes are equal in every byte."""
    return len(one) == len(two) and all(
        (a.origin, a.part) == (b.origin, b.part)
        and all(
            numpy.array_equal(getattr(a, name), getattr(b, name))
            for name in ("frames", "actions", "states")
        )
        for a, b in zip(one, two, strict=True)
    )


def images(folder: Path, recordings: Sequence[Recording]) -> Path:
    """Write every episode as a folder of PNG files."""
    for recording in recordings:
        (folder / recording.name).mkdir(parents=True)
        for number, frame in enumerate(recording.frames):
            Image.fromarray(frame).save(folder / recording.name / f"image{number}.png")
    return folder


def npz(folder: Path, recordings: Sequence[Recording]) -> Path:
    """Write every episode as an .npz file, packed and unpacked by turns."""
    folder.mkdir()
    for number, recording in enumerate(recordings):
        save = (numpy.savez_compressed, numpy.savez)[number % 2]
        arrays = {"frames": recording.frames, "actions": recording.actions}
        names = {"action_names": ["steer", "gas"]}
        save(folder / f"{recording.name}.npz", states=recording.states, **arrays, **names)  # type: ignore[arg-type]
    return folder


def hdf5_groups(folder: Path, recordings: Sequence[Recording]) -> Path:
    """Write all episodes into one HDF5 file, each as a group."""
    folder.mkdir()
    with h5py.File(folder / "all.h5", "w") as file:
        file.attrs["action_names"] = ["steer", "gas"]
        for recording in recordings:
            group = file.create_group(recording.name)
            group.create_dataset("frames", data=recording.frames, compression="gzip")
            group["actions"], group["states"] = recording.actions, recording.states
    return folder


def hdf5_flat(folder: Path, recordings: Sequence[Recording]) -> Path:
    """Write all episodes into one HDF5 file, one after the other."""
    folder.mkdir()
    with h5py.File(folder / "all.hdf5", "w") as file:
        file.attrs["action_names"] = json.dumps(["steer", "gas"])
        for name in ("frames", "actions", "states"):
            file[name] = numpy.concatenate([getattr(each, name) for each in recordings])
        file["episode_length"] = [len(each.frames) for each in recordings]
    return folder


def videos(folder: Path, recordings: Sequence[Recording]) -> Path:
    """Write every episode as a lossless video of ten frames a second."""
    folder.mkdir()
    for recording in recordings:
        making.write(folder / f"{recording.name}.mkv", recording.frames)
    return folder


# What writes a container, and the kind of source that reads it.
CONTAINERS: Mapping[str, tuple[Callable[[Path, Sequence[Recording]], Path], str]] = {
    "images": (images, "image_folder"),
    "npz": (npz, "npz"),
    "hdf5 groups": (hdf5_groups, "hdf5"),
    "hdf5 flat": (hdf5_flat, "hdf5"),
    "videos": (videos, "video_folder"),
}


# A process of its own says what it took at most. `ru_maxrss` would count the memory of the process
# that started it as well.
READING = """
import re, sys
from pathlib import Path
from tests.foreframe.sources import containers
found = containers.stream(sys.argv[1], Path(sys.argv[2]))
count = sum(len(block.frames) for episode in found.episodes for block in episode.blocks)
status = Path("/proc/self/status").read_text()
print(count, re.search(r"VmHWM:\\s+([0-9]+) kB", status)[1])
"""


def peak(kind: str, folder: Path) -> tuple[int, int]:
    """Return the number of frames of a folder, and the most memory, in kB, that reading takes."""
    command = [sys.executable, "-c", READING, kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, memory = done.stdout.split()
    return int(count), int(memory)
