"""The protocol: everything that a number depends on besides the predictor, with its own digest.

Numbers of different digests do not belong in one table; `difference` says what sets them apart.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from foreframe.errors import UserError


@dataclass(frozen=True)
class Hashed:
    """Facts with a digest that changes with every one of them, and with nothing else."""

    def facts(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return json.loads(self._canonical())

    def digest(self) -> str:
        """Return 64 hexadecimal digits, the SHA-256 of the fields' canonical JSON.

        Canonical: keys sorted, no spaces, UTF-8, so that equal facts have equal digests on every
        machine.
        """
        return hashlib.sha256(self._canonical().encode()).hexdigest()

    def _canonical(self) -> str:
        return json.dumps(
            asdict(self),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )


@dataclass(frozen=True)
class Protocol(Hashed):
    """How futures were drawn and measured; its name in params.yaml is no part of it."""

    dataset: str  # digest of the frames' file
    split: str  # digest of the split's file
    set: str  # the set whose clips are continued
    clip_choice: str  # how the clips are chosen among those of the set
    clip_starts: tuple[int, ...]  # the first frame of each clip
    context: int  # frames given
    horizon: int  # frames predicted
    context_encoding: str  # whether the codes of the context may know of the future
    frame_size: tuple[int, int]  # rows, columns of the frames that are compared
    resizing: str  # what was done to frames before they are compared
    value_range: str  # of image metrics
    metrics: Mapping[str, str]  # the variant of each metric
    features: Mapping[str, str]  # the digest of the feature network of each metric that has one
    samples: int  # futures drawn for each clip
    best: str  # what becomes of several futures of a clip
    sets: Mapping[str, Any]  # which frames and futures metrics of whole sets see, and how few clips
    likelihood: Mapping[str, int] | None  # samples of what is latent, given and scored frames
    seed: int  # of the samples

    @classmethod
    def of(cls, facts: Mapping[str, Any], where: str) -> Self:
        """Return the protocol that `facts` describe; `where` is for messages.

        Raises:
            UserError: a field is missing or unknown.
        """
        try:
            return cls(**facts)
        except TypeError as error:
            raise UserError(f"{where} holds no protocol of this version: {error}.") from None


@dataclass(frozen=True)
class SetProtocol(Hashed):
    """How whole sets of clips were measured: reconstruction, likelihood, use of codes."""

    dataset: str  # digest of the frames' file
    split: str  # digest of the split's file
    clips: Mapping[str, int]  # number of clips of each set, all of them measured
    clip_strides: Mapping[str, int]  # frames between the starts of neighbouring clips, each set
    clip_frames: int  # length of a clip
    frame_size: tuple[int, int]  # rows, columns
    value_range: str  # of image metrics
    metrics: Mapping[str, str]  # the variant of each metric


def difference(one: Hashed, other: Hashed) -> list[str]:
    """Return the names of the fields that differ, such as `horizon` or `metrics.psnr`, sorted."""
    return sorted(_differing(one.facts(), other.facts()))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name in one.keys() | other.keys():
        first, second = one.get(name), other.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from (f"{name}.{inner}" for inner in _differing(first, second))
        elif first != second or (name in one) != (name in other):
            yield name
