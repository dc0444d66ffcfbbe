"""What a question looks at, and what its answer is.

Shapes: N clips of a set, B of a batch, C channels of the view, T frames, H rows, W columns; codes
of a level are (B,T,H,W) on its own grid.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.autoencoders import Autoencoder, Quantised
from foreframe.data.clips import Clips
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.psnr import psnr
from foreframe.sources.drawn_scenes import Scenes

BATCH = 8  # clips at once; a fixed number, since the last bits of a network depend on it
TRAIN, TEST = "train", "test"

Codes = Mapping[str, Tensor]  # level -> int64 (B,T,H,W) on the CPU


@dataclass(frozen=True)
class Batch:
    """Some clips of a set.

    Attributes:
        numbers: a number for each, the same under any model: the first frame in its file.
        frames: uint8 (B,T,H,W,3).
        x: what the autoencoder's view makes of them, float (B,C,T,H,W), on its device.
    """

    numbers: Sequence[int]
    frames: Tensor
    x: Tensor


@dataclass(frozen=True)
class Subject:
    """A trained autoencoder, and the clips that it is asked about.

    Attributes:
        model: on its device, in eval mode, so that no index has noise.
        scaling: between 8-bit frames and what the model sees.
        sets: the clips of the sets train and test, evenly spread.
        seed: of all random numbers of the question.
        device: where the model is.
        arrays: the file of what is stored.
        weights: the folder of weights that metrics may need.
        scenes: what the frames show, by their number; None where their source does not know it.
    """

    model: Autoencoder
    scaling: Scaling
    sets: Mapping[str, Clips]
    seed: int
    device: torch.device
    arrays: hdf5.File
    weights: Path
    scenes: Scenes | None

    def quantised(self) -> Quantised:
        """Return the autoencoder, whose codebooks are asked for.

        Raises:
            UserError: it has none.
        """
        if not isinstance(self.model, Quantised):
            kind = self.model.settings.kind
            raise UserError(f"{kind} has no codebooks. Ask an autoencoder whose codes are vectors.")
        return self.model

    def batches(self, name: str) -> Iterator[Batch]:
        """Yield all clips of a set, at most `BATCH` at a time."""
        clips = self.sets[name]
        for first in range(0, len(clips), BATCH):
            places = range(first, min(first + BATCH, len(clips)))
            frames_BTHWC = clips.read(list(places))
            numbers = [int(clips.starts[place]) for place in places]
            yield Batch(numbers, frames_BTHWC, self.seen(frames_BTHWC))

    def seen(self, frames_BTHWC: Tensor) -> Tensor:
        """Return what the model's view makes of frames, float (B,C,T,H,W) on its device."""
        return self.scaling.inward(frames_BTHWC.to(self.device), None)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """Return {level: ids (B,T,H,W)}, top first, on the CPU."""
        return {level: ids.cpu() for level, ids in self.model.encode(batch.x).items()}

    def show(self, codes: Codes) -> Tensor:
        """Return the frames of codes, uint8 (B,T,H,W,3) on the CPU; `BATCH` at a time."""
        count = len(next(iter(codes.values())))
        parts = [slice(first, first + BATCH) for first in range(0, count, BATCH)]
        return torch.cat(
            [
                self.shown(
                    self.model.decode(
                        {level: ids[part].to(self.device) for level, ids in codes.items()}
                    )
                )
                for part in parts
            ]
        )

    def shown(self, x_BCTHW: Tensor) -> Tensor:
        """Return what the model gives as frames, uint8 (B,T,H,W,3) on the CPU."""
        return self.scaling.outward(x_BCTHW).cpu()

    def counts(self, name: str) -> dict[str, Tensor]:
        """Return how often each code of a level occurs in a set, int64 (K,)."""
        found = {level: CodeCounts(size) for level, size in self.model.codebook_sizes.items()}
        for batch in self.batches(name):
            for level, ids in self.encode(batch).items():
                found[level].update(ids)
        return {level: each.total() for level, each in found.items()}

    def store(self, name: str, values: Tensor) -> None:
        """Store an array that a figure may show."""
        hdf5.store(self.arrays, name, values.cpu().numpy())


@dataclass(frozen=True)
class Answer:
    """What a question found.

    Attributes:
        values: numbers by name, in trees; means as {"mean", "low", "high"}.
        series: rows of a table along one axis, see `foreframe.evaluation.columns.rows`.
        per_clip: values (N,) of test clips by name, less of which is better; two models' are
            compared clip by clip.
    """

    values: Mapping[str, Any]
    series: Sequence[Mapping[str, Any]] = field(default=())
    per_clip: Mapping[str, Tensor] = field(default_factory=dict)


def likeness(one_BTHWC: Tensor, other_BTHWC: Tensor) -> Tensor:
    """Return the PSNR of one clip against another in dB, float64 (B,), the mean over frames.

    Equal clips have 100 dB: see `foreframe.metrics.psnr`.
    """
    return psnr(one_BTHWC, other_BTHWC).mean(dim=1)
