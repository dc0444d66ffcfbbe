"""The facts of an evaluation: plain numbers under the names that tables and the report look up."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from torch import nn

from foreframe.evaluation.sets import Models, SetScore
from foreframe.metrics import code_baselines, nll
from foreframe.metrics.codebook import codebook_use
from foreframe.metrics.compression import compression

Scores = Mapping[str, SetScore]  # set -> what it scores


def autoencoder(models: Models, scores: Scores, training: str) -> dict[str, Any]:
    """Return size, reconstruction error of every set, and codebook use over the set `training`."""
    counts = scores[training].counts
    return {
        "parameters": parameters(models.autoencoder),
        "mse": each(scores, lambda score: score.mse.scalar()),
        "psnr": each(scores, lambda score: score.psnr.scalar()),
        "codebook": {level: asdict(codebook_use(counts[level].total())) for level in counts},
    }


def priors(models: Models, scores: Scores, training: str) -> dict[str, Any]:
    """Return each level's size, likelihood of every set, and its baselines fitted on `training`.

    A level whose prior has no density has no entry.
    """
    return {level: _prior(models, scores, training, level) for level in scores[training].nll}


def _prior(models: Models, scores: Scores, training: str, level: str) -> dict[str, Any]:
    nats = each(scores, lambda score: score.nll[level].nats())
    fitted = code_baselines.fit(scores[training].counts[level])
    return {
        "parameters": parameters(models.priors[level]),
        "nll": nats,
        "bits": {name: nll.bits(value) for name, value in nats.items()},
        "perplexity": {name: nll.perplexity(value) for name, value in nats.items()},
        "chance": nll.chance(models.autoencoder.codebook_sizes[level]),
        "baselines": {
            "unigram": each(scores, lambda score: fitted.unigram_nats(score.counts[level])),
            "copy_previous": each(
                scores, lambda score: fitted.copy_previous_nats(score.counts[level])
            ),
            "bigram": each(scores, lambda score: fitted.bigram_nats(score.counts[level])),
        },
    }


def saved_bits(models: Models, frames: int, height: int, width: int) -> dict[str, float]:
    """Return what the codes of a clip of this shape save against its 8-bit frames."""
    sizes = models.autoencoder.codebook_sizes
    grids = models.autoencoder.grids()
    return asdict(compression(frames, height, width, [(grids[x], sizes[x]) for x in sizes]))


def parameters(model: nn.Module) -> int:
    """Return the number of trained parameters; codebooks that follow an average are not counted."""
    return sum(parameter.numel() for parameter in model.parameters())


def each(scores: Scores, value: Callable[[SetScore], float]) -> dict[str, float]:
    """Return `value` of every set, by its name."""
    return {name: value(score) for name, score in scores.items()}
