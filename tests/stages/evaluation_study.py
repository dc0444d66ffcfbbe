"""A tiny study that the stage `evaluate` can measure, with untrained networks and known futures."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray

from foreframe import autoencoders, normalization, priors
from foreframe.artefacts import facts, hdf5
from foreframe.autoencoders import vqvae
from foreframe.clips import Clips, SplitRuns, save_split
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.latents import LatentSettings
from foreframe.config.training import Training
from foreframe.priors import conditional_pixel_snail, pixel_snail
from foreframe.randomness import generator
from stages import evaluate, extract_latents

SIZE, FRAMES, CONTEXT, CODES = 16, 8, 4, 12
COMPUTE = Compute(device="cpu", threads=1, precision="float32")
LEVELS = ("top", "bottom")
OUTPUTS = ("metrics", "per_frame", "examples")
TRAINING = Training(
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.0,
    batch_size=2,
    epochs=1,
    gradient_clip=None,
    schedule="constant",
    warmup_steps=0,
    log_every=1,
)


@dataclass(frozen=True)
class Study:
    """A tiny study: where its artefacts are, and how to evaluate it."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of an artefact."""
        suffixes = {"autoencoder": "safetensors", "top": "safetensors", "bottom": "safetensors"}
        suffixes |= {"split": "json", "normalization": "json", "metrics": "json"}
        suffixes |= {"per_frame": "csv"}
        return self.folder / f"{name}.{suffixes.get(name, 'h5')}"

    def run(self, batch_size: int = 3) -> None:
        """Run the stage."""
        names = inspect.signature(evaluate.main).parameters.keys() - {"evaluation", "compute"}
        arguments: dict[str, Any] = {name: self.path(name) for name in names}
        evaluation = Evaluation(batch_size=batch_size)
        evaluate.main(**arguments, evaluation=evaluation, compute=COMPUTE)

    def metrics(self) -> dict[str, Any]:
        """Return the contents of the metrics file."""
        return facts.read(self.path("metrics"), "metrics")


def drifting(seed: int) -> NDArray[numpy.uint8]:
    """Return 48 frames of noise that moves a pixel to the right in every second frame."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    still = random.integers(0, 256, (SIZE, SIZE, 3), dtype=numpy.uint8)
    return numpy.stack([numpy.roll(still, step // 2, axis=1) for step in range(48)])


def make_data(study: Study) -> None:
    """Write frames, split and normalization."""
    videos = numpy.concatenate([drifting(0), drifting(1)])
    attributes = {"frame_interval": 0.1, "source": "noise", "action_names": "[]"}
    with hdf5.creating(study.path("frames"), "frames", attributes) as file:
        hdf5.store(file, "frames", videos, chunks=(FRAMES, SIZE, SIZE, 3))
        hdf5.store(file, "episode_start", numpy.array([0, 48]))
        hdf5.store(file, "episode_length", numpy.array([48, 48]))
        hdf5.store(file, "episode_origin", ["seed 0", "seed 1"])
    runs = SplitRuns(((0, 48),), ((48, 68),), ((68, 96),), FRAMES, 1, 4)
    save_split(study.path("split"), runs)
    normalization.save(study.path("normalization"), normalization.measure([videos[:48]]))


def autoencoder_settings() -> vqvae.Settings:
    """Return the settings of a tiny autoencoder."""
    return vqvae.Settings(
        kind="vqvae",
        training=TRAINING,
        width=8,
        residual_width=4,
        residual_layers=1,
        residual_kernel=(1, 3, 3),
        code_dim=4,
        codebook_size=CODES,
        codebook_init="normal",
        commitment=0.25,
        ema_decay=0.99,
        ema_epsilon=1e-5,
        ema_initial_count=0.0,
        restart_threshold=0.0,
        bottom_sees_top=False,
        bottom_dropout=0.0,
    )


def prior_settings() -> Mapping[str, priors.PriorSettings]:
    """Return the settings of two tiny priors."""
    top = pixel_snail.Settings(
        kind="pixel_snail",
        level="top",
        condition_on=(),
        training=TRAINING,
        channels=4,
        residual_layers=1,
        blocks=1,
        key_channels=2,
        value_channels=4,
        attention_scale="key",
    )
    bottom = conditional_pixel_snail.Settings(
        kind="conditional_pixel_snail",
        level="bottom",
        condition_on=("top",),
        training=TRAINING,
        channels=4,
        residual_layers=1,
        blocks=1,
        kernel=(3, 3, 3),
        condition_layers=1,
        condition_channels=4,
        condition_kernel=(3, 3, 3),
        conditioning="input",
    )
    return {"top": top, "bottom": bottom}


def make_models(study: Study) -> autoencoders.Autoencoder:
    """Write untrained networks; return the autoencoder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = autoencoders.build(autoencoder_settings()).eval()
        model.initialize(generator(0, "test"))
        grids = model.grids(FRAMES, SIZE, SIZE)
        shapes = {level: priors.Codes(grids[level], CODES) for level in grids}
        for level, settings in prior_settings().items():
            given = {other: shapes[other] for other in settings.condition_on}
            priors.save(study.path(level), priors.build(settings, shapes[level], given))
    autoencoders.save(study.path("autoencoder"), model)
    return model


def encode(study: Study, model: autoencoders.Autoencoder, clips: torch.Tensor) -> dict[str, Any]:
    """Return the codes of 8-bit clips as int16 arrays."""
    normalizer = normalization.Normalizer.load(study.path("normalization"))
    with torch.no_grad():
        codes = model.encode(normalizer.normalize(clips))
    return {level: codes[level].numpy().astype(numpy.int16) for level in codes}


def make_latents(study: Study) -> None:
    """Encode all clips, those of the training set at stride 4."""
    extract_latents.main(
        frames=study.path("frames"),
        split=study.path("split"),
        normalization=study.path("normalization"),
        model=study.path("autoencoder"),
        latents=LatentSettings(train_stride=4),
        compute=COMPUTE,
        out=study.path("latents"),
    )


def make_samples(study: Study, model: autoencoders.Autoencoder) -> None:
    """Write futures for two test clips: one choice that is right, one that is black."""
    starts = numpy.array([68, 84])
    with Clips(study.path("frames"), starts, FRAMES) as clips:
        real = clips.read([0, 1])
    attributes = {
        "context": CONTEXT,
        "horizon": FRAMES - CONTEXT,
        "context_encoding": "full_clip",
        "show": 1,
        "seed": 7,
    }
    future = real[:, CONTEXT:].numpy()
    with hdf5.creating(study.path("samples"), "samples", attributes) as file:
        hdf5.store(file, "clip_start", starts)
        hdf5.store(file, "real", real.numpy())
        for level, codes in encode(study, model, real).items():
            hdf5.store(file, f"true_{level}", codes)
        for name, frames_BTHWC in (("right", future), ("black", numpy.zeros_like(future))):
            hdf5.store(file.create_group(name), "frames", frames_BTHWC)


def make(folder: Path) -> Study:
    """Write every input of the stage."""
    study = Study(folder)
    make_data(study)
    model = make_models(study)
    make_latents(study)
    make_samples(study, model)
    return study
