"""Counts of codes and the use of a codebook: closed forms, and independence of batches."""

import math

import pytest
import torch

from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.codebook import codebook_use


def test_equal_use_of_some_codes() -> None:
    use = codebook_use(torch.tensor([5, 0, 5, 0, 5, 5]))
    assert (use.size, use.used, use.dead) == (6, 4, 2)
    assert use.usage == pytest.approx(4 / 6)
    assert use.perplexity == pytest.approx(4)


def test_one_code_alone_has_perplexity_one() -> None:
    assert codebook_use(torch.tensor([0, 9])).perplexity == pytest.approx(1)


def test_perplexity_is_that_of_the_entropy() -> None:
    use = codebook_use(torch.tensor([1, 3]))
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert use.perplexity == pytest.approx(math.exp(entropy))


def test_no_codes_have_no_use() -> None:
    with pytest.raises(ValueError, match="without codes"):
        codebook_use(torch.zeros(4, dtype=torch.int64))


def test_counts_tell_first_same_and_changed_apart() -> None:
    counts = CodeCounts(4)
    counts.update(torch.tensor([[0, 1], [0, 2], [3, 2]]).reshape(1, 3, 1, 2))
    assert counts.first_K.tolist() == [1, 1, 0, 0]
    assert counts.same().tolist() == [1, 0, 1, 0]
    assert counts.changed().tolist() == [0, 0, 1, 1]
    assert counts.after_KK.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert counts.total().tolist() == [2, 1, 2, 1]


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_batches_do_not_matter(batch: int) -> None:
    codes = torch.randint(5, (6, 3, 2, 2), generator=torch.Generator().manual_seed(0))
    counts = CodeCounts(5)
    for part in torch.split(codes, batch):
        counts.update(part)
    assert counts.total().tolist() == torch.bincount(codes.flatten(), minlength=5).tolist()


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.tensor([4]).reshape(1, 1, 1, 1), "outside 0..3"),
        (torch.tensor([-1]).reshape(1, 1, 1, 1), "outside 0..3"),
        (torch.zeros(1, 1, 1, 1), "must be integers"),
        (torch.zeros(0, 1, 1, 1, dtype=torch.int64), "codes must be"),
        (torch.zeros(1, 1, 1, dtype=torch.int64), "codes must be"),
    ],
)
def test_what_are_no_codes_is_refused(codes: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CodeCounts(4).update(codes)
