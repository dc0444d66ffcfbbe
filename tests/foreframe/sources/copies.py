"""Miniature copies of public datasets, laid out as the real ones, and laws that they obey."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy
from numpy.typing import NDArray
from PIL import Image

from foreframe.sources import SourceSettings
from foreframe.sources.reading.tfrecords import masked_checksum
from tests.foreframe.sources import making


@dataclass(frozen=True)
class Collected:
    """One episode, whole."""

    origin: str
    part: str
    total: int
    frames: NDArray[numpy.uint8]
    actions: NDArray[numpy.float32]
    states: NDArray[numpy.float32]


def collect(
    module: ModuleType, settings: SourceSettings, folder: Path, workers: int = 1, first: int = 0
) -> list[Collected]:
    """Return all episodes of a source."""
    found = []
    stream = module.stream(settings, 0, folder, workers, first)
    for episode in stream.episodes:
        blocks = list(episode.blocks)
        frames, actions, states = (
            numpy.concatenate([getattr(block, name) for block in blocks])
            for name in ("frames", "actions", "states")
        )
        assert actions.shape == (len(frames), len(stream.actions))
        assert states.shape == (len(frames), len(stream.states))
        assert frames.shape[1:] == (settings.height, settings.width, 3)
        found.append(
            Collected(episode.origin, episode.part, episode.total, frames, actions, states)
        )
    assert {episode.total for episode in found} <= {len(found) + first}
    return found


def same(one: Sequence[Collected], other: Sequence[Collected]) -> bool:
    """Tell whether two lists of episodes are equal to the last byte."""
    return len(one) == len(other) and all(
        numpy.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one, other, strict=True)
        for name in Collected.__annotations__
    )


def check_suffixes(module: ModuleType, settings: SourceSettings, folder: Path) -> list[Collected]:
    """Check that leaving out leading episodes gives the rest of a whole run, and return that."""
    whole = collect(module, settings, folder)
    assert len({episode.origin for episode in whole}) == len(whole)
    for first in {1, len(whole) - 1, len(whole)}:
        assert same(collect(module, settings, folder, first=first), whole[first:])
    return whole


def picture(path: Path, value: int, height: int = 8, width: int = 8) -> Path:
    """Write a picture of one colour and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour_3 = (value % 256, value // 2 % 256, 255 - value % 256)
    Image.fromarray(numpy.full((height, width, 3), colour_3, numpy.uint8)).save(path)
    return path


def video(path: Path, count: int = 4, value: int = 0, rate: int = 25) -> Path:
    """Write a small video whose frames have the grey values value, value + 1, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames_THWC = making.counting(count + value)[value:]
    # Lossless, except where a container knows no such codec.
    codec, pixels = ("libx264rgb", "rgb24") if path.suffix in (".mp4", ".mov") else ("ffv1", "bgr0")
    return making.write(path, frames_THWC, rate, codec, pixels)


def varint(number: int) -> bytes:
    """Return a number as Protocol Buffers writes it."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def message(number: int, content: bytes) -> bytes:
    """Return a field of a message that holds bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(features: Mapping[str, bytes | Sequence[float]], packed: bool = True) -> bytes:
    """Return a tf.train.Example with features of bytes or of floats."""
    entries = b""
    for name, value in features.items():
        if isinstance(value, bytes):
            feature = message(1, message(1, value))
        elif packed:
            feature = message(2, message(1, struct.pack(f"<{len(value)}f", *value)))
        else:
            tag = varint(1 << 3 | 5)
            feature = message(2, b"".join(tag + struct.pack("<f", number) for number in value))
        entries += message(1, message(1, name.encode()) + message(2, feature))
    return message(1, entries)


def records(path: Path, contents: Sequence[bytes]) -> Path:
    """Write a TFRecord file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for content in contents:
            head = struct.pack("<Q", len(content))
            file.write(head + struct.pack("<I", masked_checksum(head)))
            file.write(content + struct.pack("<I", masked_checksum(content)))
    return path


def trajectory(seed: int) -> dict[str, bytes | Sequence[float]]:
    """Return the features of a trajectory of BAIR with pictures of noise."""
    noise = numpy.random.default_rng(seed)
    features: dict[str, bytes | Sequence[float]] = {}
    for time in range(30):
        for camera in ("main", "aux1"):
            features[f"{time}/image_{camera}/encoded"] = noise.bytes(64 * 64 * 3)
        features[f"{time}/action"] = noise.normal(size=4).astype(numpy.float32).tolist()
        features[f"{time}/endeffector_pos"] = noise.normal(size=3).astype(numpy.float32).tolist()
    return features
