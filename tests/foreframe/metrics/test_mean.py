"""A streamed mean equals the mean of the whole, whatever the batches."""

import pytest
import torch

from foreframe.metrics.mean import Mean


@pytest.mark.parametrize("batch", [1, 2, 7, 10])
def test_batches_do_not_matter_to_the_last_bit(batch: int) -> None:
    values = torch.randn(10, 2, 3, generator=torch.Generator().manual_seed(0))
    streamed, whole = Mean(), Mean()
    for part in torch.split(values, batch):
        streamed.update(part)
    whole.update(values)
    assert torch.equal(streamed.result(), whole.result())
    torch.testing.assert_close(whole.result(), values.double().mean(0))
    assert streamed.count == 10


def test_small_items_survive_in_a_long_sum() -> None:
    mean = Mean()
    mean.update(torch.tensor([2.0**24] + [1.0] * 100))
    assert mean.scalar() == (2**24 + 100) / 101


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no items"):
        Mean().result()


def test_items_of_another_shape_are_refused() -> None:
    mean = Mean()
    mean.update(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="one shape"):
        mean.update(torch.zeros(2, 1))
