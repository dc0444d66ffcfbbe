"""Stage sample: continues test clips under each choice, as codes and as frames (Xu 2022, 5.3.3).

The codes of the context are given, the others sampled: top, then bottom given the whole top. For
the clips that the report shows, it also decodes what the thesis compares: each level of codes as
sampled or as it truly is.

Shapes: B clips, T frames, t context frames, h horizon, H rows, W columns, C = 3 colours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from foreframe import compute as computing
from foreframe import latents as latents_file
from foreframe import stage
from foreframe.artefacts import hdf5
from foreframe.clips import Clips
from foreframe.config.compute import Compute
from foreframe.config.sampling import Choice, Sampling
from foreframe.config.split import Clip
from foreframe.errors import UserError
from foreframe.predictors import latent_predictor
from foreframe.predictors.latent_predictor import LatentPredictor
from foreframe.priors.noise import Noise

SCHEMA = "samples"
TOP, BOTTOM = "top", "bottom"

Latents = Mapping[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """The test clips that are continued: numbers in the test set, frames, codes of whole clips."""

    numbers: NDArray[numpy.int64]
    starts: NDArray[numpy.int64]
    real: Tensor  # uint8 (B,T,H,W,C)
    true: dict[str, Tensor]


def evenly(available: int, wanted: int) -> NDArray[numpy.int64]:
    """Return `wanted` different numbers spread evenly over range(available).

    Raises:
        UserError: there are not so many.
    """
    if wanted > available:
        raise UserError(
            f"sampling.clips is {wanted}, but the test set has {available} clips. "
            "Lower sampling.clips, or collect more frames."
        )
    # The middle of each of `wanted` equal parts.
    return (2 * numpy.arange(wanted) + 1) * available // (2 * wanted)


def read(
    frames: Path, file: h5py.File, sampling: Sampling, clip: Clip, device: torch.device
) -> Batch:
    """Return the clips to continue, with their true codes on the device."""
    group = file["test"]
    numbers = evenly(len(group["clip_start"]), sampling.clips)
    starts = group["clip_start"][:][numbers]
    levels = json.loads(file.attrs["levels"])
    codes = latents_file.read(group, levels, torch.from_numpy(numbers))
    true = {level: codes[level].to(device) for level in levels}
    with Clips(frames, starts, clip.frames) as clips:
        return Batch(numbers, starts, clips.read(numpy.arange(len(starts))), true)


def contexts(predictor: LatentPredictor, batch: Batch, context: int, encoding: str) -> Latents:
    """Return the given codes: of whole clips' beginnings, or of the context's frames alone."""
    if encoding == "full_clip":
        return predictor.first(batch.true, context)
    return predictor.first(predictor.encode(batch.real[:, :context]), context)


def shown_choice(choices: Mapping[str, Choice]) -> str:
    """Return the choice whose decoded combinations are kept: the first argmax, or the first."""
    greedy = [name for name, choice in choices.items() if choice.mode == "argmax"]
    return (greedy or list(choices))[0]


def store(group: h5py.Group, name: str, values: Tensor) -> None:
    """Write an array with one chunk for each clip; codes as int16."""
    values = values.to(torch.int16) if values.dtype == torch.int64 else values
    hdf5.store(group, name, values.cpu().numpy(), (1, *values.shape[1:]))


def head(latents: Latents, count: int) -> dict[str, Tensor]:
    """Return the codes of the first clips."""
    return {level: codes[:count] for level, codes in latents.items()}


def store_combinations(
    group: h5py.Group,
    predictor: LatentPredictor,
    sampled: Latents,
    true: Latents,
    bottom_given_true_top: Tensor,
) -> None:
    """Write what combinations of sampled and true codes decode to: uint8 (B,T,H,W,C) each."""
    store(group, "top_only", predictor.decode(sampled, drop=[BOTTOM]))
    for name, top, bottom in (
        ("hierarchical", sampled[TOP], sampled[BOTTOM]),
        ("generated_top_true_bottom", sampled[TOP], true[BOTTOM]),
        ("true_top_generated_bottom", true[TOP], bottom_given_true_top),
    ):
        store(group, name, predictor.decode({TOP: top, BOTTOM: bottom}))


def write(
    file: h5py.File,
    predictor: LatentPredictor,
    batch: Batch,
    sampling: Sampling,
    context: int,
    seed: int,
) -> None:
    """Write the real clips and their codes, then a group of samples for each choice."""
    given = contexts(predictor, batch, context, sampling.context_encoding)
    noise = Noise(seed, batch.numbers.tolist())
    hdf5.store(file, "clip_number", batch.numbers)
    hdf5.store(file, "clip_start", batch.starts)
    store(file, "real", batch.real)
    for level, codes in batch.true.items():
        store(file, f"true_{level}", codes)
    shown = head(batch.true, sampling.show)
    store(file, "true_decode", predictor.decode(shown))
    for name, choice in sampling.choices.items():
        group = file.create_group(name)
        sampled = predictor.extend(given, choice, noise)
        for level, codes in sampled.items():
            store(group, level, codes)
        store(group, "frames", predictor.decode(sampled)[:, context:])
        if name == shown_choice(sampling.choices):
            begun, first = head(given, sampling.show), noise.of(range(sampling.show))
            bottom = predictor.extend(begun, choice, first, fixed={TOP: shown[TOP]})[BOTTOM]
            store(group, "bottom_given_true_top", bottom)
            store_combinations(group, predictor, head(sampled, sampling.show), shown, bottom)


def main(
    *,
    frames: Path,
    normalization: Path,
    autoencoder: Path,
    latents: Path,
    top: Path,
    bottom: Path,
    sampling: Sampling,
    clip: Clip,
    seed: int,
    compute: Compute,
    out: Path,
) -> None:
    """Write real clips, their codes, and under each choice's name the sampled codes and frames."""
    device = computing.prepare(compute)
    predictor = latent_predictor.load(autoencoder, [top, bottom], normalization, device)
    with hdf5.opening(latents, latents_file.SCHEMA) as file:
        batch = read(frames, file, sampling, clip, device)
    attributes = {
        "context": clip.context,
        "horizon": clip.frames - clip.context,
        "context_encoding": sampling.context_encoding,
        "seed": seed,
        "show": sampling.show,
        "shown_choice": shown_choice(sampling.choices),
    }
    with hdf5.creating(out, SCHEMA, attributes) as file:
        write(file, predictor, batch, sampling, clip.context, seed)


if __name__ == "__main__":
    stage.run(main)
