"""Weights are safetensors files with one JSON string that says what they are the weights of."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
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
        ArtefactError: the bytes are no safetensors file, or of another schema or version.
    """
    try:
        tensors = safetensors.torch.load(content)
        size = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][HEADER])
    except (SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(f"{path} is damaged: {error}. {facts.CURE}") from None
    facts.check_schema(path, schema, header.get("schema"), header.get("version"))
    return tensors, header


def read(path: Path, schema: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors, of any shape, and the header of a file; see `decode` for the errors."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise facts.missing(path) from None
    return decode(path, content, schema)
