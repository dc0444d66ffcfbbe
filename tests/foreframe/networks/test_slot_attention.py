"""Slots are a set, and so are features; masks are shares; the background is told apart."""

import pytest
import torch
from torch import Tensor

from foreframe.networks import initialization
from foreframe.networks.slot_attention import SlotAttention, competing
from foreframe.randomness import generator

ROWS, FEATURES, INPUTS, SLOTS, DIM, HIDDEN = 2, 10, 5, 3, 4, 6


def attention(iterations: int = 3, *, background: bool = False) -> SlotAttention:
    built = SlotAttention(INPUTS, SLOTS, DIM, iterations, HIDDEN, background)
    initialization.initialize(built, generator(0, "weights"))
    return built.double()


def features() -> Tensor:
    return 3 * generator(0, "features").normal((ROWS, FEATURES, INPUTS)).double()


def numbers(count: int = SLOTS) -> Tensor:
    return generator(0, "slots").normal((ROWS, count, DIM)).double()


def test_slots_in_another_order_are_the_same_slots_in_that_order() -> None:
    built, order = attention(), [2, 0, 1]
    slots, masks = built(features(), numbers())
    moved, moved_masks = built(features(), numbers()[:, order])
    torch.testing.assert_close(moved, slots[:, order])
    torch.testing.assert_close(moved_masks, masks[:, order])
    assert not torch.allclose(slots, slots[:, order], atol=1e-3)


def test_features_in_another_order_make_the_same_slots_and_their_masks_follow() -> None:
    built, order = attention(), generator(0, "order").permutation(FEATURES)
    slots, masks = built(features(), numbers())
    moved, moved_masks = built(features()[:, order], numbers())
    torch.testing.assert_close(moved, slots)
    torch.testing.assert_close(moved_masks, masks[:, :, order])


def test_masks_are_shares_of_a_feature_and_weights_those_of_a_slot() -> None:
    _, masks = attention(background=True)(features(), numbers(SLOTS + 1))
    assert masks.shape == (ROWS, SLOTS + 1, FEATURES)
    torch.testing.assert_close(masks.sum(dim=1), torch.ones(ROWS, FEATURES).double())
    shares, weights = competing(numbers(), generator(0, "keys").normal((ROWS, 7, DIM)).double())
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(ROWS, SLOTS).double())
    torch.testing.assert_close(weights, shares / shares.sum(dim=2, keepdim=True))


def test_scores_are_products_over_the_root_of_their_length() -> None:
    queries, keys = torch.tensor([[[2.0, 0, 0, 0], [0, 0, 0, 0]]]), torch.ones(1, 1, 4)
    shares, _ = competing(queries, keys)
    torch.testing.assert_close(shares[0, 0, 0], torch.tensor(1.0).sigmoid())


def test_an_iteration_is_that_of_the_paper() -> None:
    built, x, slots = attention(1), features(), numbers()
    with torch.no_grad():
        built.objects.mean_D.zero_()
        built.objects.log_deviation_D.zero_()
    n = torch.nn.functional.layer_norm(x, [INPUTS])
    scores = (n @ built.key.weight.T) @ (
        torch.nn.functional.layer_norm(slots, [DIM]) @ built.query.weight.T
    ).transpose(1, 2)
    attended = (scores / 2).exp() / (scores / 2).exp().sum(dim=2, keepdim=True)
    attended = attended / attended.sum(dim=1, keepdim=True)
    updates = torch.einsum("bnk,bnd->bkd", attended, n @ built.value.weight.T)
    after = torch.stack([built.cell(updates[:, k], slots[:, k]) for k in range(SLOTS)], dim=1)
    wanted = after + built.perceptron(after)
    torch.testing.assert_close(built(x, slots)[0], wanted, rtol=1e-6, atol=1e-6)


def test_slots_begin_from_the_gaussian_that_is_learned_and_the_background_from_its_own() -> None:
    built, drawn = attention(background=True), numbers(SLOTS + 1)
    assert built.background is not None
    found = built._first(drawn)
    for part, of in ((slice(0, SLOTS), built.objects), (slice(SLOTS, None), built.background)):
        wanted = of.mean_D + of.log_deviation_D.exp() * drawn[:, part]
        torch.testing.assert_close(found[:, part], wanted)
    assert not torch.equal(built.objects.mean_D, built.background.mean_D)


@pytest.mark.parametrize("background", [False, True])
def test_the_weights_are_those_of_its_layers(background: bool) -> None:
    gaussian, maps = 2 * DIM, 2 * INPUTS * DIM + DIM * DIM
    norms, gru = 2 * INPUTS + 4 * DIM, 2 * (3 * DIM * DIM + 3 * DIM)
    perceptron = DIM * HIDDEN + HIDDEN + HIDDEN * DIM + DIM
    wanted = gaussian * (1 + background) + maps + norms + gru + perceptron
    found = sum(each.numel() for each in attention(background=background).parameters())
    assert found == wanted


def test_numbers_for_another_count_of_slots_are_refused() -> None:
    with pytest.raises(AssertionError):
        attention(background=True)(features(), numbers(SLOTS))
