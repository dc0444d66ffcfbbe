"""The public datasets that some sources read: what `foreframe data list` and `data check` know.

The facts of each stand in its source's own file, as `DATASET`; here is only how they are found.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foreframe import kinds
from foreframe.errors import UserError
from foreframe.sources.reading.downloads import Pin

PACKAGE = "foreframe.sources"


@dataclass(frozen=True)
class Found:
    """What of a dataset lies in a folder.

    Attributes:
        counts: how many items each official set has; empty if there is nothing.
        missing: names of files that the dataset has and the folder has not.
        extra: names of files in the folder that are not the dataset's.
    """

    counts: Mapping[str, int]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A public dataset.

    Attributes:
        title: its name in the literature.
        size: of a complete copy, in words.
        licence: what its authors say of it, in words.
        page: the address where people get it.
        files: what a copy looks like below the folder, one line for each way to lay it out.
        unit: what is counted, in the plural.
        published: how many of them each official set has, as its authors say; empty where they
            give no number.
        find: looks what of it a folder has. It raises a `UserError` if that is nothing at all.
        damage: reads a whole copy and yields what is wrong with it.
        pins: the files that can be downloaded, pinned by their checksum; empty if none has one.
    """

    title: str
    size: str
    licence: str
    page: str
    files: tuple[str, ...]
    unit: str
    published: Mapping[str, int]
    find: Callable[[Path], Found]
    damage: Callable[[Path], Iterator[str]]
    pins: tuple[Pin, ...] = field(default=())


def names() -> list[str]:
    """Return the kinds of the sources that have a public dataset, sorted."""
    return [kind for kind in kinds.available(PACKAGE) if _has_dataset(kind)]


def of(kind: str) -> Dataset:
    """Return the dataset of a kind of source.

    Raises:
        UserError: no source of that name has one.
    """
    known = names()
    if kind not in known:
        raise UserError(f"there is no dataset called {kind}: choose one of {', '.join(known)}.")
    dataset = importlib.import_module(f"{PACKAGE}.{kind}").DATASET
    assert isinstance(dataset, Dataset), "DATASET is a Dataset"
    return dataset


def _has_dataset(kind: str) -> bool:
    spec = importlib.util.find_spec(f"{PACKAGE}.{kind}")
    assert spec is not None and spec.origin is not None, "a kind is a file"
    # Read, not imported: a simulator takes a while to load.
    text = Path(spec.origin).read_text(encoding="utf-8")
    return re.search(r"^DATASET\b", text, re.MULTILINE) is not None
