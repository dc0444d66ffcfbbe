"""Stage measure: the models on every set: reconstruction, likelihood, use of codes, and examples.

One pass over the codes of each set measures it whole, beside the baselines of code models, which
are fitted on the training set. Futures are the business of the stages sample and evaluate.

Shapes: B clips, C = 3 colours, T frames or code-frames, H rows, W columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from foreframe import autoencoders
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts import scores as score_file
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.sampling import Sampling
from foreframe.config.split import SETS
from foreframe.data import latents as latents_file
from foreframe.data.clips import Clips, SplitRuns, load_split
from foreframe.evaluation import contexts, summary
from foreframe.evaluation.protocol import SetProtocol
from foreframe.evaluation.sets import Models, SetScore
from foreframe.metrics import mse, nll, psnr
from foreframe.metrics.frames import VALUE_RANGE
from foreframe.predictors import loading
from foreframe.running import stage
from foreframe.running.compute import environment, prepare

SCHEMA = "models"
TRAINING, TEST = "train", "test"  # the sets that baselines are fitted and examples taken from
VARIANTS = {"mse": mse.VARIANT, "psnr": psnr.VARIANT, "nll": nll.VARIANT}


def batches(count: int, size: int, name: str) -> Iterator[slice]:
    """Yield slices that cover `count` clips, with a progress bar called `name`."""
    for start in tqdm(range(0, count, size), desc=name, unit="batch", disable=None):
        yield slice(start, min(start + size, count))


def read_codes(group: h5py.Group, levels: Iterable[str], rows: slice) -> dict[str, torch.Tensor]:
    """Return the codes of some clips, int64 (B, T, H, W), by level."""
    return {level: torch.from_numpy(group[level][rows]).long() for level in levels}


def score_set(models: Models, clips: Clips, codes: h5py.Group, size: int, name: str) -> SetScore:
    """Measure every clip of a set, `size` at a time."""
    score = SetScore(models)
    for rows in batches(len(clips), size, name):
        real = clips.read(numpy.arange(rows.start, rows.stop))
        score.update(real, read_codes(codes, models.autoencoder.levels, rows))
    return score


def write_examples(path: Path, models: Models, clips: Clips, codes: h5py.Group, show: int) -> None:
    """Write `show` clips, their reconstructions, and what each level decodes to alone."""
    levels = models.autoencoder.levels
    numbers = contexts.evenly(len(clips), min(show, len(clips)))
    shown = latents_file.read(codes, levels, torch.from_numpy(numbers))
    with hdf5.creating(path, "examples", {}) as file:
        hdf5.store(file, "original", clips.read(numbers).numpy())
        hdf5.store(file, "reconstruction", models.show(shown).numpy())
        for level in levels:
            others = [other for other in levels if other != level]
            hdf5.store(file, f"{level}_only", models.show(shown, drop=others).numpy())


def stride(starts: NDArray[numpy.int64], runs: Iterable[tuple[int, int]]) -> int:
    """Return the frames between neighbouring clips of a run; 0 if no run holds two clips."""
    gaps = [numpy.diff(starts[(starts >= first) & (starts < end)]) for first, end in runs]
    return int(min((gap.min() for gap in gaps if len(gap)), default=0))


def describe(
    frames: Path, split: Path, runs: SplitRuns, codes: h5py.File, shape_THW: tuple[int, int, int]
) -> SetProtocol:
    """Return the protocol that all numbers of this stage share, for clips of this shape."""
    starts = {name: codes[name]["clip_start"][:] for name in SETS}
    return SetProtocol(
        dataset=digest(frames),
        split=digest(split),
        clips={name: len(starts[name]) for name in SETS},
        clip_strides={name: stride(starts[name], runs.runs(name)) for name in SETS},
        clip_frames=shape_THW[0],
        frame_size=shape_THW[1:],
        value_range=VALUE_RANGE,
        metrics=VARIANTS,
    )


def load_models(
    device: torch.device, compute: Compute, normalization: Path, paths: Sequence[Path]
) -> Models:
    """Read the networks onto a device, ready to be measured."""
    found = loading.latent(paths, normalization, device)
    return Models(found.autoencoder, found.priors, found.scaling, device, compute)


def summarize(
    run: str, models: Models, protocol: SetProtocol, scores: dict[str, SetScore]
) -> dict[str, Any]:
    """Return the contents of the file of facts; `run` is what the autoencoder is called."""
    return {
        "protocol": protocol.facts(),
        "protocol_digest": protocol.digest(),
        "clips": dict(protocol.clips),
        "autoencoder": {"run": run, **summary.autoencoder(models, scores, TRAINING)},
        "compression": summary.saved_bits(models, protocol.clip_frames, *protocol.frame_size),
        "priors": summary.priors(models, scores, TRAINING),
        "environment": environment(models.device, models.compute),
    }


def few(found: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that `dvc metrics show` prints."""
    autoencoder = found["autoencoder"]
    result = {f"mse_{name}": autoencoder["mse"][name] for name in SETS}
    result["psnr_test"] = autoencoder["psnr"][TEST]
    for level, prior in found["priors"].items():
        result[f"{level}_nll_test"] = prior["nll"][TEST]
        result[f"{level}_perplexity"] = autoencoder["codebook"][level]["perplexity"]
        result[f"{level}_usage"] = autoencoder["codebook"][level]["usage"]
    return result


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    latents: Path,
    sampling: Sampling,
    evaluation: Evaluation,
    compute: Compute,
    measured: Path,
    metrics: Path,
    examples: Path,
) -> None:
    """Measure the models on every set; write the numbers, and examples of the test set."""
    networks = load_models(prepare(compute), compute, normalization, models)
    runs, scores = load_split(split), {}
    length = networks.autoencoder.settings.view.frames
    with torch.inference_mode(), hdf5.opening(latents, latents_file.SCHEMA) as codes:
        for name in SETS:
            with Clips(frames, codes[name]["clip_start"][:], length) as clips:
                scores[name] = score_set(networks, clips, codes[name], evaluation.batch_size, name)
                shape_THW = clips.shape[1:4]
                if name == TEST:
                    write_examples(examples, networks, clips, codes[name], sampling.show)
        protocol = describe(frames, split, runs, codes, shape_THW)
    run = next(path.stem for path in models if loading.schema_of(path) == autoencoders.SCHEMA)
    found = summarize(run, networks, protocol, scores)
    facts.write(measured, SCHEMA, found)
    score_file.write(metrics, few(found))


if __name__ == "__main__":
    stage.run(main)
