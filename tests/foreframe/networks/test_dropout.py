"""Dropout keeps what it does not drop, enlarged, and draws from given numbers alone."""

import torch

from foreframe.networks.dropout import NONE, Dropout
from foreframe.randomness import generator


def dropped(x: torch.Tensor, share: float, seed: int = 0) -> torch.Tensor:
    return Dropout(share, generator(seed, "step"))(x)


def test_a_share_is_zero_and_the_rest_enlarged() -> None:
    x = torch.randn(300, 400)
    found = dropped(x, 0.3)
    zero = found == 0
    assert abs(zero.double().mean().item() - 0.3) < 0.005
    torch.testing.assert_close(found[~zero], x[~zero] / 0.7)
    assert torch.equal(found, dropped(x, 0.3)) and not torch.equal(found, dropped(x, 0.3, 1))


def test_layers_draw_masks_of_their_own() -> None:
    dropout = Dropout(0.5, generator(0, "step"))
    ones = torch.ones(10_000)
    together = (dropout(ones) > 0) & (dropout(ones) > 0)
    assert abs(together.double().mean().item() - 0.25) < 0.02


def test_nothing_is_dropped_without_numbers_or_share() -> None:
    x = torch.randn(5)
    assert NONE(x) is x and dropped(x, 0.0) is x and not Dropout(0.0, generator(0)).acts
