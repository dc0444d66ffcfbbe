"""Makes a tiny study's artefacts with the real writers, in the schemas that the stages write.

The pictures are a bar that moves over a slope, so that strips and clips can be told apart by eye.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML

from foreframe.artefacts import facts, hdf5, tensors
from foreframe.data import latents
from foreframe.data.latents import CodeGrid
from foreframe.data.views import View
from foreframe.report import settings as settings_file
from foreframe.report.desk import Desk
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from stages import inspect_data
from tests import report_numbers as numbers
from tests import smoke
from tests.smoke import ROOT

Frames = NDArray[numpy.uint8]


@dataclass(frozen=True)
class Size:
    """Rows and columns of the frames (multiples of 8), number of frames, clips and steps."""

    height: int = 24
    width: int = 32
    frames: int = 400
    clips: int = 3
    steps: int = 60


def parameters() -> dict[str, Any]:
    """Return the sections of params.yaml that a report reads: the smoke preset, small and fixed."""
    sections = smoke.parameters()
    del sections["data"]["driving"]["videos"]
    protocol = sections["protocols"]["driving"]
    protocol["futures"] |= {"clips": 3, "context_encoding": "full_clip"}
    protocol["measures"]["metrics"] = ["psnr", "ssim"]
    choice = {"mode": "argmax", "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    sections["autoencoders"]["vqvae"]["view"] |= {"frames": numbers.CLIP, "train_stride": 1}
    sections["autoencoders"]["vqvae"]["codebook_size"] = numbers.CODES
    sections["sampling"] |= {
        "show": numbers.SHOWN,
        "choices": {"argmax": choice, "sampled": {**choice, "mode": "sample"}},
        "means": {},
    }
    return sections


def desk(folder: Path, results: Sequence[Path], sections: Mapping[str, Any]) -> Desk:
    """Return where figures are drawn from `results`; its parameters are written into `folder`."""
    path = folder / "params.yaml"
    path.write_text(json.dumps(sections), encoding="utf-8")
    library = Library(results)
    return Desk(library, Results(Reader(library)), settings_file.load([path]))


def declared(study: str) -> dict[str, Any]:
    """Return the figures that a study declares, by name; none if it has no report."""
    path = ROOT / "studies" / study / "figures.yaml"
    return dict(YAML(typ="safe").load(path)["figures"]) if path.exists() else {}


def make(folder: Path, size: Size | None = None) -> None:
    """Write every artefact that the report reads into `folder`."""
    size = size or Size()
    random = numpy.random.Generator(numpy.random.Philox(1))
    _frames(folder / "frames.h5", size)
    _facts(folder)
    _training(folder, "vqvae", size, random)
    for name in ("top", "bottom"):
        _training(folder / "priors", name, size, random)
    _latents(folder / "latents.h5", size)
    _samples(folder / "samples/driving.h5", size, random)
    _examples(folder / "examples.h5", size, random)
    facts.write(folder / "models.json", "models", numbers.models())
    facts.write(folder / "evaluations/driving.json", "evaluation", numbers.evaluation())
    inspect_data.main(
        frames=folder / "frames.h5",
        split=folder / "split.json",
        view=View(**parameters()["autoencoders"]["vqvae"]["view"]),
        inspection=folder / "inspection.json",
        arrays=folder / "inspection.h5",
    )


def picture(size: Size, first: int, frames: int) -> Frames:
    """Return (frames, H, W, 3): a white bar moving right over a slope of greens."""
    rows = numpy.linspace(40, 160, size.height)[:, None, None]
    result = numpy.broadcast_to(
        rows * numpy.array([0.3, 1.0, 0.5]), (size.height, size.width, 3)
    ).astype(numpy.uint8)
    result = numpy.repeat(result[None], frames, axis=0)
    for index in range(frames):
        start = (first + index) % (size.width - 4)
        result[index, size.height // 3 :, start : start + 4] = 240
    return result


def _noisy(frames: Frames, random: numpy.random.Generator, amount: int) -> Frames:
    noise = random.integers(-amount, amount + 1, frames.shape)
    return numpy.clip(frames.astype(numpy.int64) + noise, 0, 255).astype(numpy.uint8)


def _frames(path: Path, size: Size) -> None:
    attributes = {
        "frame_interval": 0.1,
        "source_kind": "car_racing",
        "action_names": json.dumps(["steering", "gas", "brake"]),
    }
    half = size.frames // 2
    with hdf5.creating(path, "frames", attributes) as file:
        chunks = (numbers.CLIP, size.height, size.width, 3)
        hdf5.store(file, "frames", picture(size, 0, size.frames), chunks)
        hdf5.store(file, "actions", numpy.zeros((size.frames, 3), numpy.float32))
        hdf5.store(file, "episode_start", numpy.array([0, half]))
        hdf5.store(file, "episode_length", numpy.array([half, size.frames - half]))
        hdf5.store(file, "episode_origin", numpy.array(["seed 0", "seed 1"]))


def _facts(folder: Path) -> None:
    split = {
        "train": [[0, 200], [200, 320]],
        "validation": [[320, 360]],
        "test": [[360, 400]],
    }
    facts.write(folder / "split.json", "split", split)
    normalization = {"mean": [0.4, 0.5, 0.3], "std": [0.2, 0.25, 0.21], "pixels": 320 * 24 * 32}
    facts.write(folder / "normalization.json", "normalization", normalization)


def _training(folder: Path, name: str, size: Size, random: numpy.random.Generator) -> None:
    final = 0.08 if name == "vqvae" else 1.9
    curve, epochs = _curves(size, final, random, name == "vqvae")
    values = {
        "parameters": {"vqvae": 98765, "top": 543210, "bottom": 1234567}[name],
        "steps": size.steps,
        "samples": size.steps * 8,
        "environment": numbers.ENVIRONMENT,
        "final": epochs.iloc[-1].to_dict(),
    }
    schema = "autoencoder" if name == "vqvae" else "prior"
    weights = {"weight": torch.full((2, 2), float(len(name)))}
    tensors.write(folder / f"{name}.safetensors", weights, schema, {"kind": name})
    values["curve"], values["epochs"] = curve.to_dict("records"), epochs.to_dict("list")
    if name == "vqvae":
        values["windows"] = {"train": 290, "validation": 4, "test": 4}
        values["clip_frames"] = numbers.CLIP
    facts.write(folder / f"{name}.json", "training", values)


def _curves(
    size: Size, final: float, random: numpy.random.Generator, codebooks: bool
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    steps = numpy.arange(1, size.steps + 1)
    loss = final * (1 + 3 * numpy.exp(-steps / 8)) + random.normal(0, final / 50, size.steps)
    curve: dict[str, Any] = {
        "epoch": 1 + (steps - 1) * 3 // size.steps,
        "step": steps,
        "samples": steps * 8,
        "loss": loss,
        "gradient_norm": loss * 0.3,
        "learning_rate": 0.001,
    }
    ends = numpy.array([size.steps // 3, 2 * size.steps // 3, size.steps])
    epochs: dict[str, Any] = {"epoch": [1, 2, 3], "step": ends, "samples": ends * 8}
    if codebooks:
        curve |= {"reconstruction": loss * 0.8}
        curve |= {f"commitment_{level}": loss * 0.4 for level in ("top", "bottom")}
    for prefix, factor in (("train", 1.0), ("validation", 1.06)):
        epochs[f"{prefix}_loss"] = loss[ends - 1] * factor
        if codebooks:
            epochs[f"{prefix}_reconstruction"] = loss[ends - 1] * factor * 0.8
            for level in ("top", "bottom"):
                epochs[f"{prefix}_commitment_{level}"] = loss[ends - 1] * 0.4
                epochs[f"{prefix}_usage_{level}"] = [0.3, 0.6, 0.75]
                epochs[f"{prefix}_perplexity_{level}"] = [5.0, 11.0, 14.5]
    return pandas.DataFrame(curve), pandas.DataFrame(epochs)


def _latents(path: Path, size: Size) -> None:
    layout = {
        level: CodeGrid(shape=grid, size=numbers.CODES) for level, grid in grids(size).items()
    }
    attributes = latents.attributes(layout)
    with hdf5.creating(path, "latents", attributes) as file:
        for name, count in zip(numbers.SETS, (72, 4, 4), strict=True):
            group = file.create_group(name)
            for level, (t, h, w) in grids(size).items():
                hdf5.store(group, level, numpy.zeros((count, t, h, w), numpy.int16))
            hdf5.store(group, "clip_start", numpy.arange(count))


def grids(size: Size) -> dict[str, tuple[int, int, int]]:
    """Return code-frames, rows and columns of both levels."""
    return {
        "top": (numbers.CLIP // 4, size.height // 8, size.width // 8),
        "bottom": (numbers.CLIP // 2, size.height // 4, size.width // 4),
    }


def _samples(path: Path, size: Size, random: numpy.random.Generator) -> None:
    horizon = numbers.CLIP - numbers.CONTEXT
    attributes = {
        "context": numbers.CONTEXT,
        "horizon": horizon,
        "context_encoding": "full_clip",
        "show": numbers.SHOWN,
        "seed": 0,
        "operations": json.dumps({"top": numbers.COST, "bottom": {**numbers.COST, "codes": 192}}),
    }
    real = numpy.stack([picture(size, 7 * clip, numbers.CLIP) for clip in range(size.clips)])
    with hdf5.creating(path, "samples", attributes) as file:
        hdf5.store(file, "clip_start", 360 + numpy.arange(size.clips))
        hdf5.store(file, "real", real)
        for name, amount in (("argmax", 30), ("sampled", 60)):
            group = file.create_group(name)
            future = _noisy(real[:, numbers.CONTEXT :], random, amount)
            hdf5.store(group, "frames", future[:, None])
            for level, shape in grids(size).items():
                hdf5.store(group, level, numpy.zeros((size.clips, 1, *shape), numpy.int16))


def _examples(path: Path, size: Size, random: numpy.random.Generator) -> None:
    original = numpy.stack([picture(size, 5 * clip, numbers.CLIP) for clip in range(numbers.SHOWN)])
    grey = original.mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(numpy.uint8)
    with hdf5.creating(path, "examples", {}) as file:
        hdf5.store(file, "original", original)
        hdf5.store(file, "reconstruction", _noisy(original, random, 10))
        hdf5.store(file, "top_only", _noisy(original // 2 + 60, random, 5))
        hdf5.store(file, "bottom_only", _noisy(grey, random, 10))
