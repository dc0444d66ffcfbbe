"""The clips of a protocol dealt out to shares, which stages do side by side.

What is dealt out are the batches that one stage would go through, whole and in order. So each batch
has the clips that it has there, and what is made of it has the same bytes, whatever their number.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from foreframe.artefacts import facts, hdf5
from foreframe.config.variants import Name
from foreframe.errors import ArtefactError, UserError
from foreframe.evaluation.contexts import Continued

NUMBER, COUNT = "share", "shares"  # attributes of a share's file
SAMPLES, SCORES = "samples_share", "scores_share"  # schemas of such files
# What a joined file of samples is laid out by: the clips in a batch of each drawing; and the names
# of the datasets of each, and at last of what is shown, in the order they are made.
SIZES, ORDER = "batches", "order"
CLIPS = "clips"  # an attribute: the digest of all clips


def _apart(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"it names {twice[0]} twice. Remove one.")
    return names


# The names of all shares, in the order of their clips.
Shares = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_apart)]


def batches(count: int, size: int) -> Iterator[slice]:
    """Yield the batches of so many clips, `size` in each but the last."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


@dataclass(frozen=True)
class Share:
    """One of `count` shares, by its number from 0."""

    number: int
    count: int

    @classmethod
    def of(cls, out: Path, shares: Sequence[str]) -> Self:
        """Return the share whose file is `out`.

        Raises:
            UserError: none of the shares has the file's name.
        """
        if out.stem not in shares:
            raise UserError(
                f"{out} would be the share {out.stem}, but there are {', '.join(shares)}. Give the "
                "stage's fan-out in dvc.yaml the names of these shares."
            )
        return cls(shares.index(out.stem), len(shares))

    @property
    def attributes(self) -> dict[str, Any]:
        """What its file says of it."""
        return {NUMBER: self.number, COUNT: self.count}

    def rows(self, clips: int, size: int) -> slice:
        """Return which of all clips are its own: of n batches it has each i with its number.

        That is floor(i count / n). It may have none, where there are fewer batches than shares.
        """
        number = -(-clips // size)
        first, last = (-(-place * number // self.count) for place in (self.number, self.number + 1))
        return slice(min(first * size, clips), min(last * size, clips))


def clips_digest(chosen: Continued) -> str:
    """Return a digest of the clips that all shares have together."""
    both = (chosen.numbers.astype("<i8"), chosen.starts.astype("<i8"))
    return hashlib.sha256(b"".join(each.tobytes() for each in both)).hexdigest()


@contextlib.contextmanager
def opening(folder: Path, shares: Sequence[str], schema: str) -> Iterator[dict[Share, hdf5.Reader]]:
    """Yield the files of all shares, open for reading, after a look at what each is a share of.

    Raises:
        ArtefactError: one is missing or damaged, another share than its name says, or of another
            whole than the first one.
    """
    with contextlib.ExitStack() as stack:
        found: dict[Share, hdf5.Reader] = {}
        paths = [folder / f"{name}.h5" for name in shares]
        for number, path in enumerate(paths):
            if not path.exists():
                raise ArtefactError(
                    f"{path} does not exist, but the share {path.stem} is listed. See that the "
                    "stage that makes shares has its name too, and run `dvc repro`."
                )
            share = Share(number, len(shares))
            found[share] = stack.enter_context(hdf5.opening(path, schema))
            _check(path, found[share], share)
            _check_alike(path, found[share], paths[0], found[Share(0, len(shares))])
        yield found


def whole(file: hdf5.Reader) -> dict[str, Any]:
    """Return what a share's file says of the whole: all attributes but which share it is."""
    own = {*Share(0, 0).attributes, "schema", "version"}
    return {name: value for name, value in file.attrs.items() if name not in own}


def text(file: hdf5.Reader, name: str) -> Any:
    """Return the JSON that a dataset of one text holds."""
    return json.loads(file[name].asstr()[0])


def _check(path: Path, file: hdf5.Reader, share: Share) -> None:
    given = Share(*(int(file.attrs[name]) for name in (NUMBER, COUNT)))
    if given != share:
        raise ArtefactError(
            f"{path} is share {given.number + 1} of {given.count}, not {share.number + 1} of "
            f"{share.count}. {facts.CURE}"
        )


def _check_alike(path: Path, file: hdf5.Reader, first: Path, other: hdf5.Reader) -> None:
    one, two = whole(file), whole(other)
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name):
            raise ArtefactError(
                f"{path} is not of the same whole as {first}: they differ in {name}. {facts.CURE}"
            )
