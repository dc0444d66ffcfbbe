"""Laws of the classifiers of codes: what they can learn, what they cannot, what they are given."""

from pathlib import Path

import pytest
import torch
from torch import nn

from foreframe.probing.networks import CodeClassifier, predicted
from foreframe.randomness import generator
from tests.foreframe.probing import codes


@pytest.mark.parametrize("kind", codes.KINDS)
def test_separable_codes_are_told_apart(kind: str, tmp_path: Path) -> None:
    ids, labels = codes.separable(480)
    network = codes.fit(tmp_path, kind, ids, labels)
    fresh, truth = codes.separable(64, seed=1)
    right = (predicted(network, fresh, 16) == truth).double().mean()
    assert right > 0.9


def test_shuffled_labels_are_not_learnt_but_by_heart(tmp_path: Path) -> None:
    ids, labels = codes.separable(480)
    shuffled = labels[generator(0, "shuffled").permutation(480)]
    network = codes.fit(tmp_path, "index_linear", ids, shuffled)
    fresh, truth = codes.separable(256, seed=1)
    right = (predicted(network, fresh, 16) == truth).double().mean()
    assert right < 0.6


def test_indices_are_read_as_numbers_from_minus_one_to_one() -> None:
    model = CodeClassifier(codes.settings("index_linear"), codes.given("index_linear"))
    seen: list[torch.Tensor] = []
    model.network = nn.Sequential(nn.Flatten())
    ids = torch.arange(codes.CODES).repeat(2).reshape(1, *codes.GRID)
    seen.append(model.logits(ids))
    assert seen[0].min() == -1 and seen[0].max() == 1
    steps = seen[0][0, : codes.CODES].diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 2 / (codes.CODES - 1)))


def test_vectors_do_not_depend_on_the_order_of_codes() -> None:
    settings, given = codes.settings("vector_cnn"), codes.given("vector_cnn")
    assert given.codebook is not None
    model = CodeClassifier(settings, given)
    model.initialize(generator(0, "weights"))
    ids, _ = codes.separable(5)
    order = generator(0, "order").permutation(codes.CODES)
    logits = model.logits(ids)
    # Code k is now called order^-1(k).
    model.codebook = given.codebook[order]
    assert torch.equal(model.logits(order.argsort()[ids]), logits)


def test_the_codebook_is_no_weight() -> None:
    model = CodeClassifier(codes.settings("vector_linear"), codes.given("vector_linear"))
    places = codes.GRID[1] * codes.GRID[2]
    assert model.trainable() == (8 * places + 1) * codes.CLASSES
    assert not [name for name in model.state_dict() if "codebook" in name]


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("index_linear", 64 * 4 + 4),
        ("index_mlp", 64 * 512 + 512 + 512 * 4 + 4),
        ("index_cnn", 9 * (32 + 32 * 64 + 64 * 128) + 32 + 64 + 128 + 128 * 4 + 4),
    ],
)
def test_layers_are_those_that_are_told(kind: str, weights: int) -> None:
    assert CodeClassifier(codes.settings(kind), codes.given(kind)).trainable() == weights


def test_clips_are_classified_alike_however_many_at_once(tmp_path: Path) -> None:
    ids, labels = codes.separable(20)
    network = codes.fit(tmp_path, "index_cnn", ids, labels)
    assert torch.equal(predicted(network, ids, 7), predicted(network, ids, 20))
