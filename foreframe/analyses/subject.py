"""What an analysis looks at, and what it returns.

Shapes: N clips, T frames of a clip, H rows, W columns, C = 3 colours, S states of a frame.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Options
from foreframe.data.clips import Clips
from foreframe.errors import UserError
from foreframe.predictors import Predictor

BATCH = 8  # clips at once; a fixed number, since the last bits of a network depend on it


@dataclass(frozen=True)
class Subject:
    """A trained predictor, and the clips that it is asked about.

    Attributes:
        predictor: on its device.
        options: how its futures are drawn.
        futures: which clips, how many frames are given, and the seed.
        numbers: of the N clips within their set.
        clips: their frames, uint8 (N,T,H,W,C).
        states: what the source says of every frame, float32 (N,T,S), named in `state_names`.
        labels: the class (N,) of each clip, -1 where it has none, by label.
        arrays: the file of what is stored.
        other: gives the same about all clips of another set, `train` among them, by its name.
    """

    predictor: Predictor
    options: Options
    futures: FutureSettings
    numbers: Sequence[int]
    clips: Clips
    states: Tensor
    state_names: Sequence[str]
    labels: Mapping[str, Tensor]
    arrays: hdf5.File
    other: Callable[[str], "Subject"]

    def __len__(self) -> int:
        """Return N."""
        return len(self.numbers)

    def batches(self) -> Iterator[list[int]]:
        """Yield the places of all clips, at most `BATCH` at a time."""
        for first in range(0, len(self), BATCH):
            yield list(range(first, min(first + BATCH, len(self))))

    def state(self, name: str) -> Tensor:
        """Return a state (N,T) of every frame.

        Raises:
            UserError: the source has none of this name.
        """
        if name not in self.state_names:
            known = ", ".join(self.state_names) or "none"
            raise UserError(f"the data have no state {name}. Name one of: {known}.")
        found: Tensor = self.states[..., list(self.state_names).index(name)]
        return found

    def store(self, name: str, values: Tensor) -> None:
        """Store an array that a figure may show."""
        hdf5.store(self.arrays, name, values.cpu().numpy())


@dataclass(frozen=True)
class Found:
    """What an analysis found.

    Attributes:
        values: numbers by name, in trees; means as {"mean", "low", "high"}.
        series: rows of the table by frame, see `foreframe.evaluation.columns.rows`.
        per_clip: values (N,) by name, less of which is better; two predictors' are compared clip
            by clip.
    """

    values: Mapping[str, Any]
    series: Sequence[Mapping[str, Any]] = field(default=())
    per_clip: Mapping[str, Tensor] = field(default_factory=dict)
