"""Recordings for tests of the inspection: a camera that glides over smooth random ground."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy
from numpy.typing import NDArray
from PIL import Image

from foreframe.data import writing
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode

Frames = NDArray[numpy.uint8]


def scene(number: int, frames: int, size: int = 32) -> Frames:
    """Return (frames, size, size, 3), 20 to 230: another number is another place."""
    random = numpy_generator(number, "scene")
    ground = random.integers(20, 231, (12, 12, 3), dtype=numpy.uint8)
    large = numpy.asarray(Image.fromarray(ground).resize((size + frames, 2 * size)))
    large = numpy.clip(large, 20, 230)
    return numpy.stack([large[t % size : t % size + size, t : t + size] for t in range(frames)])


def noise(number: int, shape: Sequence[int]) -> Frames:
    return numpy_generator(number, "noise").integers(0, 256, shape, dtype=numpy.uint8)


def compressed(frames: Frames, quality: int) -> Frames:
    """Return each frame after a round through JPEG."""
    result = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, format="JPEG", quality=quality)
        with Image.open(file) as image:
            result.append(numpy.asarray(image))
    return numpy.stack(result)


def write(path: Path, episodes: Sequence[Frames], chunk: int = 8) -> None:
    """Write frames.h5 with these episodes, one frame every tenth of a second."""
    height, width = episodes[0].shape[1:3]
    layout = writing.Layout(height, width, 0.1, "test", (), (), {}, chunk)
    with writing.creating(path, layout) as writer:
        for number, frames in enumerate(episodes):
            nothing = numpy.zeros((len(frames), 0), numpy.float32)
            block = Block(frames, nothing, nothing)
            list(writer.add(Episode(f"tape {number}", len(episodes), iter([block]))))
