"""A tiny study with everything that the stage `analyse` reads, and the stage run on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from foreframe import autoencoders, priors
from foreframe.analysis.settings import Analysis
from foreframe.artefacts import facts
from foreframe.config.sampling import Choice, Sampling
from foreframe.priors import Prior
from foreframe.report.replication import findings
from stages import analyse, sample
from tests.stages import evaluation_study as tiny

ANALYSIS = Analysis(clips=4, continued=2, show=2, static_below=0.25, faded_below=0.75, seed=0)
CHOICES = {
    "argmax": Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0),
    "drawn": Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0),
}
SHARED = ("frames", "split", "normalization", "autoencoder", "latents", "top", "bottom")
INPUTS = {
    "bottom_unconditioned": "none.safetensors",
    "samples": "context_only.h5",
    "samples_full_clip": "full_clip.h5",
}
OUTPUTS = {"found": "findings.json", "series": "findings.csv", "maps": "findings.h5"}


@dataclass(frozen=True)
class Analysed:
    """The paths of the study's artefacts, by the names of the stage's parameters."""

    inputs: dict[str, Path]
    outputs: dict[str, Path]

    @property
    def facts(self) -> dict[str, Any]:
        return facts.read(self.outputs["found"], "findings")

    @property
    def maps(self) -> dict[str, Any]:
        return findings.read_maps(self.outputs["maps"])

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
        analyse.main(**self.inputs, **self.outputs, compute=tiny.COMPUTE, analysis=ANALYSIS)


def make(folder: Path) -> Analysed:
    """Write the study and run the stage."""
    study = tiny.Study(folder)
    tiny.make_data(study)
    tiny.make_models(study)
    _enlarge(study)
    tiny.make_latents(study)
    _make_unconditioned(study)
    for encoding in ("context_only", "full_clip"):
        _sample(study, encoding)
    inputs = {name: study.path(name) for name in SHARED}
    inputs |= {name: folder / file for name, file in INPUTS.items()}
    made = Analysed(inputs, {name: folder / file for name, file in OUTPUTS.items()})
    made.run()
    return made


def _enlarge(study: tiny.Study) -> None:
    """Enlarge the autoencoder's weights, so that codes differ and values leave the range."""
    model = autoencoders.load(study.path("autoencoder"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    autoencoders.save(study.path("autoencoder"), model)


def _make_unconditioned(study: tiny.Study) -> None:
    prior: Prior = priors.load(study.path("bottom"), "bottom")
    settings = prior.settings.model_copy(update={"conditioning": "none"})
    other = priors.build(settings, prior.codes, prior.conditions)
    other.load_state_dict(prior.state_dict())
    priors.save(study.folder / INPUTS["bottom_unconditioned"], other)


def _sample(study: tiny.Study, encoding: str) -> None:
    sample.main(
        **{name: study.path(name) for name in SHARED if name != "latents"},
        sampling=Sampling.model_validate(
            {"show": 2, "choices": CHOICES, "context_encoding": encoding}
        ),
        protocol=tiny.PROTOCOL.model_copy(update={"clips": 4}),
        compute=tiny.COMPUTE,
        out=study.folder / f"{encoding}.h5",
    )
