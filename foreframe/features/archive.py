"""Public weight files (.pt, .pth) as tensors: both formats of PyTorch, read without running them.

A file is a ZIP archive of one pickle and raw numbers (PyTorch 1.6 and later), or several pickles
followed by raw numbers (before). `opcodes` reads the pickles as data.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from foreframe.errors import ArtefactError
from foreframe.features import opcodes

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
# Of all tensors of a file together: far above the networks here, far below what harms a machine.
LARGEST = 4 * 2**30  # bytes
# What the standard library raises on a ZIP archive with wrong bytes, and on blocks that end early.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip

Numbers = Callable[[opcodes.Storage], bytes]


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, each contiguous and of its own shape and memory, on the CPU.

    A file holds a dictionary of tensors, or one under the key `state_dict`; other values, such as
    an epoch's number, are left out.

    Raises:
        ArtefactError: the file is missing, damaged, of another format, or more than data.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise ArtefactError(f"{path} does not exist: give the path of a weight file.") from None
    except ArtefactError as error:
        raise ArtefactError(
            f"{path} cannot be read as weights: {error}. Nothing of it was run; "
            "use the file that `foreframe weights list` names."
        ) from None
    except DAMAGE as error:
        raise ArtefactError(f"{path} is damaged: {error}. Download it again.") from None


def _read(file: IO[bytes]) -> dict[str, Tensor]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return _of_zip(archive)
    file.seek(0)
    # In memory a wrong length reads less than it asks for; from a file it would reserve it first.
    return _of_legacy(io.BytesIO(file.read(LARGEST)))


def _of_zip(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    names = archive.namelist()
    tables = [name for name in names if name.endswith("/data.pkl")]
    if len(tables) != 1:
        raise ArtefactError("it is a ZIP archive, but not one of PyTorch's")
    folder = tables[0].removesuffix("data.pkl")
    if any(name.startswith(f"{folder}code/") for name in names):
        raise ArtefactError("it is a TorchScript program, not a set of weights")
    order = f"{folder}byteorder"
    if order in names and archive.read(order) != b"little":
        raise ArtefactError("its numbers are big-endian")

    def numbers(storage: opcodes.Storage) -> bytes:
        name = f"{folder}data/{storage.key}"
        if name not in names:
            raise ArtefactError(f"the numbers {name} are missing")
        # PyTorch never compresses them; what is compressed may grow without bounds.
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise ArtefactError(f"the numbers {name} are compressed")
        return archive.read(name)

    return _tensors(opcodes.read(io.BytesIO(archive.read(tables[0]))).value, numbers)


def _of_legacy(file: IO[bytes]) -> dict[str, Tensor]:
    for expected in (LEGACY_MAGIC, LEGACY_PROTOCOL):
        if opcodes.read(file).value != expected:
            raise ArtefactError("it is no PyTorch weight file")
    system = opcodes.read(file).value
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ArtefactError("its numbers are big-endian")
    content = opcodes.read(file)
    blocks = _blocks(file, content.storages)

    def numbers(storage: opcodes.Storage) -> bytes:
        if storage.key not in blocks:
            raise ArtefactError(f"the numbers {storage.key} are missing")
        return blocks[storage.key]

    return _tensors(content.value, numbers)


def _blocks(file: IO[bytes], storages: Mapping[str, opcodes.Storage]) -> dict[str, bytes]:
    """Return the numbers behind the pickles: a list of keys, then for each its count and block."""
    blocks = {}
    for key in opcodes.read(file).value:
        (count,) = struct.unpack("<q", file.read(8))
        if key not in storages or count != storages[key].count:
            raise ArtefactError(f"the numbers {key} are not those that it describes")
        blocks[key] = file.read(count * storages[key].dtype.itemsize)
    return blocks


def _tensors(content: Any, numbers: Numbers) -> dict[str, Tensor]:
    layouts = _chosen(content)
    size = sum(_elements(x) * x.storage.dtype.itemsize for x in layouts.values())
    if size > LARGEST:
        raise ArtefactError(f"it holds {size:,} bytes of tensors; at most {LARGEST:,} are read")
    return {name: _tensor(name, layout, numbers) for name, layout in layouts.items()}


def _chosen(content: Any) -> Mapping[str, opcodes.Layout]:
    """Return the tensors' layouts in what a file describes."""
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise ArtefactError("it holds no dictionary of tensors")
    layouts = {
        name: layout
        for name, layout in content.items()
        if isinstance(name, str) and isinstance(layout, opcodes.Layout)
    }
    if not layouts:
        raise ArtefactError("it holds a dictionary without tensors")
    return layouts


def _elements(layout: opcodes.Layout) -> int:
    return math.prod(layout.shape)


def _tensor(name: str, layout: opcodes.Layout, numbers: Numbers) -> Tensor:
    """Return the tensor (of any shape) that a layout describes, as a copy of its own."""
    storage, elements = layout.storage, _elements(layout)
    if len(layout.shape) != len(layout.strides):
        raise ArtefactError(
            f"{name} has {len(layout.shape)} axes and {len(layout.strides)} strides"
        )
    if not elements:
        return torch.empty(layout.shape, dtype=storage.dtype)
    pairs = zip(layout.shape, layout.strides, strict=True)
    last = layout.offset + sum((size - 1) * stride for size, stride in pairs)
    content = numbers(storage)
    # A tensor larger than its numbers would be one number many times over: no weights are.
    if max(last + 1, elements) * storage.dtype.itemsize > len(content):
        raise ArtefactError(f"{name} reaches beyond its numbers")
    flat = torch.frombuffer(bytearray(content), dtype=storage.dtype)
    return torch.as_strided(flat, layout.shape, layout.strides, layout.offset).clone(
        memory_format=torch.contiguous_format
    )
