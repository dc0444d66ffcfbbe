"""A vector quantiser whose codebook follows the encoder by moving averages, never by gradient.

Everything is computed in float32 whatever the surrounding precision, and without atomic additions:
sums over the vectors of a code are products with a one-hot matrix, so two runs agree on a GPU too.
Shapes: B batch, D code dimension, T time, H height, W width, N = B*T*H*W vectors, K codes.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks import shards
from foreframe.networks.index_noise import IndexNoise
from foreframe.randomness import Numbers

# Vectors compared with the codebook at once: keeps the (N, K) matrices small enough for a cache.
CHUNK = 1 << 12


@dataclass(frozen=True)
class Averages:
    """How a codebook is started and kept up to date (Xu 2022, 3.2.3).

    decay: gamma in [0, 1); epsilon: Laplace smoothing of the counts; initial_count: N at step 0;
    init: U(0,1) or N(0,1) for each element; restart_threshold: a code whose moving count falls
    under it is moved to a random encoder output, 0 for never.
    """

    decay: float
    epsilon: float
    initial_count: float
    init: Literal["uniform", "normal"]
    restart_threshold: float


@dataclass(frozen=True)
class Quantized:
    """What becomes of encoder outputs z.

    z: (B,D,T,H,W), as it came; vectors: (B,D,T,H,W) float32, the codes in its place, their gradient
    goes straight through to z; ids: (B,T,H,W) int64;
    commitment: mean of (z - sg[e])^2, a scalar; counts: (K,) how often each code was chosen. Where
    indices have noise the vectors are those of the moved ones, all else is of the nearest codes.
    """

    z: Tensor
    vectors: Tensor
    ids: Tensor
    commitment: Tensor
    counts: Tensor


class Quantizer(nn.Module):
    """Replaces each vector by its nearest of `size` codes, which have `dimension` numbers each."""

    codebook: Tensor  # e (K,D)
    count: Tensor  # N (K,), moving average of the vectors assigned to each code
    total: Tensor  # m (K,D), moving average of their sum

    def __init__(
        self, size: int, dimension: int, averages: Averages, noise: IndexNoise | None = None
    ) -> None:
        super().__init__()
        self.averages = averages
        self.noise = noise
        # float32 by name: the averages of a long run need it.
        self.register_buffer("codebook", torch.zeros(size, dimension, dtype=torch.float32))
        self.register_buffer("count", torch.zeros(size, dtype=torch.float32))
        self.register_buffer("total", torch.zeros(size, dimension, dtype=torch.float32))

    def start(self, numbers: Numbers) -> None:
        """Draw the codebook, whose elements are U(0,1) or N(0,1); m starts as the codebook."""
        if self.averages.init == "uniform":
            self.codebook.copy_(numbers.uniform(self.codebook.shape))
        else:
            self.codebook.copy_(numbers.normal(self.codebook.shape))
        self.count.fill_(self.averages.initial_count)
        self.total.copy_(self.codebook)

    def forward(self, z_BDTHW: Tensor, numbers: Numbers) -> Quantized:
        """Quantise; in training mode also update the codebook, after its use.

        The numbers move indices and choose the encoder outputs that dead codes restart from;
        without noise and restart threshold, and in eval mode, they are not used. With noise an
        output commits to its nearest code, and the code it was moved to follows it.
        """
        with _full_precision(z_BDTHW.device):
            z_BTHWD = z_BDTHW.detach().float().movedim(1, -1)
            z_ND = z_BTHWD.flatten(0, -2)
            ids_N = moved_N = self._nearest(z_ND)
            ids_BTHW = ids_N.view(z_BTHWD.shape[:-1])
            codes_BDTHW = nearest_BDTHW = self.vectors(ids_BTHW)
            commitment = functional.mse_loss(z_BDTHW.float(), nearest_BDTHW)
            if self.training and self.noise is not None and self.noise.sigma > 0:
                moved_N = self.noise.move(ids_N, len(self.count), numbers)
                codes_BDTHW = self.vectors(moved_N.view_as(ids_BTHW))
            counts_K, totals_KD = self._sums(z_ND, moved_N)
            if self.training:
                shards.note(self, (counts_K, totals_KD, self._fresh(z_ND, numbers)))
            if moved_N is not ids_N:
                counts_K, _ = self._sums(z_ND, ids_N)
            vectors_BDTHW = _StraightThrough.apply(z_BDTHW, codes_BDTHW)  # type: ignore[no-untyped-call]
        return Quantized(z_BDTHW, vectors_BDTHW, ids_BTHW, commitment, counts_K)

    def ids(self, z_BDTHW: Tensor) -> Tensor:
        """Return the ids (B,T,H,W), int64 from 0 to K-1, of the nearest codes (Euclidean)."""
        with _full_precision(z_BDTHW.device):
            z_BTHWD = z_BDTHW.detach().float().movedim(1, -1)
            return self._nearest(z_BTHWD.flatten(0, -2)).view(z_BTHWD.shape[:-1])

    def vectors(self, ids_BTHW: Tensor) -> Tensor:
        """Return the codes (B,D,T,H,W) of ids (B,T,H,W)."""
        return self.codebook[ids_BTHW].movedim(-1, 1)

    def _nearest(self, z_ND: Tensor) -> Tensor:
        """Return argmin_j ||z - e_j||^2 (N,), without the term ||z||^2 that all j share."""
        squares_K = self.codebook.square().sum(1)
        doubles_DK = -2 * self.codebook.T
        parts = [(part_ND @ doubles_DK).add_(squares_K).argmin(1) for part_ND in z_ND.split(CHUNK)]
        return torch.cat(parts)

    def _sums(self, z_ND: Tensor, ids_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return for each code the number (K,) and the sum (K,D) of the vectors assigned to it."""
        counts_K = torch.zeros_like(self.count)
        totals_KD = torch.zeros_like(self.total)
        for part_ND, part_N in zip(z_ND.split(CHUNK), ids_N.split(CHUNK), strict=True):
            chosen_NK = part_ND.new_zeros(len(part_N), len(counts_K))
            chosen_NK.scatter_(1, part_N[:, None], 1.0)
            counts_K += chosen_NK.sum(0)
            totals_KD += chosen_NK.T @ part_ND
        return counts_K, totals_KD

    @torch.no_grad()
    def follow(self, sums: Sequence[Tensor]) -> None:
        """Update the codebook by counts (K,), totals (K,D) and outputs to restart from (K,D) or ().

        N <- gamma N + (1-gamma) n;  m <- gamma m + (1-gamma) sum z;  e = m / N~ (3.2.3).
        """
        counts_K, totals_KD, fresh_KD = sums
        weight = 1 - self.averages.decay
        self.count.lerp_(counts_K, weight)
        self.total.lerp_(totals_KD, weight)
        self.codebook.copy_(self.total / self._smoothed()[:, None])
        if self.averages.restart_threshold > 0:
            self._restart(fresh_KD)

    def _smoothed(self) -> Tensor:
        """N~ = (N + eps) / (sum N + K eps) * sum N."""
        total = self.count.sum()
        epsilon = self.averages.epsilon
        return (self.count + epsilon) / (total + len(self.count) * epsilon) * total

    def _fresh(self, z_ND: Tensor, numbers: Numbers) -> Tensor:
        """Return a random output for each code, (K,D), zeros where another shard chooses."""
        if self.averages.restart_threshold == 0:
            return z_ND.new_zeros(())
        # Drawn for all codes, on the CPU: the host need not know which of them are dead.
        choice_K = numbers.integers(0, len(z_ND), self.count.shape)
        own_K = shards.chosen(len(self.count), z_ND.device)
        return z_ND[choice_K.to(z_ND.device)].masked_fill(~own_K[:, None], 0.0)

    def _restart(self, fresh_KD: Tensor) -> None:
        """Move codes that have died to random encoder outputs of this batch.

        It comes after the update, which would overwrite it, and sets N and m as well as e, which
        the next update would otherwise divide back into the dead code.
        """
        threshold = self.averages.restart_threshold
        dead_K = self.count < threshold
        dead_K1 = dead_K[:, None]
        self.count.masked_fill_(dead_K, threshold)
        self.total.copy_(torch.where(dead_K1, fresh_KD * threshold, self.total))
        self.codebook.copy_(torch.where(dead_K1, fresh_KD, self.codebook))


def _full_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    # The meta device, which works out shapes only, knows no autocast.
    if not torch.amp.is_autocast_available(device.type):
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


class _StraightThrough(torch.autograd.Function):
    """z + sg(e - z), but exactly e going forward: the sum would round."""

    @staticmethod
    def forward(context: Any, z: Tensor, codes: Tensor) -> Tensor:
        return codes.to(z.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
