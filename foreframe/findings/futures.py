"""Sampled futures as the findings read them: clips, codes and frames, a few at a time.

Shapes: n clips, B clips of a batch, T frames (in codes: code-frames), h predicted frames, H rows,
W columns, C = 3 colours.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.findings import freezing, structure
from foreframe.metrics.mean import Mean
from foreframe.metrics.psnr import psnr
from foreframe.predictors import Context, Predictor
from foreframe.randomness import Draws

SCHEMA = "samples"
RECONSTRUCTION, TRUE, FRAMES = "reconstruction", "true", "frames"
LEVELS = ("top", "bottom")
# Clips measured at once; the number changes memory and speed, no value.
BATCH = 4


@dataclass(frozen=True)
class Futures:
    """An open file of samples."""

    file: hdf5.Reader

    @property
    def encoding(self) -> str:
        """How the given codes were made: full_clip or context_only."""
        return str(self.file.attrs["context_encoding"])

    @property
    def context(self) -> int:
        """How many frames were given."""
        return int(self.file.attrs["context"])

    @property
    def horizon(self) -> int:
        """How many frames were predicted."""
        return int(self.file.attrs["horizon"])

    @property
    def shown(self) -> str:
        """The choice that pictures are of."""
        return str(self.file.attrs["shown_choice"])

    @property
    def choices(self) -> list[str]:
        """The names of the choices, sorted."""
        groups = (name for name, item in self.file.items() if hasattr(item, "keys"))
        return sorted(name for name in groups if name != RECONSTRUCTION)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the clips within their set."""
        found: list[int] = self.file["clip_number"][:].tolist()
        return found

    def real(self, places: Sequence[int]) -> Tensor:
        """Return whole real clips: uint8 (B,T,H,W,C)."""
        return self._read("real", places)

    def predicted(self, name: str, places: Sequence[int]) -> Tensor:
        """Return the first future under a choice (or the reconstruction): uint8 (B,h,H,W,C)."""
        return self._read(f"{name}/{FRAMES}", places)[:, 0]

    def codes(self, name: str, places: Sequence[int]) -> dict[str, Tensor]:
        """Return the codes of the first future under a choice, or TRUE ones: int64 (B,T,H,W).

        None of a mean of futures, which has no codes.
        """
        if name == TRUE:
            return {level: self._read(f"{TRUE}_{level}", places).long() for level in LEVELS}
        if LEVELS[0] not in self.file[name]:
            return {}
        return {level: self._read(f"{name}/{level}", places)[:, 0].long() for level in LEVELS}

    def _read(self, name: str, places: Sequence[int]) -> Tensor:
        dataset = self.file[name]
        return torch.stack([torch.from_numpy(dataset[place]) for place in places])


def check(futures: Futures, path: Path) -> None:
    """Refuse samples whose codes cannot be compared with true ones.

    Raises:
        UserError: the clips are not exactly what the priors model.
    """
    if f"{TRUE}_{LEVELS[0]}" not in futures.file:
        raise UserError(
            f"{path} holds no true codes, because context and horizon of its protocol are not "
            "together one window of the priors (view.frames). Analyse samples of one that is."
        )


def batches(places: Sequence[int]) -> Iterator[list[int]]:
    """Yield some of the places at a time, in order."""
    for first in range(0, len(places), BATCH):
        yield list(places[first : first + BATCH])


@dataclass(frozen=True)
class Measured:
    """A choice's futures: values of each clip and frame, maps that are means over clips."""

    values: columns.Columns  # (n,h) each
    error_map: Tensor  # mean absolute error in grey levels (h,H,W)
    code_errors: dict[str, Tensor]  # share of wrong codes (T,H,W), by level; {} for means


def measure(futures: Futures, choice: str, baselines: Mapping[str, Predictor]) -> Measured:
    """Measure every clip's future under a choice, and the best of the baselines frame by frame."""
    parts: list[columns.Columns] = []
    errors = Mean()
    codes = {level: Mean() for level in futures.codes(choice, [0])}
    for places in batches(range(len(futures.numbers))):
        real, predicted = futures.real(places), futures.predicted(choice, places)
        true, context = real[:, futures.context :], futures.context
        copied = real[:, context - 1 : context].expand_as(true)
        given, draws = Context(real[:, :context], places), Draws.first(0, places)
        others = [
            psnr(true, base.predict(given, futures.horizon, Options(), draws).frames)
            for base in baselines.values()
        ]
        parts.append(
            {
                **freezing.measure(true, futures.predicted(RECONSTRUCTION, places), predicted),
                "psnr": psnr(true, predicted),
                "psnr_baseline": torch.stack(others).amax(dim=0),
                "structure": structure.correlation(true, predicted),
                "structure_copied": structure.correlation(true, copied),
            }
        )
        errors.update((predicted.double() - true.double()).abs().mean(dim=-1))
        own, right = futures.codes(choice, places), futures.codes(TRUE, places)
        for level, mean in codes.items():
            mean.update(own[level] != right[level])
    means = {level: mean.result() for level, mean in codes.items()}
    return Measured(columns.join(parts), errors.result(), means)


def common(first: Futures, second: Futures) -> tuple[list[int], list[int]]:
    """Return the places of the clips that both files continue, in either file.

    Raises:
        UserError: there is none.
    """
    numbers = sorted(set(first.numbers) & set(second.numbers))
    if not numbers:
        raise UserError("the two files of samples have no clip in common: sample the same clips.")
    found: Any = [[each.numbers.index(number) for number in numbers] for each in (first, second)]
    return found[0], found[1]
