"""A tiny study with everything that the stage `find` reads, and the stage run on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas

from foreframe import priors
from foreframe.artefacts import facts, hdf5, tables
from foreframe.findings.settings import Findings
from foreframe.priors import Prior
from stages import find
from tests.stages import evaluation_study as tiny

FINDINGS = Findings(clips=4, continued=2, show=2, static_below=0.25, faded_below=0.75, seed=0)
CHOICES = {"argmax": tiny.ARGMAX, "drawn": tiny.DRAWN}
SHARED = ("frames", "split", "normalization", "latents")
INPUTS = {
    "bottom_unconditioned": "none.safetensors",
    "samples": "context_only.h5",
    "samples_full_clip": "full_clip.h5",
}
OUTPUTS = {"found": "findings.json", "series": "findings.csv", "maps": "findings.h5"}


@dataclass(frozen=True)
class Analysed:
    """The paths of the study's artefacts, by the names of the stage's parameters."""

    inputs: dict[str, Any]
    outputs: dict[str, Path]

    @property
    def facts(self) -> dict[str, Any]:
        return facts.read(self.outputs["found"], "findings")

    @property
    def maps(self) -> dict[str, Any]:
        """Every array of the file, by its name."""
        found: dict[str, Any] = {}

        def keep(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[...]

        with hdf5.opening(self.outputs["maps"], "findings") as file:
            file.visititems(keep)
        return found

    @property
    def series(self) -> pandas.DataFrame:
        """What was measured frame by frame."""
        return tables.read(self.outputs["series"], (), self.facts["series_checksum"])

    def bytes(self) -> dict[str, bytes]:
        return {name: path.read_bytes() for name, path in self.outputs.items()}

    def into(self, folder: Path, **inputs: Path) -> "Analysed":
        """Run the stage once more, with some other inputs, into another folder."""
        folder.mkdir()
        outputs = {name: folder / file for name, file in OUTPUTS.items()}
        other = Analysed({**self.inputs, **inputs}, outputs)
        other.run()
        return other

    def run(self) -> None:
        given: dict[str, Any] = {**self.inputs, **self.outputs}
        find.main(**given, compute=tiny.COMPUTE, findings=FINDINGS)


def make(folder: Path) -> Analysed:
    """Write the study and run the stage."""
    study = tiny.Study(folder)
    tiny.make_data(study)
    tiny.make_models(study)
    tiny.make_latents(study)
    _make_unconditioned(study)
    for encoding in ("context_only", "full_clip"):
        _sample(study, encoding)
    inputs: dict[str, Any] = {name: study.path(name) for name in SHARED}
    inputs["models"] = study.models
    inputs |= {name: folder / file for name, file in INPUTS.items()}
    made = Analysed(inputs, {name: folder / file for name, file in OUTPUTS.items()})
    made.run()
    return made


def _make_unconditioned(study: tiny.Study) -> None:
    prior: Prior = priors.load(study.path("bottom"), "bottom")
    settings = prior.settings.model_copy(update={"conditioning": "none"})
    other = priors.build(settings, prior.codes, prior.conditions)
    other.load_state_dict(prior.state_dict())
    priors.save(study.folder / INPUTS["bottom_unconditioned"], other)


def _sample(study: tiny.Study, encoding: str) -> None:
    out = study.folder / f"{encoding}.h5"
    study.sample(out, CHOICES, clips=4, context_encoding=encoding)
