"""Dropout keeps what it does not drop, enlarged, and draws from given numbers alone."""

import pytest
import torch

from foreframe.networks.dropout import NONE, Dropout, coins
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


# ---- coins


def split_mix(start: int, count: int) -> int:
    """Return SplitMix64's output by whole numbers, as its authors write it."""
    bits = (start + count * 0x9E3779B97F4A7C15) % 2**64
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
    return bits ^ bits >> 31


@pytest.mark.parametrize("seed", range(5))
def test_coins_are_what_the_published_mix_gives(seed: int) -> None:
    """The first numbers after 1234567 are those of the published test of SplitMix64."""
    assert [split_mix(1234567, count) for count in (1, 2)] == [
        6457827717110365317,
        3203168211198807973,
    ]
    start = int(generator(seed, "coins").integers(-(2**63), 2**63, (1,)))
    for share in (0.1, 0.5):
        lanes = [
            (split_mix(start, 1 + place // 4) >> 16 * (place % 4)) % 2**16 for place in range(30)
        ]
        # As int16: the upper half comes before the lower one.
        below = [(lane + 2**15) % 2**16 < round(share * 2**16) for lane in lanes]
        found = coins(generator(seed, "coins"), (5, 6), share, torch.device("cpu"))
        assert found.flatten().tolist() == below


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 0.999])
def test_as_many_coins_are_true_as_are_asked_for(share: float) -> None:
    found = coins(generator(0, "share"), (1000, 1001), share, torch.device("cpu"))
    spread = (share * (1 - share) / found.numel()) ** 0.5
    assert abs(found.double().mean().item() - share) <= 5 * spread + 2**-17
