"""Stage compare_autoencoders: several autoencoders on the same test clips, level by level.

Each keeps the normalisation it was trained with, so errors are compared on frames in [0, 1] and
stated in standardised units beside that. What a level carries is what the other one alone lacks.

Shapes: B clips, C = 3 colours, T frames, H rows, W columns.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from foreframe import autoencoders
from foreframe.artefacts import facts
from foreframe.artefacts.digest import digest
from foreframe.autoencoders import Autoencoder
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.data.clips import Clips, load_split
from foreframe.data.normalization import Normalizer
from foreframe.data.views import View
from foreframe.errors import UserError
from foreframe.evaluation import statistics
from foreframe.evaluation.protocol import SetProtocol
from foreframe.evaluation.summary import parameters
from foreframe.metrics import frames as frame_metrics
from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.codebook import codebook_use
from foreframe.metrics.mse import standardised_mse
from foreframe.metrics.psnr import VARIANT, psnr
from foreframe.running import stage
from foreframe.running.compute import environment, prepare

SCHEMA = "autoencoders"
COMPARED = ("validation", "test")


def batches(clips: Clips, size: int, name: str) -> Iterator[Tensor]:
    """Yield a set's clips, uint8 (B, T, H, W, C), with a progress bar called `name`."""
    for start in tqdm(range(0, len(clips), size), desc=name, unit="batch", disable=None):
        yield clips.read(range(start, min(start + size, len(clips))))


class Score:
    """What one autoencoder scores on a set so far, a number for each clip."""

    def __init__(self, model: Autoencoder, normalizer: Normalizer, device: torch.device) -> None:
        """Start with no clip seen."""
        self.model, self.normalizer, self.device = model.to(device), normalizer, device
        alone = [f"{level}_only" for level in model.levels]
        self.values: dict[str, list[Tensor]] = {
            name: [] for name in ("mse", "psnr", *(f"psnr_{which}" for which in alone))
        }
        self.counts = {level: CodeCounts(size) for level, size in model.codebook_sizes.items()}

    def update(self, real_BTHWC: Tensor) -> None:
        """Add a batch of 8-bit clips."""
        real_BTHWC = real_BTHWC.to(self.device)
        clips_BCTHW = self.normalizer.normalize(real_BTHWC)
        latents = self.model.encode(clips_BCTHW)
        for level, counts in self.counts.items():
            counts.update(latents[level].cpu())
        decoded_BCTHW = self.model.decode(latents)
        self._add("mse", standardised_mse(clips_BCTHW, decoded_BCTHW.float()))
        self._add("psnr", self._psnr(real_BTHWC, decoded_BCTHW))
        for level in self.model.levels:
            others = [other for other in self.model.levels if other != level]
            alone_BCTHW = self.model.decode(latents, drop=others)
            self._add(f"psnr_{level}_only", self._psnr(real_BTHWC, alone_BCTHW))

    def facts(self, seed: int, name: str) -> dict[str, Any]:
        """Return the means with their intervals over clips, and the use of the codebooks."""
        found: dict[str, Any] = {}
        for metric, values in self.values.items():
            interval = statistics.interval(torch.cat(values), seed, SCHEMA, name, metric)
            found[metric] = {"mean": interval.mean, "low": interval.low, "high": interval.high}
        found["codebook"] = {
            level: {"usage": use.usage, "perplexity": use.perplexity, "size": use.size}
            for level, counts in self.counts.items()
            for use in [codebook_use(counts.total())]
        }
        return found

    def _add(self, name: str, values_B: Tensor) -> None:
        self.values[name].append(values_B.double().cpu())

    def _psnr(self, real_BTHWC: Tensor, decoded_BCTHW: Tensor) -> Tensor:
        return psnr(real_BTHWC, self.normalizer.denormalize(decoded_BCTHW)).mean(dim=1)


def view_of(networks: Mapping[Path, Autoencoder]) -> View:
    """Return the view that all networks share: numbers of different clips do not compare.

    Raises:
        UserError: two of them see different clips.
    """
    (first, network), *others = networks.items()
    view = network.settings.view
    for path, other in others:
        if other.settings.view != view:
            raise UserError(
                f"{first} and {path} have different views, so numbers of one do not compare with "
                "the other's. Train them with the same view."
            )
    return view


def protocol(frames: Path, split: Path, view: View, sets: Mapping[str, Clips]) -> SetProtocol:
    """Return the protocol that all numbers of this stage share."""
    return SetProtocol(
        dataset=digest(frames),
        split=digest(split),
        clips={name: len(clips) for name, clips in sets.items()},
        clip_strides=dict.fromkeys(COMPARED, view.evaluation_stride),
        clip_frames=view.frames,
        frame_size=sets["test"].shape[2:4],
        value_range=frame_metrics.VALUE_RANGE,
        metrics={"psnr": VARIANT},
    )


def main(
    *,
    frames: Path,
    split: Path,
    models: tuple[Path, ...],
    normalizations: tuple[Path, ...],
    evaluation: Evaluation,
    seed: int,
    compute: Compute,
    out: Path,
) -> None:
    """Measure `models` on the clips of one data set.

    `normalizations` has one file for all models, or one for each: those that learned from other
    data have other colours.

    Raises:
        UserError: neither is so, or two models have different views.
    """
    if len(normalizations) not in (1, len(models)):
        raise UserError(
            f"{len(normalizations)} normalisations for {len(models)} autoencoders. Give one for "
            "all of them, or one for each."
        )
    norms = dict(zip(models, itertools.cycle(normalizations), strict=False))
    device, runs = prepare(compute), load_split(split)
    found: dict[str, Any] = {}
    with torch.inference_mode(), ExitStack() as stack:
        networks = {path: autoencoders.load(path) for path in norms}
        view = view_of(networks)
        sets = {name: stack.enter_context(view.clips(frames, runs, name)) for name in COMPARED}
        for path, network in networks.items():
            values: dict[str, Any] = {"digest": digest(path), "parameters": parameters(network)}
            for name, clips in sets.items():
                score = Score(network, Normalizer.load(norms[path]), device)
                for real in batches(clips, evaluation.batch_size, f"{path.stem} {name}"):
                    score.update(real)
                values[name] = score.facts(seed, name)
            found[path.as_posix()] = values
        described = protocol(frames, split, view, sets)
    facts.write(
        out,
        SCHEMA,
        {
            "autoencoders": found,
            "protocol": described.facts(),
            "protocol_digest": described.digest(),
            "environment": environment(device, compute),
        },
    )


if __name__ == "__main__":
    stage.run(main)
