"""A tiny study of drawn pictures with labels: frames, split, colours, an autoencoder, its codes."""

from dataclasses import dataclass
from pathlib import Path

import numpy

from foreframe import autoencoders
from foreframe.autoencoders import vqvae2
from foreframe.config.latents import LatentSettings
from foreframe.config.split import Split
from foreframe.data import normalization, writing
from foreframe.data.writing import Layout
from foreframe.models import Shape
from foreframe.randomness import generator
from foreframe.sources import drawn_objects
from stages import extract_latents, split
from tests.foreframe.autoencoders import test_vqvae2
from tests.foreframe.data import seen
from tests.foreframe.sources import synthetic_episodes
from tests.stages.evaluation_study import COMPUTE

SIDE = 32
VIEW = seen.view(frames=1, train_stride=1, evaluation_stride=1, scaling="symmetric")


@dataclass(frozen=True)
class Study:
    """The folder of the study, which lies where a study's artefacts do."""

    folder: Path

    def path(self, name: str) -> Path:
        suffixes = {"split": "json", "normalization": "json", "autoencoder": "safetensors"}
        return self.folder / f"{name}.{suffixes.get(name, 'h5')}"

    def paths(self, *names: str) -> dict[str, Path]:
        return {name: self.path(name) for name in names}


def pictures(path: Path, *, train: int, test: int, labelled: bool = True) -> None:
    """Write pictures of objects, an episode each."""
    size = {"height": SIDE, "width": SIDE, "frames_per_episode": 1}
    count = {"train_episodes": train, "test_episodes": test}
    chosen = synthetic_episodes.settings("drawn_objects", **size, **count)
    stream = drawn_objects.stream(chosen, 0, Path(), 1, 0)
    layout = Layout(
        height=SIDE,
        width=SIDE,
        frame_interval=chosen.frame_interval,
        source=chosen.kind,
        actions=stream.actions,
        states=stream.states,
        labels=stream.labels if labelled else {},
        chunk=1,
    )
    with writing.creating(path, layout) as writer:
        for episode in stream.episodes:
            for _ in writer.add(episode):
                pass


def network() -> vqvae2.VQVAE2:
    """Return an untrained autoencoder, whose codes differ all the same."""
    settings = test_vqvae2.settings(
        view=VIEW,
        width=8,
        residual_width=4,
        residual_layers={"top": 1, "bottom": 1},
        code_dim=4,
        codebook_init="normal",
        codebook_sizes={"top": 12, "bottom": 16},
    )
    model = vqvae2.build(settings, Shape(3, 1, SIDE, SIDE))
    model.initialize(generator(0, "weights"))
    for parameter in model.parameters():
        parameter.data.mul_(2)
    return model


def make(folder: Path, train: int = 60, test: int = 24) -> Study:
    """Write every input of both stages."""
    study = Study(folder / "data/tiny")
    study.folder.mkdir(parents=True)
    pictures(study.path("frames"), train=train, test=test)
    shares = Split(by="official", train=0.8, validation=0.1, test=0.1)
    split.main(frames=study.path("frames"), split=shares, out=study.path("split"))
    grey = numpy.zeros((1, 2, 2, 3), numpy.uint8)
    normalization.save(study.path("normalization"), normalization.measure([grey]))
    autoencoders.save(study.path("autoencoder"), network())
    extract_latents.main(
        **study.paths("frames", "split", "normalization"),
        model=study.path("autoencoder"),
        latents=LatentSettings(train_stride=1),
        compute=COMPUTE,
        out=study.path("latents"),
    )
    return study
