"""Untrained priors at the sizes of the presets, and on grids that are larger than theirs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe import autoencoders, priors
from foreframe.config import study
from foreframe.config.sections import Study
from foreframe.models import Shape, SingleLoss
from foreframe.priors import Codes
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import generator
from workflow import preset, studies

ROOT = Path(__file__).resolve().parent.parent
# The main study's only entries of their sections.
DATA, AUTOENCODER = "driving", "vqvae"


@dataclass(frozen=True)
class Size:
    """A preset's priors on its own grids, `factor` times as many rows and columns."""

    preset: str
    factor: int

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.preset if self.factor == 1 else f"{self.preset} x{self.factor}"

    def shapes(self) -> dict[str, Codes]:
        """Return the grid and codebook size of each level, top first."""
        settings = self._study()
        source, autoencoder = settings.data[DATA].source, settings.autoencoders[AUTOENCODER]
        height, width = self.factor * source.height, self.factor * source.width
        with torch.device("meta"):
            shape = Shape(3, autoencoder.view.frames, height, width)
            model = autoencoders.build(autoencoder, shape)
        grids = model.grids()
        return {level: Codes(grids[level], model.codebook_sizes[level]) for level in model.levels}

    def priors(self) -> dict[str, SnailPrior]:
        """Return the priors with their starting weights, on the CPU."""
        result = self.untrained()
        for level, prior in result.items():
            prior.initialize(generator(0, "benchmark", level))
        return result

    def untrained(self) -> dict[str, SnailPrior]:
        """Return the priors on the device that torch makes tensors on."""
        shapes = self.shapes()
        result = {}
        for level, prior_settings in self._study().priors.items():
            given = {name: shapes[name] for name in prior_settings.condition_on}
            prior = priors.build(prior_settings, shapes[level], given)
            assert isinstance(prior, SnailPrior)
            result[level] = prior.eval()
        return result

    def lesson(self, name: str) -> tuple[SingleLoss, dict[str, Tensor]]:
        """Return the autoencoder or a prior, ready to be trained, and a batch of noise for it."""
        settings, numbers = self._study(), generator(0, "benchmark", "batch")
        entry: Any
        if name == AUTOENCODER:
            entry, source = settings.autoencoders[name], settings.data[DATA].source
            shape = Shape(3, entry.view.frames, source.height, source.width)
            autoencoder = autoencoders.build(entry, shape)
            assert isinstance(autoencoder, SingleLoss)
            autoencoder.initialize(generator(0, "benchmark", name))
            size = (entry.training.batch_size, 3, shape.frames, shape.height, shape.width)
            return autoencoder.train(), {"x": numbers.normal(size)}
        entry, shapes = settings.priors[name], self.shapes()
        return self.priors()[name].train(), {
            level: numbers.integers(
                0, shape.codebook_size, (entry.training.batch_size, *shape.grid)
            )
            for level, shape in shapes.items()
        }

    def _study(self) -> Study:
        presets = ROOT / studies.named(ROOT, studies.MAIN).presets
        return study.check(preset.values(self.preset, presets), self.preset)


def parse(text: str) -> Size:
    """Return the size written as `laptop` or `laptop*4`."""
    name, _, factor = text.partition("*")
    return Size(name, int(factor or 1))
