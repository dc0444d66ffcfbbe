"""The local store of weights: one safetensors file each, which says what public file it came from.

Safetensors, because a public .pth file is a program that loading would run; it is read once, as
data, when it is added, and never again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from foreframe.artefacts import tensors as tensors_file
from foreframe.errors import ArtefactError, UserError
from foreframe.features import archive, layout
from foreframe.features.registry import Entry

SCHEMA = "weights"
FOLDER = Path("data/weights")
BLOCK = 1 << 20


@dataclass(frozen=True)
class Weights:
    """Stored weights.

    Attributes:
        name: in the registry.
        tensors: by name, of any shape.
        digest: SHA-256 of the public file they came from, 64 hexadecimal digits, for the protocol.
    """

    name: str
    tensors: Mapping[str, Tensor]
    digest: str


def path(folder: Path, name: str) -> Path:
    """Return where weights are stored."""
    return folder / f"{name}.safetensors"


def sha256(file: Path) -> str:
    """Return the 64 hexadecimal digits of a file.

    Raises:
        UserError: there is no such file.
    """
    result = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while block := opened.read(BLOCK):
                result.update(block)
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{file} is no file: give the path of a weight file.") from None
    return result.hexdigest()


def add(folder: Path, entry: Entry, file: Path) -> Weights:
    """Read a public file as data, hold it against the registry, and store what metrics need of it.

    Raises:
        UserError: it is not the published file.
        ArtefactError: it cannot be read as data, or has another layout.
    """
    digest = sha256(file)
    if entry.sha256 not in {None, digest}:
        raise UserError(
            f"{file} is not the published {entry.file}: its sha256 is {digest}, that of the "
            f"published file {entry.sha256}. Download it again from {entry.url}"
        )
    tensors = archive.read(file)
    layout.check(tensors, entry.published(), str(file))
    kept = {name: tensors[name] for name in entry.stored()}
    header = {"name": entry.name, "origin": {"file": entry.file, "sha256": digest}}
    tensors_file.write(path(folder, entry.name), kept, SCHEMA, header)
    return Weights(entry.name, kept, digest)


def require(folder: Path, entry: Entry) -> Weights:
    """Return stored weights.

    Raises:
        UserError: they are not stored; the message names the command that stores them.
        ArtefactError: they are damaged, or of another layout or origin than the registry's.
    """
    where = path(folder, entry.name)
    if not where.exists():
        raise UserError(
            f"the weights {entry.name} ({entry.purpose}) are not in {folder}. Run "
            f"`foreframe weights fetch {entry.name}` (about {entry.megabytes:g} MB), or download "
            f"{entry.url} and run `foreframe weights add {entry.name} FILE`."
        )
    tensors, header = tensors_file.read(where, SCHEMA)
    digest = str(header.get("origin", {}).get("sha256"))
    if header.get("name") != entry.name or entry.sha256 not in {None, digest}:
        raise ArtefactError(
            f"{where} does not hold the published weights {entry.name}. "
            f"Delete it and run `foreframe weights fetch {entry.name}`."
        )
    layout.check(tensors, entry.stored(), str(where))
    return Weights(entry.name, tensors, digest)
