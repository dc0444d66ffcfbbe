"""A tiny study that the stages can measure, with untrained networks and known futures."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from numpy.typing import NDArray

from foreframe import autoencoders, priors
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.futures import FutureSettings
from foreframe.config.latents import LatentSettings
from foreframe.config.protocols import MeasureSettings, ProtocolSettings, SetSettings
from foreframe.config.sampling import Choice, Sampling
from foreframe.data import normalization
from foreframe.data.clips import Clips, SplitRuns, save_split
from foreframe.evaluation import drawing, state_probe
from foreframe.evaluation.scoring import Clipped
from foreframe.models import Shape
from foreframe.predictors import loading
from foreframe.predictors.latent import Latent
from foreframe.priors.actions import Actions
from stages import evaluate, extract_latents, measure, sample
from tests.stages import evaluation_models

SIZE, FRAMES, CONTEXT = 16, 8, 4
ACTIONS = Actions(("steer", "gas"), FRAMES, (0.1, -0.2), (1.0, 0.5))
COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
LEVELS = ("top", "bottom")
PROTOCOL = ProtocolSettings(
    futures=FutureSettings(
        set="test",
        clips=2,
        stride=4,
        context=CONTEXT,
        context_encoding="full_clip",
        horizon=FRAMES - CONTEXT,
        samples=1,
        keep=1,
        seed=7,
    ),
    measures=MeasureSettings(
        metrics=("psnr", "ssim", "mse"),
        best="none",
        sets=SetSettings(see="clip", repeats=1, few="refuse"),
        resize=None,
        likelihood=None,
    ),
)
ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
DRAWN = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
SAMPLING = Sampling(show=2, choices={"right": ARGMAX.model_dump()}, means={})


def protocol(**changes: Any) -> ProtocolSettings:
    """Return a protocol with some values of its futures, measures or their sets changed."""
    futures, sets = (
        {name: changes.pop(name) for name in changes.keys() & settings.model_fields.keys()}
        for settings in (FutureSettings, SetSettings)
    )
    changes["sets"] = PROTOCOL.measures.sets.model_copy(update=sets)
    return ProtocolSettings(
        futures=PROTOCOL.futures.model_copy(update=futures),
        measures=PROTOCOL.measures.model_copy(update=changes),
    )


@dataclass(frozen=True)
class Study:
    """A tiny study: where its artefacts are, and how to run its last stages."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of an artefact."""
        suffixes = {"autoencoder": "safetensors", "top": "safetensors", "bottom": "safetensors"}
        suffixes |= {"probe": "safetensors"}
        suffixes |= {"split": "json", "normalization": "json", "measured": "json", "scores": "json"}
        suffixes |= {"metrics": "json"}
        if name in {"external_samples", "weights"}:
            return self.folder / name
        return self.folder / f"{name}.{suffixes.get(name, 'h5')}"

    @property
    def models(self) -> tuple[Path, ...]:
        """The files of the predictor."""
        return tuple(self.path(name) for name in ("bottom", "autoencoder", "top"))

    def predictor(self) -> Latent:
        """Return the predictor on the CPU."""
        return loading.latent(self.models, self.path("normalization"), torch.device("cpu"))

    def sample(
        self,
        out: Path,
        choices: Mapping[str, Choice],
        *,
        show: int = 2,
        means: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        """Run the stage `sample` under a changed protocol."""
        raw = {name: choice.model_dump() for name, choice in choices.items()}
        sample.main(
            **{name: self.path(name) for name in ("frames", "split", "normalization")},
            models=self.models,
            sampling=Sampling(show=show, choices=raw, means=dict(means or {})),
            futures=protocol(**changes).futures,
            compute=COMPUTE,
            out=out,
        )

    def measure(self, batch_size: int = 3) -> None:
        """Run the stage `measure`."""
        settings = {
            "sampling": SAMPLING,
            "evaluation": Evaluation(batch_size=batch_size),
            "compute": COMPUTE,
        }
        self._run(measure.main, settings)

    def evaluate(self, batch_size: int = 3, **changes: Any) -> None:
        """Run the stage `evaluate` under a changed protocol."""
        settings = {
            "protocol": protocol(**changes),
            "evaluation": Evaluation(batch_size=batch_size),
            "compute": COMPUTE,
        }
        self._run(evaluate.main, settings)

    def _run(self, main: Callable[..., None], settings: Mapping[str, Any]) -> None:
        names = inspect.signature(main).parameters.keys() - settings.keys()
        paths = {name: self.models if name == "models" else self.path(name) for name in names}
        main(**paths, **settings)

    def measured(self) -> dict[str, Any]:
        """Return what the stage `measure` wrote."""
        return facts.read(self.path("measured"), "models")

    def scores(self) -> dict[str, Any]:
        """Return what the stage `evaluate` wrote."""
        return facts.read(self.path("scores"), "evaluation")


def drifting(seed: int) -> NDArray[numpy.uint8]:
    """Return 48 frames of noise that moves a pixel to the right in every second frame."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    still = random.integers(0, 256, (SIZE, SIZE, 3), dtype=numpy.uint8)
    return numpy.stack([numpy.roll(still, step // 2, axis=1) for step in range(48)])


def driven() -> NDArray[numpy.float32]:
    """Return an action for each frame of `make_data`, of the channels steer and gas."""
    random = numpy.random.Generator(numpy.random.Philox(3))
    return random.normal(size=(96, 2)).astype(numpy.float32)


def make_data(study: Study, actions_NA: NDArray[numpy.float32] | None = None) -> None:
    """Write frames, with actions if there are any, split and normalization."""
    videos = numpy.concatenate([drifting(0), drifting(1)])
    names = [] if actions_NA is None else ["steer", "gas"]
    attributes = {"frame_interval": 0.1, "source": "noise", "action_names": json.dumps(names)}
    with hdf5.creating(study.path("frames"), "frames", attributes) as file:
        hdf5.store(file, "frames", videos, chunks=(FRAMES, SIZE, SIZE, 3))
        hdf5.store(file, "episode_start", numpy.array([0, 48]))
        hdf5.store(file, "episode_length", numpy.array([48, 48]))
        hdf5.store(file, "episode_origin", ["seed 0", "seed 1"])
        if actions_NA is not None:
            hdf5.store(file, "actions", actions_NA)
    runs = SplitRuns(((0, 48),), ((48, 68),), ((68, 96),))
    save_split(study.path("split"), runs)
    normalization.save(study.path("normalization"), normalization.measure([videos[:48]]))


def make_models(study: Study, actions: Actions | None = None) -> autoencoders.Autoencoder:
    """Write untrained networks, with priors that take `actions`; return the autoencoder."""
    model = evaluation_models.autoencoder(Shape(3, FRAMES, SIZE, SIZE))
    for level, prior in evaluation_models.priors_of(model, actions).items():
        priors.save(study.path(level), prior)
    autoencoders.save(study.path("autoencoder"), model)
    return model


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
    starts = numpy.array([72, 84])  # the middles of both halves of the test set's six clips
    with Clips(study.path("frames"), starts, FRAMES) as clips:
        real = clips.read([0, 1])
    raw = {name: ARGMAX.model_dump() for name in ("right", "black")}
    sampling = Sampling(show=2, choices=raw, means={})
    attributes = {
        "protocol": "tiny",
        "dataset": digest(study.path("frames")),
        "sampling": sampling.model_dump_json(),
        "settings": json.dumps(
            drawing.settings_digests(study.predictor(), sampling.drawings(Choice))
        ),
        "weights": drawing.weights_digest(study.models),
    }
    normalizer = normalization.Normalizer.load(study.path("normalization"))
    with torch.no_grad():
        decoded = normalizer.denormalize(model.reconstruct(normalizer.normalize(real))).numpy()
    future = real[:, CONTEXT:].numpy()
    futures = {"right": future, "black": numpy.zeros_like(future)}
    study.path("external_samples").mkdir()
    state_probe.EMPTY.save(study.path("probe"))
    with hdf5.creating(study.path("samples"), "samples", attributes) as file:
        hdf5.store(file, "clip_start", starts)
        hdf5.store(file, "real", real.numpy())
        for name, frames_BTHWC in {**futures, "reconstruction": decoded[:, CONTEXT:]}.items():
            hdf5.store(file.create_group(name), "frames", frames_BTHWC[:, None])


def clipped(study: Study, protocol: ProtocolSettings) -> Clipped:
    """Return the clips of a protocol that is called `samples`."""
    frames, split, probe = (study.path(name) for name in ("frames", "split", "probe"))
    return Clipped(frames, split, probe, "samples", protocol)


def make_external(
    study: Study,
    frames_BSTHWC: NDArray[Any],
    *,
    lacking: str = "",
    clip_start: tuple[int, ...] = (72, 84),
    **changes: Any,
) -> Path:
    """Write another program's samples for the protocol `samples`, with what h5py alone offers."""
    attributes = {
        "schema": "foreframe/external_samples",
        "version": 2,
        "predictor": "elsewhere",
        "protocol": "samples",
        "dataset": digest(study.path("frames")),
        "context": CONTEXT,
        "horizon": FRAMES - CONTEXT,
    }
    path = study.path("external_samples") / "elsewhere.h5"
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in (attributes | changes).items():
            if name != lacking:
                file.attrs[name] = value
        file["frames"] = frames_BSTHWC
        file["clip_start"] = clip_start
    return path


def make(folder: Path) -> Study:
    """Write every input of both stages."""
    study = Study(folder)
    make_data(study)
    model = make_models(study)
    make_latents(study)
    make_samples(study, model)
    return study
