"""What noise on indices does to a codebook, beside what theory says (Coppock 2020, 3.2 and 4.8).

Shapes: N vectors, K codes, D numbers of a code; k is the nearest code, j the one it is moved to.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from foreframe.networks.index_noise import IndexNoise
from foreframe.networks.quantizer import Averages, Quantizer
from foreframe.questions.codebook_order import structure
from foreframe.randomness import generator

SUMS = Averages(
    decay=0.0, epsilon=1e-12, initial_count=0.0, init="normal", restart_threshold=0.0
)  # each update is what its batch says alone
COPIES = 40_000


def kernel(noise: IndexNoise, codes: int) -> Tensor:
    """Return the chance (K,K) that index k (row) is moved to j (column), ends being borders."""
    below_R = noise.below()
    reach = len(below_R) // 2 - 1

    def under(offset: int) -> float:
        return float(below_R[min(max(offset + reach, 0), len(below_R) - 1)])

    rows = []
    for k in range(codes):
        inner = [under(j - k + 1) - under(j - k) for j in range(1, codes - 1)]
        rows.append([under(1 - k), *inner, 1 - under(codes - 1 - k)])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.8])
def test_the_mean_update_is_that_of_a_self_organising_map(sigma: float) -> None:
    """e_j is the mean of z by nearest code k, weighted by how far j is from k on the line."""
    noise = IndexNoise(sigma=sigma, sigma_is="deviation", gaussian="rounded", border="clamp")
    codes, dimension = 7, 3
    quantizer = Quantizer(codes, dimension, SUMS, noise)
    quantizer.start(generator(0, "codebook"))
    z_ND = generator(0, "vectors").normal((12, dimension))
    nearest_N = torch.cdist(z_ND, quantizer.codebook).argmin(dim=1)
    count_K = nearest_N.bincount(minlength=codes).double()
    sum_KD = torch.zeros(codes, dimension, dtype=torch.float64)
    sum_KD.index_add_(0, nearest_N, z_ND.double())
    h_KK = kernel(noise, codes)
    assert torch.allclose(h_KK.sum(dim=1), torch.ones(codes, dtype=torch.float64))
    expected_KD = (h_KK.T @ sum_KD) / (h_KK.T @ count_K)[:, None]
    # Every vector many times: each copy is moved by a number of its own.
    copies = z_ND.T[None, :, None, :, None].expand(1, dimension, 1, 12, COPIES)
    quantizer(copies.contiguous(), generator(0, "noise"))
    torch.testing.assert_close(
        quantizer.count.double() / COPIES, h_KK.T @ count_K, atol=0.02, rtol=0.0
    )
    seen_K = h_KK.T @ count_K > 0.01  # a code that few outputs reach is not known so well
    assert seen_K.sum() >= 5
    found_KD = quantizer.codebook.double()
    torch.testing.assert_close(found_KD[seen_K], expected_KD[seen_K], atol=0.05, rtol=0.0)


@pytest.mark.parametrize("initial_count", [0.0, 1.0])
def test_a_code_that_nothing_reaches_shrinks_to_the_origin(initial_count: float) -> None:
    """Its sum falls as gamma^t, its count no lower than epsilon; all data are far away."""
    decay, epsilon, steps = 0.9, 1e-5, 300
    averages = replace(SUMS, decay=decay, epsilon=epsilon, initial_count=initial_count)
    quantizer = Quantizer(3, 2, averages)
    quantizer.start(generator(0, "codebook"))
    start = torch.tensor([[10.0, 0.5], [10.0, -0.5], [0.0, -3.0]])
    quantizer.codebook.copy_(start)
    quantizer.total.copy_(start)
    z = generator(0, "vectors").normal((1, 2, 1, 8, 8)) / 10 + torch.tensor([10.0, 0.0]).view(
        1, 2, 1, 1, 1
    )
    for step in range(1, steps + 1):
        counts_K = quantizer(z, generator(0)).counts
        assert counts_K[2] == 0
        count = initial_count * decay**step
        total = float(quantizer.count.sum())
        smoothed = (count + epsilon) / (total + 3 * epsilon) * total
        length = float(quantizer.codebook[2].norm())
        assert length == pytest.approx(3 * decay**step / smoothed, rel=1e-3)
    assert length < 1e-3
    assert structure(quantizer.codebook.double())["at_origin"] == 1
