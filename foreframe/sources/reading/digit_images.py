"""Images of handwritten digits: MNIST from the user's IDX files, or those that scikit-learn ships.

MNIST's training images make training episodes, its test images test episodes. scikit-learn's 1,797
images (8x8) have no split of their own: the first four fifths are for training.
"""

import functools
import gzip
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy
from numpy.typing import NDArray
from PIL import Image

from foreframe.errors import UserError

LABELS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}
LABEL_MAGIC = 2049
DIGITS = tuple(map(str, range(10)))

Source = Literal["mnist", "scikit_learn"]
Images = NDArray[numpy.uint8]  # (N, rows, columns), white on black

# The files as their authors name them, packed or not.
FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
MAGIC = 2051  # of IDX files of 8-bit images (LeCun et al. 1998)
SIDE = 28
MOST = 100_000  # images; a file that claims more is none of MNIST's
TRAINING_SHARE = 0.8


@functools.cache
def load(source: Source, part: str, folder: Path) -> Images:
    """Return the digits of an official set, as large as they are stored.

    Raises:
        UserError: a file is missing or damaged.
    """
    images = read_mnist(folder, part) if source == "mnist" else _bundled(part)
    images.flags.writeable = False
    return images


@functools.cache
def labels(source: Source, part: str, folder: Path) -> NDArray[numpy.uint8] | None:
    """Return which digit each image of an official set is; None without MNIST's files of labels.

    Raises:
        UserError: the file is damaged, or not that of the images.
    """
    if source == "scikit_learn":
        from sklearn.datasets import load_digits

        return _part(load_digits().target.astype(numpy.uint8), part)
    name = LABELS[part]
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.exists()]
    if not found:
        return None
    content, count = _content(found[0]), len(load(source, part, folder))
    digits = numpy.frombuffer(content[8:], numpy.uint8)
    if content[:8] != struct.pack(">2I", LABEL_MAGIC, count) or len(digits) != count:
        raise UserError(f"{found[0]} has no label for each of {count} images. Copy it again.")
    if digits.max() >= len(DIGITS):
        raise UserError(f"{found[0]} has the label {digits.max()}, no digit. Copy it again.")
    return digits


def scaled(images: Images, side: int) -> Images:
    """Return images scaled to `side` x `side` pixels (bilinear)."""
    size, how = (side, side), Image.Resampling.BILINEAR
    return numpy.stack([numpy.asarray(Image.fromarray(each).resize(size, how)) for each in images])


def read_mnist(folder: Path, part: str) -> Images:
    """Return the images (N,28,28) of MNIST's set `train` or `test` from its IDX file.

    Raises:
        UserError: there is no such file in the folder, or it is damaged.
    """
    found = [path for path in (folder / FILES[part], folder / f"{FILES[part]}.gz") if path.exists()]
    if not found:
        raise UserError(
            f"{folder} has no file {FILES[part]} (nor .gz). Put MNIST's IDX files there, or set "
            "source.digit_images to scikit_learn."
        )
    return _parse(found[0], _content(found[0]))


def _content(path: Path) -> bytes:
    most = 16 + MOST * SIDE * SIDE
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            # A small file can unpack to a huge one.
            return file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}. Copy it again.") from None


def _parse(path: Path, content: bytes) -> Images:
    if len(content) < 16:
        raise UserError(f"{path} is cut short. Copy it again.")
    magic, count, rows, columns = struct.unpack(">4I", content[:16])
    if magic != MAGIC or (rows, columns) != (SIDE, SIDE) or not 0 < count <= MOST:
        raise UserError(f"{path} is no IDX file of {SIDE}x{SIDE} images. Copy it again.")
    if len(content) != 16 + count * SIDE * SIDE:
        raise UserError(
            f"{path} says it has {count} images, but holds {(len(content) - 16) / SIDE**2:g}. "
            "Copy it again."
        )
    return numpy.frombuffer(content, numpy.uint8, offset=16).reshape(count, SIDE, SIDE).copy()


def _bundled(part: str) -> Images:
    # Only here: loading it takes a second, and most sources do without.
    from sklearn.datasets import load_digits

    return _part((load_digits().images * (255 / 16)).round().astype(numpy.uint8), part)


def _part(values: NDArray[numpy.uint8], part: str) -> NDArray[numpy.uint8]:
    border = round(TRAINING_SHARE * len(values))
    return values[:border] if part == "train" else values[border:]
