"""The quantiser against hand calculation, against an independent implementation, and its laws."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from foreframe.networks import quantizer as module
from foreframe.networks.index_noise import IndexNoise
from foreframe.networks.quantizer import Averages, Quantizer
from foreframe.randomness import Numbers, generator

NOT_USED: Any = None
PLAIN = Averages(decay=0.99, epsilon=1e-5, initial_count=1.0, init="uniform", restart_threshold=0.0)


def started(size: int, dimension: int, averages: Averages = PLAIN) -> Quantizer:
    quantizer = Quantizer(size, dimension, averages)
    quantizer.start(generator(0, "codebook"))
    return quantizer


def clips(*shape: int, seed: int = 0) -> Tensor:
    return generator(seed, "clips").normal(shape)


def test_two_updates_match_a_hand_calculation() -> None:
    quantizer = started(2, 1, replace(PLAIN, decay=0.5, epsilon=1.0, initial_count=0.0))
    quantizer.codebook.copy_(torch.tensor([[0.0], [4.0]]))
    quantizer.total.copy_(quantizer.codebook)
    z = torch.tensor([1.0, 1.0, 1.0, 5.0]).view(1, 1, 1, 2, 2)
    first = quantizer(z, None)
    # The nearest codes are 0, 0, 0 and 1; they are used before they move.
    assert first.ids.flatten().tolist() == [0, 0, 0, 1]
    assert first.vectors.flatten().tolist() == [0, 0, 0, 4]
    assert first.commitment.item() == 1.0
    assert first.counts.tolist() == [3, 1]
    # N = 0.5*0 + 0.5*(3, 1); m = 0.5*(0, 4) + 0.5*(3, 5); N~ = (N + 1) / (2 + 2) * 2.
    torch.testing.assert_close(quantizer.count, torch.tensor([1.5, 0.5]))
    torch.testing.assert_close(quantizer.total, torch.tensor([[1.5], [4.5]]))
    torch.testing.assert_close(quantizer.codebook, torch.tensor([[1.5 / 1.25], [4.5 / 0.75]]))
    # Now the codes are 1.2 and 6: N = (2.25, 0.75), m = (2.25, 4.75), N~ = (N + 1) / 5 * 3.
    assert quantizer(z, None).ids.flatten().tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(quantizer.count, torch.tensor([2.25, 0.75]))
    torch.testing.assert_close(quantizer.total, torch.tensor([[2.25], [4.75]]))
    torch.testing.assert_close(quantizer.codebook, torch.tensor([[2.25 / 1.95], [4.75 / 1.05]]))


@pytest.mark.parametrize("chunk", [1 << 12, 7])
def test_equals_an_independent_implementation(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    oracle = VectorQuantize(
        dim=6, codebook_size=10, decay=0.99, eps=1e-5, threshold_ema_dead_code=0, kmeans_init=False
    )
    book = oracle._codebook
    ours = started(10, 6)
    book.embed.copy_(ours.codebook[None])
    book.embed_avg.copy_(ours.codebook[None])
    ours.count.copy_(book.cluster_size[0])
    for step in range(5):
        z = clips(2, 6, 2, 3, 3, seed=step)
        theirs, ids, _ = oracle(z.movedim(1, -1).flatten(1, 3))
        found = ours(z, None)
        assert torch.equal(found.ids.flatten(1), ids)
        torch.testing.assert_close(found.vectors.movedim(1, -1).flatten(1, 3), theirs)
        torch.testing.assert_close(ours.count, book.cluster_size[0])
        torch.testing.assert_close(ours.codebook, book.embed[0])
    assert not torch.equal(ours.codebook, started(10, 6).codebook)


def test_gradient_goes_straight_through_and_not_to_the_codebook() -> None:
    quantizer = started(8, 4)
    z = clips(2, 4, 2, 2, 2).requires_grad_()
    weights = clips(2, 4, 2, 2, 2, seed=1)
    found = quantizer(z, None)
    (found.vectors * weights).sum().backward()
    assert z.grad is not None
    assert torch.equal(z.grad, weights)
    assert not list(quantizer.parameters())
    assert not any(buffer.requires_grad for buffer in quantizer.buffers())


def test_commitment_pulls_outputs_to_their_codes() -> None:
    quantizer = started(8, 4).eval()
    z = clips(2, 4, 2, 2, 2).requires_grad_()
    found = quantizer(z, None)
    found.commitment.backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad, 2 * (z - found.vectors).detach() / z.numel())


def test_nearest_code_by_distance_and_exact_vectors() -> None:
    quantizer = started(32, 5).eval()
    z = clips(3, 5, 2, 4, 4)
    distances = torch.cdist(z.movedim(1, -1).reshape(-1, 5).double(), quantizer.codebook.double())
    found = quantizer(z, None)
    assert torch.equal(found.ids.flatten(), distances.argmin(1))
    assert torch.equal(found.ids, quantizer.ids(z))
    assert torch.equal(found.vectors, quantizer.vectors(found.ids))
    assert torch.equal(found.counts, found.ids.flatten().bincount(minlength=32).float())


def test_evaluation_changes_nothing() -> None:
    quantizer = started(8, 4, replace(PLAIN, restart_threshold=5.0)).eval()
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer(clips(2, 4, 2, 2, 2), None)
    assert all(torch.equal(before[name], value) for name, value in quantizer.state_dict().items())


def test_dead_code_is_revived_and_stays() -> None:
    quantizer = started(4, 2, replace(PLAIN, restart_threshold=0.5))
    quantizer.codebook[3] = 1000.0
    quantizer.total[3] = 1000.0
    quantizer.count[3] = 0.1
    z = clips(4, 2, 2, 4, 4)
    quantizer(z, generator(0, "restart", 0))
    outputs = z.movedim(1, -1).reshape(-1, 2)
    # It sits on an encoder output, to the last bit, although the update came in the same step.
    assert (outputs == quantizer.codebook[3]).all(1).any()
    assert quantizer.count[3] == 0.5
    place = quantizer.codebook[3].clone()
    found = quantizer(z, generator(0, "restart", 1))
    assert found.counts[3] > 0
    # The next update moves it a little towards its vectors, and not back to where it died.
    assert (quantizer.codebook[3] - place).norm() < 1


@pytest.mark.parametrize("initial_count", [0.0, 1.0])
def test_an_unused_code_shrinks_until_it_meets_the_data_and_stays(initial_count: float) -> None:
    """As specified, without a restart: e = m / N~, of which m falls by gamma and N~ to epsilon."""
    quantizer = started(4, 2, replace(PLAIN, decay=0.9, initial_count=initial_count))
    quantizer.codebook[3] = quantizer.total[3] = torch.tensor([600.0, 800.0])
    lengths, uses = [], []
    for step in range(250):
        found = quantizer(clips(4, 2, 2, 4, 4, seed=step), None)
        uses.append(found.counts[3].item())
        lengths.append(quantizer.codebook[3].norm().item())
    unused = next(step for step, count in enumerate(uses) if count > 0)
    shares = [0.9 ** (step + 1) for step in range(unused)]
    expected = [1000 * share / (initial_count * share + 1e-5) for share in shares]
    assert lengths[:unused] == pytest.approx(expected, rel=1e-3)
    # With no count at first it is flung out; from then on, or once its count is gone, it comes in.
    assert (lengths[0] > 1e7) == (initial_count == 0)
    assert unused > 100
    assert lengths[unused - 1] < 10
    assert min(uses[-20:]) > 0


def test_restart_depends_on_its_generator_alone() -> None:
    first, second, third = (started(16, 2, replace(PLAIN, restart_threshold=9.0)) for _ in range(3))
    z = clips(4, 2, 2, 4, 4)
    first(z, generator(0, "restart", 0))
    second(z, generator(0, "restart", 0))
    third(z, generator(0, "restart", 1))
    assert torch.equal(first.codebook, second.codebook)
    assert not torch.equal(first.codebook, third.codebook)


def test_restarts_bring_a_hopeless_codebook_into_use() -> None:
    quantizer = started(64, 8, replace(PLAIN, initial_count=0.0, restart_threshold=0.5))
    used = []
    for step in range(100):
        # Far from U(0,1), where a few codes would win everything.
        z = 0.01 * clips(4, 8, 2, 8, 8, seed=step) - 3
        used.append((quantizer(z, generator(0, step)).counts > 0).float().mean().item())
    assert used[0] < 0.1
    assert used[-1] > 0.9


def test_averages_are_float32_under_autocast() -> None:
    plain, half = started(8, 4), started(8, 4)
    z = clips(2, 4, 2, 4, 4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half(z, None)
    plain(z.float(), None)
    assert torch.equal(half.codebook, plain.codebook)
    assert half.codebook.dtype == torch.float32


@pytest.mark.parametrize(("init", "low", "mean"), [("uniform", 0.0, 0.5), ("normal", -5.0, 0.0)])
def test_codebook_starts_as_stated(init: str, low: float, mean: float) -> None:
    averages = replace(PLAIN, init=init)  # type: ignore[arg-type]
    quantizer = started(512, 64, averages)
    assert quantizer.codebook.min() >= low
    assert quantizer.codebook.mean().item() == pytest.approx(mean, abs=0.02)
    assert torch.equal(quantizer.codebook, quantizer.total)
    assert torch.equal(quantizer.count, torch.ones(512))


# ------------------------------------------------------------- noisy indices


class Up(IndexNoise):
    """Moves every index by one, so that its effects can be worked out by hand."""

    def move(self, ids: Tensor, codes: int, numbers: Numbers) -> Tensor:
        return (ids + 1).clamp(max=codes - 1)


def noisy(
    size: int, dimension: int, sigma: float, kind: type[IndexNoise] = IndexNoise
) -> Quantizer:
    noise = kind(sigma=sigma, sigma_is="deviation", gaussian="rounded", border="clamp")
    quantizer = Quantizer(size, dimension, replace(PLAIN, decay=0.5, epsilon=1e-5), noise)
    quantizer.start(generator(0, "codebook"))
    return quantizer


def test_the_moved_code_is_decoded_and_follows_while_the_nearest_one_is_committed_to() -> None:
    quantizer = noisy(3, 1, 1.0, Up)
    quantizer.codebook.copy_(torch.tensor([[0.0], [4.0], [10.0]]))
    quantizer.total.copy_(quantizer.codebook)
    z = torch.tensor([1.0, 5.0]).view(1, 1, 1, 1, 2).requires_grad_()
    found = quantizer(z, NOT_USED)
    assert found.ids.flatten().tolist() == [0, 1] and found.counts.tolist() == [1, 1, 0]
    assert found.vectors.flatten().tolist() == [4.0, 10.0]
    assert found.commitment.item() == (1 + 1) / 2
    # m = (0, 4, 10) / 2 + (0, 1, 5) / 2 and N = (1, 1, 1) / 2 + (0, 1, 1) / 2, as codes 1 and 2
    # were given what is nearest to 0 and 1.
    torch.testing.assert_close(quantizer.total.flatten(), torch.tensor([0.0, 2.5, 7.5]))
    torch.testing.assert_close(quantizer.count, torch.tensor([0.5, 1.0, 1.0]))
    (found.vectors.sum() + 7 * found.commitment).backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad.flatten(), torch.tensor([1.0, 1.0]) + 7 * (1 + 0.0))
    quantizer.eval()
    assert torch.equal(quantizer(z, NOT_USED).vectors, quantizer.vectors(quantizer.ids(z)))


def test_a_width_of_zero_changes_no_byte() -> None:
    plain, without = started(16, 4, replace(PLAIN, decay=0.5)), noisy(16, 4, 0.0)
    for step in range(3):
        z = clips(2, 4, 2, 3, 3, seed=step)
        assert torch.equal(plain(z, NOT_USED).vectors, without(z, NOT_USED).vectors)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, without.state_dict()[name]), name


def unordered(codebook: Tensor) -> float:
    """Return how far neighbours in the codebook are apart, over how far any two codes are."""
    distances = torch.cdist(codebook, codebook)
    size = len(codebook)
    apart: Tensor = distances.diagonal(1).mean() / (distances.sum() / (size * (size - 1)))
    return float(apart)


def test_noise_orders_the_codes_and_leaves_none_unused() -> None:
    """The codebook of a square becomes a chain through it: a self-organising map."""
    found = {}
    for sigma in (0.0, 1.0):
        quantizer = noisy(32, 2, sigma)
        for step in range(300):
            z = generator(step, "square").uniform((8, 2, 1, 8, 8), -1.0, 1.0)
            quantizer(z, generator(step, "noise"))
        z = generator(0, "test").uniform((8, 2, 1, 16, 16), -1.0, 1.0)
        used = len(quantizer.ids(z).unique())
        found[sigma] = (unordered(quantizer.codebook), used)
    assert found[0.0][0] > 0.75
    assert found[1.0][0] < 0.5
    assert found[1.0][1] == 32 >= found[0.0][1]
