"""The code baselines are distributions, are scored as written, and are fitted as they say."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from foreframe.metrics.code_baselines import CodeBaselines, fit
from foreframe.metrics.code_counts import CodeCounts

SIZE = 7


def counted(codes: torch.Tensor) -> CodeCounts:
    """Return the counts of a set."""
    counts = CodeCounts(SIZE)
    counts.update(codes)
    return counts


def sticky_codes(seed: int, stay: float) -> torch.Tensor:
    """Return codes (20, 5, 4, 4) that stay what they are with a chance of about `stay`."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(SIZE - 1, (20, 5, 4, 4), generator=generator)
    keep = torch.rand(codes.shape, generator=generator) < stay
    for frame in range(1, codes.shape[1]):
        codes[:, frame] = torch.where(keep[:, frame], codes[:, frame - 1], codes[:, frame])
    return codes


def cycling_codes() -> torch.Tensor:
    """Return codes (20, 5, 4, 4), each followed by the next, the last by the first."""
    starts = torch.randint(SIZE, (20, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    return (starts + torch.arange(5)[:, None, None]) % SIZE


def naive_nats(
    baselines: CodeBaselines, codes: torch.Tensor, after: Callable[[int], torch.Tensor]
) -> float:
    """Return the score code by code, where `after` gives the distribution after a code."""
    scores = []
    for clip in codes:
        scores += [baselines.unigram[k].log().item() for k in clip[0].flatten()]
        for earlier, later in zip(clip[:-1].flatten(), clip[1:].flatten(), strict=True):
            scores.append(after(int(earlier))[later].log().item())
    return -sum(scores) / len(scores)


@pytest.mark.parametrize("stay", [0.0, 0.8, 1.0])
def test_all_are_distributions(stay: float) -> None:
    baselines = fit(counted(sticky_codes(0, stay)))
    assert baselines.unigram.sum().item() == pytest.approx(1)
    for previous in range(SIZE):
        copied_K = baselines.copy_previous(previous)
        assert copied_K.sum().item() == pytest.approx(1)
        assert bool((copied_K > 0).all())
        assert baselines.bigram[previous].sum().item() == pytest.approx(1)
    assert bool((baselines.bigram > 0).all())


def test_scores_from_counts_equal_scores_from_the_definition() -> None:
    baselines = fit(counted(sticky_codes(0, 0.6)))
    unseen = sticky_codes(1, 0.5)
    expected = -baselines.unigram[unseen].log().mean().item()
    assert baselines.unigram_nats(counted(unseen)) == pytest.approx(expected)
    copied = baselines.copy_previous_nats(counted(unseen))
    assert copied == pytest.approx(naive_nats(baselines, unseen, baselines.copy_previous))
    bigram = baselines.bigram_nats(counted(unseen))
    assert bigram == pytest.approx(naive_nats(baselines, unseen, lambda j: baselines.bigram[j]))


def test_a_code_never_seen_in_training_is_possible() -> None:
    baselines = fit(counted(torch.zeros(3, 2, 2, 2, dtype=torch.int64)))
    unseen = counted(torch.full((1, 2, 2, 2), SIZE - 1))
    assert baselines.unigram_nats(unseen) == pytest.approx(math.log(24 + SIZE))
    assert math.isfinite(baselines.copy_previous_nats(unseen))
    assert math.isfinite(baselines.bigram_nats(unseen))


def test_a_constant_video_costs_copy_previous_next_to_nothing() -> None:
    still = torch.randint(SIZE, (1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    codes = still.expand(1, 200, 8, 8)
    counts = counted(codes)
    baselines = fit(counts)
    assert baselines.copy_previous_nats(counts) < 0.02
    assert baselines.bigram_nats(counts) < 0.02
    assert baselines.unigram_nats(counts) > 1.5


def test_independent_codes_make_copying_useless() -> None:
    counts = counted(sticky_codes(2, 0.0))
    baselines = fit(counts)
    assert baselines.escape > 0.95
    assert baselines.copy_previous_nats(counts) == pytest.approx(
        baselines.unigram_nats(counts), abs=0.01
    )


def test_independent_codes_make_the_previous_one_useless() -> None:
    baselines = fit(counted(sticky_codes(2, 0.0)))
    unseen = counted(sticky_codes(3, 0.0))
    gap = baselines.bigram_nats(unseen) - baselines.unigram_nats(unseen)
    assert 0 < gap < 0.03


def test_only_the_bigram_knows_what_follows_what() -> None:
    counts = counted(cycling_codes())
    baselines = fit(counts)
    # The first of five code-frames is as hard as ever, the others are all but certain.
    assert baselines.bigram_nats(counts) == pytest.approx(math.log(SIZE) / 5, abs=0.05)
    assert baselines.copy_previous_nats(counts) > 0.95 * baselines.unigram_nats(counts)


def test_the_bigram_weighs_what_was_seen_against_the_unigram() -> None:
    counts = CodeCounts(3)
    # After 0 came 1 twice and 2 once; nothing came after 2.
    counts.update(torch.tensor([[0, 0, 0], [1, 1, 2]]).reshape(1, 2, 1, 3))
    baselines = fit(counts)
    unigram = [4 / 9, 3 / 9, 2 / 9]
    assert baselines.unigram.tolist() == pytest.approx(unigram)
    expected = [(n + 2 * p) / 5 for n, p in zip([0, 2, 1], unigram, strict=True)]
    assert baselines.bigram[0].tolist() == pytest.approx(expected)
    assert baselines.bigram[2].tolist() == pytest.approx(unigram)


def test_the_escape_is_that_of_the_codes() -> None:
    assert fit(counted(sticky_codes(3, 0.9))).escape == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("stay", [0.3, 0.6, 0.95])
def test_no_other_escape_fits_the_training_codes_better(stay: float) -> None:
    training = counted(sticky_codes(4, stay))
    # The one change that the fit counts beyond those seen.
    training.after_KK[1, 0] += 1
    smoothed = fit(counted(sticky_codes(4, stay)))
    best = smoothed.copy_previous_nats(training)
    for e in (smoothed.escape - 0.003, smoothed.escape + 0.003):
        assert replace(smoothed, escape=e).copy_previous_nats(training) > best
