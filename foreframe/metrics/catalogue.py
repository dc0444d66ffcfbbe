"""Metrics by the names that protocols call them: what computes them, and what their numbers mean.

Some compare each frame with the true one, others a whole set of clips with the true set. Those that
need public weights are known without them too: tables then show a dash, and the reason.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from foreframe.errors import ArtefactError, UserError
from foreframe.features import registry, store
from foreframe.features.store import Weights
from foreframe.metrics import (
    fid,
    fvd,
    inception_score,
    lpips,
    mae,
    motion,
    ms_ssim,
    mse,
    psnr,
    random_video_distance,
    sharpness,
    ssim,
    ssim_padded,
)
from foreframe.metrics.frames import Better
from foreframe.metrics.video_sets import Accumulator, FrechetSets, InceptionSets

# (real_BTHWC, predicted_BTHWC) -> one number for each frame (B, T)
Compare = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Metric:
    """One metric of predicted frames; one of `compare`, `accumulate` and `missing` is set.

    Attributes:
        name: as protocols, tables and files call it.
        variant: every choice that changes its numbers, in words.
        better: which of two values is the better one, higher or lower.
        unit: of its numbers, empty or 1 for none.
        digest: of its feature network, 64 hexadecimal digits, or None if it has none.
        compare: computes it for each frame.
        amounts: where it compares amounts of something, returns those of each true and predicted
            frame (B, T, 2).
        accumulate: starts to compute it for whole sets.
        missing: why it cannot be computed here, and the cure.
    """

    name: str
    variant: str
    better: Better
    unit: str
    digest: str | None = None
    compare: Compare | None = None
    amounts: Compare | None = None
    accumulate: Callable[[], Accumulator] | None = None
    missing: str | None = None


Needs = Sequence[Weights]
# What a network and its weights give: the metric's digest, and how it is computed.
Built = dict[str, Any]
Build = Callable[[Needs, torch.device], Built]


def find(name: str, folder: Path, device: torch.device) -> Metric:
    """Return the metric of a name, with the weights stored in `folder` if it needs any.

    Raises:
        ArtefactError: stored weights are damaged or not the published ones.
    """
    if name in PLAIN:
        module = PLAIN[name]
        plain = (name, module.VARIANT, module.BETTER, module.UNIT)
        amounts = getattr(module, "both", None)
        return Metric(*plain, compare=getattr(module, name), amounts=amounts)
    entry = LEARNED[name]
    about = (name, entry.variant, entry.module.BETTER, entry.module.UNIT)
    needed = [registry.entry(each) for each in entry.weights]
    try:
        weights = [store.require(folder, each) for each in needed]
    except ArtefactError:
        raise
    except UserError as error:
        known = [each.sha256 or "absent" for each in needed]
        return Metric(*about, digest=_together(known), missing=str(error))
    return Metric(*about, **entry.build(weights, device))


def _together(digests: Sequence[str]) -> str:
    """Return one digest for several files: that of the only one, or of all."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


@dataclass(frozen=True)
class _Learned:
    """A metric with a feature network: the file it is defined in, and how it is built."""

    module: ModuleType
    variant: str
    weights: tuple[str, ...]
    build: Build


def _frechet(extract: Any) -> Built:
    return {"digest": extract.digest, "accumulate": lambda: FrechetSets(extract)}


def _lpips(backbone: lpips.Backbone) -> _Learned:
    def build(weights: Needs, device: torch.device) -> Built:
        network = lpips.Lpips(backbone, weights[0], weights[1], device)
        return {"digest": network.digest, "compare": network}

    return _Learned(lpips, lpips.VARIANTS[backbone], lpips.NEEDED[backbone], build)


def _fvd(output: fvd.Output) -> _Learned:
    def build(weights: Needs, device: torch.device) -> Built:
        return _frechet(fvd.FvdFeatures(weights[0], device, output))

    return _Learned(fvd, fvd.VARIANTS[output], fvd.NEEDED, build)


def _fid(weights: Needs, device: torch.device) -> Built:
    return _frechet(fid.FidFeatures(weights[0], device))


def _inception(weights: Needs, device: torch.device) -> Built:
    network = fid.Inception(weights[0], device)
    return {"digest": network.digest, "accumulate": lambda: InceptionSets(network)}


def _random(_: Needs, device: torch.device) -> Built:
    return _frechet(random_video_distance.RandomVideoFeatures(device))


PLAIN: Mapping[str, ModuleType] = {
    "mse": mse,
    "mae": mae,
    "psnr": psnr,
    "ssim": ssim,
    "ssim_padded": ssim_padded,
    "ms_ssim": ms_ssim,
    "sharpness": sharpness,
    "motion": motion,
}
LEARNED: Mapping[str, _Learned] = {
    "lpips_alex": _lpips("alex"),
    "lpips_vgg": _lpips("vgg"),
    "fvd": _fvd("logits"),
    "fvd_pooled": _fvd("pooled"),
    "fid": _Learned(fid, fid.VARIANT, fid.NEEDED, _fid),
    "inception_score": _Learned(
        inception_score, inception_score.VARIANT, inception_score.NEEDED, _inception
    ),
    "random_video_distance": _Learned(
        random_video_distance, random_video_distance.VARIANT, (), _random
    ),
}
