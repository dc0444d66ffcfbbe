"""Untrained priors at the sizes of the presets, and on grids that are larger than theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe import autoencoders, priors
from foreframe.config import sections, study
from foreframe.config.sections import Study
from foreframe.models import Shape, SingleLoss
from foreframe.priors import Codes
from foreframe.priors.snail import SnailPrior
from foreframe.randomness import generator
from workflow import preset, studies

ROOT = Path(__file__).resolve().parent.parent
AUTOENCODER = "vqvae"  # the main study's only one


@dataclass(frozen=True)
class Size:
    """A preset's priors on its own grids, `factor` times as many rows and columns.

    Of a study that has several priors of a level the first one with engines counts, over the codes
    of its first autoencoder and data.
    """

    preset: str
    factor: int
    study: str = studies.MAIN

    @property
    def name(self) -> str:
        """What tables call it."""
        preset = self.preset if self.study == studies.MAIN else f"{self.study} {self.preset}"
        return preset if self.factor == 1 else f"{preset} x{self.factor}"

    def shapes(self) -> dict[str, Codes]:
        """Return the grid and codebook size of each level, top first."""
        settings = self._study()
        source, autoencoder = _first(settings.data).source, _first(settings.autoencoders)
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
        every = list(self._study().priors.values())
        for prior_settings in every:
            level = prior_settings.level
            if level in result:
                continue
            given = {name: shapes[name] for name in prior_settings.condition_on}
            prior = priors.build(prior_settings, shapes[level], given)
            # Others have no engines: a game draws all of a map at once.
            if isinstance(prior, SnailPrior):
                result[level] = prior.eval()
        return result

    def lesson(self, name: str) -> tuple[SingleLoss, dict[str, Tensor]]:
        """Return the autoencoder or a prior, ready to be trained, and a batch of noise for it."""
        settings, numbers = self._study(), generator(0, "benchmark", "batch")
        entry: Any
        if name == AUTOENCODER:
            entry, source = settings.autoencoders[name], _first(settings.data).source
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
        presets = ROOT / studies.named(ROOT, self.study).presets
        values = preset.values(self.preset, presets)
        if self.study == studies.MAIN:
            return study.check(values, self.preset)
        main = ROOT / studies.named(ROOT, studies.MAIN).presets
        found = study.resolve(values, self.preset, preset.values(self.preset, main)).study
        own = {section: dict.fromkeys(values.get(section, {})) for section in sections.NAMED}
        # The base's entries come first, and are no priors of this study.
        return found.model_copy(
            update={
                section: {name: getattr(found, section)[name] for name in names}
                for section, names in own.items()
            }
        )


def parse(text: str) -> Size:
    """Return the size written as `laptop`, `laptop*4` or `noisy_codes/thesis`."""
    name, _, factor = text.partition("*")
    study_name, _, preset_name = name.rpartition("/")
    return Size(preset_name, int(factor or 1), study_name or studies.MAIN)


def _first(entries: Mapping[str, Any]) -> Any:
    return next(iter(entries.values()))
