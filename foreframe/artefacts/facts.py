"""Facts are sorted JSON: numbers and words that later stages, DVC and the report read."""

import hashlib
import json
from pathlib import Path
from typing import Any

from foreframe.artefacts import atomic
from foreframe.errors import ArtefactError

VERSION = 2  # of every kind of file but these
VERSIONS = {"evaluation": 3, "findings": 3, "steering": 3, "training": 3}


def write(path: Path, schema: str, values: dict[str, Any]) -> None:
    """Write `values` with their schema's name and version and a checksum of all that.

    Raises:
        ValueError: a value is NaN or infinite, or not JSON.
    """
    content = {"schema": f"foreframe/{schema}", "version": version(schema), **values}
    content.pop("checksum", None)  # of facts that were read as plain JSON
    content["checksum"] = checksum(canonical(content))
    text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    atomic.write_text(path, text + "\n")


def version(schema: str) -> int:
    """Return the version of a schema that this code writes and reads."""
    return VERSIONS.get(schema, VERSION)


def read(path: Path, schema: str) -> dict[str, Any]:
    """Read facts of one schema, without their checksum.

    Raises:
        ArtefactError: the file is missing, not JSON, of another schema or version, or not as it was
            written.
    """
    content = parse(path)
    check_schema(path, schema, content.get("schema"), content.get("version"))
    noted = content.pop("checksum", None)
    try:
        found = checksum(canonical(content))
    except ValueError as error:  # 1e999 reads as infinity
        raise ArtefactError(f"{path} is damaged: {error}. {CURE}") from None
    if noted != found:
        raise ArtefactError(
            f"{path} is damaged or was edited by hand: its checksum is not that of its content. "
            f"{CURE}"
        )
    return content


def checksum(content: bytes) -> list[str]:
    """Return the checksum of bytes as facts hold it: the algorithm, and its hexadecimal digits.

    DVC shows text among the metrics, but no lists, so this keeps `dvc metrics diff` readable.
    """
    return ["sha256", hashlib.sha256(content).hexdigest()]


def canonical(content: dict[str, Any]) -> bytes:
    """Return the one form of a JSON object that checksums are taken of.

    Raises:
        ValueError: a value is NaN or infinite, or not JSON.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def parse(path: Path) -> dict[str, Any]:
    """Read a JSON object of any schema, unchecked; NaN and infinity are refused.

    Raises:
        ArtefactError: the file is missing or not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise missing(path) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise ArtefactError(f"{path} is damaged: {error}. {CURE}") from None
    if not isinstance(content, dict):
        raise ArtefactError(f"{path} is damaged: it holds no JSON object. {CURE}")
    return content


CURE = "Delete it and run `dvc repro` to make it again."


def missing(path: Path) -> ArtefactError:
    """Return the error for an artefact that is not there."""
    return ArtefactError(f"{path} does not exist. Run `dvc repro` to make it.")


def check_schema(path: Path, schema: str, found: object, number: object) -> None:
    """Refuse an artefact of another schema or version.

    Raises:
        ArtefactError: `found` and `number` are not those of `schema`.
    """
    if found != f"foreframe/{schema}":
        raise ArtefactError(f"{path} is no foreframe/{schema} file (it says: {found}). {CURE}")
    if number != version(schema):
        raise ArtefactError(
            f"{path} has version {number}, this code reads {version(schema)}. {CURE}"
        )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number that facts may hold")
