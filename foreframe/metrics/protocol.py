"""The protocol: everything that a number depends on besides the predictor, with its own digest.

Numbers of different digests do not belong in one table.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """How the metrics of a study were computed."""

    dataset: str  # digest of the frames' file
    split: str  # digest of the split's file
    clips: Mapping[str, int]  # number of clips of each set, all of them scored
    clip_strides: Mapping[str, int]  # frames between the starts of neighbouring clips, each set
    prediction_set: str  # the set that futures are predicted on
    prediction_clips: tuple[int, ...]  # the first frame of each clip that is continued
    context: int  # frames given
    horizon: int  # frames predicted
    context_encoding: str  # whether the codes of the context may know of the future
    frame_size: tuple[int, int]  # rows, columns of the frames that are compared
    resizing: str  # what was done to frames before they are compared
    value_range: str  # of image metrics
    metrics: Mapping[str, str]  # the variant of each metric
    samples_per_context: int  # futures drawn from each predictor for each context
    best_of: str  # how one of several samples is chosen
    seed: int  # of the samples

    def facts(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return json.loads(self._canonical())

    def digest(self) -> str:
        """Return 64 hexadecimal digits, the SHA-256 of the fields' canonical JSON.

        Canonical: keys sorted, no spaces, UTF-8, so that equal protocols have equal digests on
        every machine.
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
