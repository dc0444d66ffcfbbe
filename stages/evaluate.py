"""Stage `evaluate`: every set measured whole, every predicted future against the true one.

One pass over the codes of each set gives reconstruction error, likelihood and baselines; the
samples give scores of each predicted frame, beside copy-last-frame and the reconstruction, which
is the best that these latents allow. All of it under one protocol, whose digest is stored with it.

Shapes: B clips, C = 3 colours, T frames or code-frames, H rows, W columns.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from numpy.typing import NDArray
from pandas import DataFrame
from tqdm import tqdm

from foreframe import autoencoders, priors, stage
from foreframe.artefacts import facts, hdf5, tables
from foreframe.artefacts.digest import digest
from foreframe.clips import Clips, load_split
from foreframe.compute import environment, prepare
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.sampling import Choice
from foreframe.config.split import SETS
from foreframe.errors import UserError
from foreframe.metrics import mse, nll, psnr, ssim, summary
from foreframe.metrics.frames import VALUE_RANGE
from foreframe.metrics.prediction import FrameScores
from foreframe.metrics.protocol import Protocol
from foreframe.metrics.sets import Codes, Models, SetScore
from foreframe.normalization import Normalizer
from foreframe.predictors.copy_last_frame import CopyLastFrame

TRAINING, PREDICTION = "train", "test"  # the sets that baselines are fitted and futures made on
# The baseline draws nothing: any choice gives the same.
ANY = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
COPY, RECONSTRUCTION = "copy_last_frame", "reconstruction"
VARIANTS = {"mse": mse.VARIANT, "psnr": psnr.VARIANT, "ssim": ssim.VARIANT, "nll": nll.VARIANT}


def batches(count: int, size: int, name: str) -> Iterator[slice]:
    """Yield slices that cover `count` clips, with a progress bar called `name`."""
    for start in tqdm(range(0, count, size), desc=name, unit="batch", disable=None):
        yield slice(start, min(start + size, count))


def read_codes(
    group: h5py.Group, levels: Iterable[str], rows: slice, prefix: str = ""
) -> dict[str, torch.Tensor]:
    """Return the codes of some clips, int64 (B, T, H, W), from the datasets PREFIX + level."""
    return {level: torch.from_numpy(group[prefix + level][rows]).long() for level in levels}


def true_codes(samples: h5py.File, models: Models, rows: slice) -> Codes:
    """Return the codes that the true frames of sampled clips were encoded to."""
    return read_codes(samples, models.autoencoder.levels, rows, "true_")


def score_set(models: Models, clips: Clips, codes: h5py.Group, size: int, name: str) -> SetScore:
    """Measure every clip of a set, `size` at a time."""
    score = SetScore(models)
    for rows in batches(len(clips), size, name):
        real = clips.read(numpy.arange(rows.start, rows.stop))
        score.update(real, read_codes(codes, models.autoencoder.levels, rows))
    return score


def score_predictions(models: Models, samples: h5py.File, size: int) -> FrameScores:
    """Measure what each choice sampled, and the two predictors that bound them.

    Raises:
        UserError: a choice has the name of one of the two.
    """
    choices = sorted(name for name in samples if isinstance(samples[name], h5py.Group))
    if taken := sorted({COPY, RECONSTRUCTION} & set(choices)):
        raise UserError(f"sampling.choices.{taken[0]}: this name is taken. Rename the choice.")
    context, horizon = int(samples.attrs["context"]), int(samples.attrs["horizon"])
    scores = FrameScores()
    for rows in batches(len(samples["real"]), size, "predictions"):
        real = torch.from_numpy(samples["real"][rows])
        given, future = real[:, :context], real[:, context:]
        copied = CopyLastFrame().predict(given, horizon, ANY, 0, range(len(real)))
        scores.update(COPY, future, copied)
        for name in choices:
            scores.update(name, future, torch.from_numpy(samples[name]["frames"][rows]))
        decoded = models.show(true_codes(samples, models, rows))
        scores.update(RECONSTRUCTION, future, decoded[:, context:])
    return scores


def write_examples(path: Path, models: Models, samples: h5py.File) -> None:
    """Write the shown clips, their reconstructions, and what each level decodes to alone."""
    levels = models.autoencoder.levels
    rows = slice(0, int(samples.attrs["show"]))
    codes = true_codes(samples, models, rows)
    with hdf5.creating(path, "examples", {}) as file:
        hdf5.store(file, "original", samples["real"][rows])
        hdf5.store(file, "reconstruction", models.show(codes).numpy())
        for level in levels:
            others = [other for other in levels if other != level]
            hdf5.store(file, f"{level}_only", models.show(codes, drop=others).numpy())


def describe(frames: Path, split: Path, codes: h5py.File, samples: h5py.File) -> Protocol:
    """Return the protocol that all numbers of this evaluation share."""
    starts, runs = {name: codes[name]["clip_start"][:] for name in SETS}, load_split(split)
    _, _, height, width, _ = samples["real"].shape
    return Protocol(
        dataset=digest(frames),
        split=digest(split),
        clips={name: len(starts[name]) for name in SETS},
        clip_strides={name: stride(starts[name], runs.runs(name)) for name in SETS},
        prediction_set=PREDICTION,
        prediction_clips=tuple(samples["clip_start"][:].tolist()),
        context=int(samples.attrs["context"]),
        horizon=int(samples.attrs["horizon"]),
        context_encoding=str(samples.attrs["context_encoding"]),
        frame_size=(height, width),
        resizing="none",
        value_range=VALUE_RANGE,
        metrics=VARIANTS,
        samples_per_context=1,
        best_of="one sample, nothing is chosen",
        seed=int(samples.attrs["seed"]),
    )


def stride(starts: NDArray[numpy.int64], runs: Iterable[tuple[int, int]]) -> int:
    """Return the frames between neighbouring clips of a run; 0 if no run holds two clips."""
    gaps = [numpy.diff(starts[(starts >= first) & (starts < end)]) for first, end in runs]
    return int(min((gap.min() for gap in gaps if len(gap)), default=0))


def load_models(
    device: torch.device,
    compute: Compute,
    normalization: Path,
    autoencoder: Path,
    level_priors: dict[str, Path],
) -> Models:
    """Read the networks onto a device, ready to be measured."""
    return Models(
        autoencoder=autoencoders.load(autoencoder).to(device),
        priors={level: priors.load(path).to(device) for level, path in level_priors.items()},
        normalizer=Normalizer.load(normalization),
        device=device,
        compute=compute,
    )


def summarize(
    models: Models, protocol: Protocol, scores: dict[str, SetScore], per_frame: DataFrame
) -> dict[str, Any]:
    """Return the contents of the metrics file."""
    frames = protocol.context + protocol.horizon
    return {
        "protocol": protocol.facts(),
        "protocol_digest": protocol.digest(),
        "clips": dict(protocol.clips),
        "autoencoder": summary.autoencoder(models, scores, TRAINING),
        "compression": summary.saved_bits(models, frames, *protocol.frame_size),
        "priors": summary.priors(models, scores, TRAINING),
        "prediction": summary.prediction(per_frame),
        "prediction_clips": len(protocol.prediction_clips),
        "environment": environment(models.device, models.compute),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Path,
    latents: Path,
    top: Path,
    bottom: Path,
    samples: Path,
    evaluation: Evaluation,
    compute: Compute,
    metrics: Path,
    per_frame: Path,
    examples: Path,
) -> None:
    """Measure the models and their samples; write metrics, scores per frame, and examples."""
    device = prepare(compute)
    models = load_models(
        device, compute, normalization, autoencoder, {"top": top, "bottom": bottom}
    )
    length, size = load_split(split).clip_frames, evaluation.batch_size
    with (
        torch.inference_mode(),
        hdf5.opening(latents, "latents") as codes,
        hdf5.opening(samples, "samples") as sampled,
    ):
        protocol = describe(frames, split, codes, sampled)
        scores = {}
        for name in SETS:
            with Clips(frames, codes[name]["clip_start"][:], length) as clips:
                scores[name] = score_set(models, clips, codes[name], size, name)
        table = score_predictions(models, sampled, size).table()
        write_examples(examples, models, sampled)
    tables.write(per_frame, table)
    facts.write(metrics, "metrics", summarize(models, protocol, scores, table))


if __name__ == "__main__":
    stage.run(main)
