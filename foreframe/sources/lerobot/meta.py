"""What a LeRobot dataset says about itself: meta/info.json and the table of its episodes.

Versions 2.0 and 2.1 have one file for each episode, version 3.0 has several episodes in a file. The
text of these files is not trusted: no path that they name leads out of the dataset's folder.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from foreframe.errors import UserError
from foreframe.sources.reading.spans import Span

VERSIONS = ("v2.0", "v2.1", "v3.0")

# Bytes; the largest datasets have some 100 bytes for each episode.
LARGEST_TEXT = 1 << 28

# The official sets, as `splits` names them.
PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Recorded:
    """One episode: where its rows of numbers and its pictures lie.

    Attributes:
        number: the number of the episode in the dataset.
        length: the number of its rows, and of its pictures.
        rows: the Parquet file; it may hold other episodes as well.
        span: where in which video, or None if the pictures lie among the rows.
        part: the official set, or nothing.
    """

    number: int
    length: int
    rows: Path
    span: Span | None
    part: str


@dataclass(frozen=True)
class Info:
    """What info.json says: version, time between two rows in seconds, features, and paths."""

    folder: Path
    version: str
    step: Fraction
    features: dict[str, dict[str, Any]]
    values: dict[str, Any]

    def path(self, template: str, **numbers: int | str) -> Path:
        """Return the path that a template of info.json gives, below the folder.

        Raises:
            UserError: the template is missing or has other fields, or the path leads elsewhere.
        """
        text = self.values.get(template)

        def filled(field: re.Match[str]) -> str:
            value = numbers[field[1]]
            return str(value) if field[2] is None else f"{value:0{int(field[2])}d}"

        try:
            # Filled in by hand: str.format would follow attributes that the text names.
            name = re.sub(r"\{(\w+)(?::0(\d)d)?\}", filled, str(text))
        except (KeyError, ValueError):
            name = ""
        parts = PurePosixPath(name).parts
        # A brace that is left is a field of a form that datasets do not have.
        wrong = not parts or parts[0] == "/" or ".." in parts or "{" in name
        if not isinstance(text, str) or wrong:
            raise self.wrong(f"{template} is {text!r}")
        return self.folder / name

    def wrong(self, what: str) -> UserError:
        """Return the error for a file of a form that is not known."""
        return UserError(
            f"{self.folder / 'meta' / 'info.json'}: {what}. Copy the dataset again; read are "
            f"LeRobot datasets of the versions {', '.join(VERSIONS)}."
        )


def read(folder: Path) -> Info:
    """Read meta/info.json.

    Raises:
        UserError: the dataset is missing, or of another version.
    """
    path = folder / "meta" / "info.json"
    if not path.is_file():
        raise UserError(
            f"{folder} is no LeRobot dataset: it has no meta/info.json. Let `videos` name the "
            "folder that holds meta, data and videos."
        )
    values = _json(path, _text(path))
    features = values.get("features")
    info = Info(folder, str(values.get("codebase_version")), Fraction(0), features or {}, values)
    if info.version not in VERSIONS:
        raise info.wrong(f"codebase_version is {values.get('codebase_version')!r}")
    rate = values.get("fps")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 10_000:
        raise info.wrong(f"fps is {rate!r}")
    well = isinstance(features, dict) and all(isinstance(each, dict) for each in features.values())
    if not well:
        raise info.wrong("features is no table")
    return Info(folder, info.version, 1 / Fraction(repr(rate)), info.features, values)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError(f"{path} is too large for what it should hold. Copy it again.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}). Copy the dataset again.") from None


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}). Copy the dataset again.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} is damaged: a table is expected. Copy the dataset again.")
    return values


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a file of JSON lines.

    Raises:
        UserError: the file is missing or damaged.
    """
    for line in _text(path).splitlines():
        if line.strip():
            yield _json(path, line)


def part(info: Info, number: int) -> str:
    """Return the official set of an episode, by the ranges "0:50" of `splits`."""
    splits = info.values.get("splits")
    for name, text in (splits if isinstance(splits, dict) else {}).items():
        found = re.fullmatch(r"(\d+):(\d+)", str(text))
        if name in PARTS and found and int(found[1]) <= number < int(found[2]):
            return PARTS[name]
    return ""


def whole(value: object) -> int | None:
    """Return a value that is a whole number of at least 0, else None."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if good else None  # type: ignore[call-overload]  # it is an int
