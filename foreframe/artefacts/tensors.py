"""Weights are safetensors files with one JSON string: what they are the weights of, a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from foreframe.artefacts import atomic, facts
from foreframe.errors import ArtefactError

# One key only: the order of several keys differs from process to process.
HEADER = "foreframe"


def encode(tensors: Mapping[str, Tensor], schema: str, header: Mapping[str, Any]) -> bytes:
    """Return a safetensors file of tensors of any shape; equal tensors and headers, equal bytes."""
    content = {**header, "schema": f"foreframe/{schema}", "version": facts.VERSION}
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    content["checksum"] = _checksum(plain, content)
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return bytes(safetensors.torch.save(plain, metadata={HEADER: text}))


def write(
    path: Path, tensors: Mapping[str, Tensor], schema: str, header: Mapping[str, Any]
) -> None:
    """Write tensors of any shape with a JSON header, atomically."""
    atomic.write_bytes(path, encode(tensors, schema, header))


def decode(path: Path, content: bytes, schema: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, of any shape, and the header in the bytes of a file.

    `path` is for messages.

    Raises:
        ArtefactError: the bytes are no safetensors file, of another schema or version, or not as
            they were written.
    """
    try:
        tensors = safetensors.torch.load(content)
        header = _header(content)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(f"{path} is damaged: {error}. {facts.CURE}") from None
    facts.check_schema(path, schema, header.get("schema"), header.get("version"))
    if header.pop("checksum", None) != _checksum(tensors, header):
        raise ArtefactError(
            f"{path} is damaged: its checksum is not that of its content. {facts.CURE}"
        )
    return tensors, header


def header(path: Path) -> dict[str, Any]:
    """Return the header of a file of any schema, unchecked, to learn what the file is.

    Raises:
        ArtefactError: it is missing, or no safetensors file of ours.
    """
    try:
        return _header(path.read_bytes())
    except FileNotFoundError:
        raise facts.missing(path) from None
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"{path} is no trained model: {error}. {facts.CURE}") from None


def read(path: Path, schema: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors, of any shape, and the header of a file; see `decode` for the errors."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise facts.missing(path) from None
    return decode(path, content, schema)


def _header(content: bytes) -> dict[str, Any]:
    """Return the header in the bytes of a safetensors file; KeyError or ValueError: there is none.

    The format is eight bytes of length, a JSON object of that length, and the numbers.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][HEADER])
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header


def _checksum(tensors: Mapping[str, Tensor], header: dict[str, Any]) -> str:
    """Return the sha256 of the header and of each tensor's name, type, shape and numbers.

    The tensors are contiguous and on the CPU; their memory is read where it lies.
    """
    result = hashlib.sha256(facts.canonical(header))
    for name in sorted(tensors):
        tensor = tensors[name]
        described = {"name": name, "dtype": str(tensor.dtype), "shape": list(tensor.shape)}
        result.update(facts.canonical(described))
        # Flat first: a scalar has no view as bytes.
        result.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return result.hexdigest()
