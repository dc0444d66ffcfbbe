"""A set of clips, measured whole in one pass of batches: reconstruction, likelihood, code counts.

Reconstructions are decoded from the stored codes, which decode to what direct reconstruction gives;
so the encoder does not run again.

Shapes: B clips of a batch, C = 3 colours, T frames or code-frames, H rows, W columns.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from foreframe.autoencoders import Autoencoder
from foreframe.config.compute import Compute
from foreframe.data.scaling import Scaling
from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.mean import Mean
from foreframe.metrics.mse import standardised_mse
from foreframe.metrics.nll import NegativeLogLikelihood
from foreframe.metrics.psnr import psnr
from foreframe.priors import AutoregressivePrior, Prior, density
from foreframe.running.compute import autocast

Codes = Mapping[str, torch.Tensor]  # level -> int64 (B, T, H, W)


@dataclass(frozen=True)
class Models:
    """The trained networks of a study on one device, in evaluation mode.

    Attributes:
        autoencoder: between clips and codes.
        priors: the prior of each level, in the order they are sampled.
        scaling: between 8-bit frames and what the autoencoder sees.
        device: where the networks are.
        compute: how exactly they compute.
    """

    autoencoder: Autoencoder
    priors: Mapping[str, Prior]
    scaling: Scaling
    device: torch.device
    compute: Compute

    def decode(self, codes: Codes, drop: Collection[str] = ()) -> torch.Tensor:
        """Return the standardised clips (B, C, T, H, W) of codes, without the levels in `drop`.

        They stay on the device.
        """
        moved = {level: codes[level].to(self.device) for level in codes}
        with autocast(self.device, self.compute):
            return self.autoencoder.decode(moved, drop).float()

    def show(self, codes: Codes, drop: Collection[str] = ()) -> torch.Tensor:
        """Return the frames of codes, uint8 (B, T, H, W, C) on the CPU, without those in `drop`."""
        return self.scaling.outward(self.decode(codes, drop)).cpu()

    def log_prob(self, level: str, codes: Codes) -> torch.Tensor:
        """Return log p of every true code of `level` given all true codes before it, in nats.

        Teacher-forced: the codes of earlier positions and of the levels above are the true ones.
        Shape (B, T, H, W).
        """
        moved = {name: codes[name].to(self.device) for name in codes}
        prior = density(self.priors[level])
        with autocast(self.device, self.compute):
            return prior.log_prob(moved[level], prior.condition(moved))


class SetScore:
    """What a set scores so far; memory does not grow with the clips seen.

    Attributes:
        mse: of each clip, standardised units.
        psnr: of each frame, dB, mean over a clip's frames.
        nll: of each level whose prior has a density.
        counts: of each level's codes.
    """

    def __init__(self, models: Models) -> None:
        """Start with no clip seen."""
        sizes = models.autoencoder.codebook_sizes
        self._models = models
        self.mse = Mean()
        self.psnr = Mean()
        known = [
            name for name, each in models.priors.items() if isinstance(each, AutoregressivePrior)
        ]
        self.nll = {level: NegativeLogLikelihood() for level in known}
        self.counts = {level: CodeCounts(sizes[level]) for level in sizes}

    @property
    def clips(self) -> int:
        """Return the number of clips seen."""
        return self.mse.count

    def update(self, real_BTHWC: torch.Tensor, codes: Codes) -> None:
        """Add a batch: its 8-bit frames and its true codes of every level.

        Raises:
            UserError: codes outside a codebook, or a network that gives NaN.
        """
        for level, counts in self.counts.items():
            counts.update(codes[level])
        scaling = self._models.scaling
        real_BTHWC = real_BTHWC.to(self._models.device)
        decoded_BCTHW = self._models.decode(codes)
        self.mse.update(standardised_mse(scaling.inward(real_BTHWC, None), decoded_BCTHW))
        self.psnr.update(psnr(real_BTHWC, scaling.outward(decoded_BCTHW)).mean(dim=1))
        for level, nll in self.nll.items():
            nll.update(self._models.log_prob(level, codes))
