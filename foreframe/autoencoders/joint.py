"""Autoencoder and priors trained with one loss, as Xu (2022, 7) names it for further work.

The thesis gives no equations; these are this project's own. The priors assign a clip's codes k a
code length, the rate R, and the three networks minimise distortion and rate together:

    L = L_autoencoder + lambda R,    R = -(1/V) sum_levels sum_i log p(k_i | k_<i, levels above)

with V the numbers in a clip. L_autoencoder is the stage train_autoencoder's, R counts the nats that
the stage train_prior minimises. A decoder with Gaussian errors of variance s^2 makes L, up to
constants, the negative evidence lower bound at lambda = 2 s^2.

The codes are an argmin, so R has no gradient by the encoder's outputs z. A straight-through one
takes its place: forward the codes are hard, backward they are as if drawn from

    q_ik = softmax_k(-||z_i - e_k||^2 / (2 tau c))
    dR/dz_i = -(1/V) sum_k dq_ik/dz_i log p(k | k_<i, levels above)

where c, the mean of (z - e)^2 over the batch's vectors and elements, is the variance of a mixture
of Gaussians around the codes e, so tau = 1 suits codebooks of any scale. An encoder is told how
likely its codes are after the earlier ones, not how they would help to predict later ones. The
codebooks follow by their moving averages, as always.

Shapes: B clips, C colours, T time, H height, W width, D code dimension, K codes.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.autoencoders import Autoencoder, Batch, Quantised
from foreframe.errors import UserError
from foreframe.networks.quantizer import Quantized
from foreframe.priors import ACTIONS, AutoregressivePrior
from foreframe.training.objective import Moment

# Where every vector lies on its code, c is 0 and the assignment as good as hard.
SMALLEST = 1e-6


class Joint(nn.Module):
    """An autoencoder with a prior for each of its levels.

    Raises:
        UserError: it is of a kind that has no vectors to assign, or a prior does not fit.
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        priors: Mapping[str, AutoregressivePrior],
        *,
        rate_weight: float,
        temperature: float,
    ) -> None:
        super().__init__()
        self.autoencoder = _quantised(autoencoder)
        self.priors = nn.ModuleDict(priors)
        self.rate_weight = rate_weight
        self.temperature = temperature
        for level, prior in priors.items():
            _check_fit(autoencoder, level, prior)

    def loss(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Return L as `loss`, with its parts, of clips; see the file's equations.

        Beside the autoencoder's own parts: distortion (its loss, scalar), rate (R, nats for each
        number of a clip), nll_LEVEL (nats for each code) and bits_per_clip.
        """
        autoencoder, clips_BCTHW = self.autoencoder, batch["x"]
        # The ids are of these; in training mode the codebooks move on.
        codebooks = {level: autoencoder.codebook(level).clone() for level in autoencoder.levels}
        quantized = autoencoder.quantize(clips_BCTHW, moment.numbers)
        parts = autoencoder.loss_of(clips_BCTHW, quantized, moment.numbers)
        ids = {level: found.ids for level, found in quantized.items()}
        nats = {
            level: self._nats(level, quantized[level], codebooks[level], ids)
            for level in autoencoder.levels
        }
        per_clip = torch.stack([part.flatten(1).sum(1).mean() for part in nats.values()]).sum()
        rate = per_clip / clips_BCTHW[0].numel()
        return {
            **parts,
            "loss": parts["loss"] + self.rate_weight * rate,
            "distortion": parts["loss"],
            "rate": rate,
            "bits_per_clip": per_clip / math.log(2),
            **{f"nll_{level}": part.mean() for level, part in nats.items()},
        }

    def prior(self, level: str) -> AutoregressivePrior:
        """Return the prior of a level."""
        prior = self.priors[level]
        assert isinstance(prior, AutoregressivePrior)
        return prior

    def _nats(
        self, level: str, quantized: Quantized, codebook_KD: Tensor, ids: Mapping[str, Tensor]
    ) -> Tensor:
        """Return -log p of every code of a level (B,T,H,W), with a gradient by z as well."""
        prior = self.prior(level)
        logits_BKTHW = prior.logits(ids[level], prior.condition(ids)).float()
        nats_BTHW = functional.cross_entropy(logits_BKTHW, ids[level], reduction="none")
        if not torch.is_grad_enabled():
            return nats_BTHW
        spread = self.temperature * quantized.commitment.detach().clamp_min(SMALLEST)
        shares_BKTHW = assignment(quantized.z, codebook_KD, spread)
        return nats_BTHW + pull(shares_BKTHW, logits_BKTHW)


def assignment(z_BDTHW: Tensor, codebook_KD: Tensor, spread: Tensor) -> Tensor:
    """Return softmax_k(-||z - e_k||^2 / (2 spread)) as (B,K,T,H,W); `spread` is a scalar."""
    with torch.autocast(z_BDTHW.device.type, enabled=False):
        # Without ||z||^2, which all codes share.
        products_BKTHW = torch.einsum("bdthw,kd->bkthw", z_BDTHW.float(), codebook_KD)
        squares_K = codebook_KD.square().sum(1).view(-1, 1, 1, 1)
        return ((products_BKTHW - 0.5 * squares_K) / spread).softmax(1)


def pull(shares_BKTHW: Tensor, logits_BKTHW: Tensor) -> Tensor:
    """Return zeros (B,T,H,W) whose gradient by the shares q is that of -sum_k q_k log p_k."""
    log_p_BKTHW = logits_BKTHW.detach().log_softmax(1)
    return -((shares_BKTHW - shares_BKTHW.detach()) * log_p_BKTHW).sum(1)


def _quantised(autoencoder: Autoencoder) -> Quantised:
    if not isinstance(autoencoder, Quantised):
        raise UserError(
            f"Joint training needs an autoencoder whose codes are vectors of codebooks, which "
            f"{autoencoder.settings.kind} is not. Use one that is, such as vqvae."
        )
    return autoencoder


def _check_fit(autoencoder: Autoencoder, level: str, prior: AutoregressivePrior) -> None:
    if ACTIONS in prior.settings.given:
        raise UserError(
            f"The prior of the level {level} takes actions; joint training takes priors of codes "
            "alone. Give it one with actions: none."
        )
    if prior.codebook_size != autoencoder.codebook_sizes[level]:
        raise UserError(
            f"The prior of the level {level} has {prior.codebook_size} codes, the autoencoder "
            f"{autoencoder.codebook_sizes[level]}. Give it the prior of its own codes."
        )
