"""FID's features and the inception score: shapes, closed forms, an independent computation."""

import numpy
import pytest
import torch

from foreframe.errors import UserError
from foreframe.features import registry
from foreframe.metrics.fid import FidFeatures, Inception
from foreframe.metrics.inception_score import SPLITS, InceptionScore
from tests.foreframe.features import synthetic

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> FidFeatures:
    return FidFeatures(synthetic.weights(registry.entry("inception_v3")), CPU)


def test_every_frame_gives_a_row_whatever_its_place(network: FidFeatures) -> None:
    generator = torch.Generator().manual_seed(0)
    clip = torch.randint(256, (1, 2, 20, 24, 3), dtype=torch.uint8, generator=generator)
    features = network(clip)
    assert features.shape == (1, 2, network.size)
    torch.testing.assert_close(network(clip.flip(1)), features.flip(1), rtol=1e-3, atol=1e-4)
    assert network.digest == f"{0:064x}"


def test_frames_are_fed_in_minus_one_to_one(network: FidFeatures) -> None:
    black = torch.zeros(1, 1, 5, 5, 3, dtype=torch.uint8)
    fed = network.prepared(torch.cat([black, black + 255], dim=1))
    assert fed.shape == (2, 3, 299, 299)
    expected = torch.tensor([-1.0, 1.0])[:, None, None, None].expand_as(fed)
    torch.testing.assert_close(fed, expected, rtol=0, atol=1e-6)


class Fixed(Inception):
    """An Inception whose logits are given: frame n has those of the class its red value names."""

    def __init__(self, logits_NK: torch.Tensor) -> None:
        self._logits_NK = logits_NK
        self.network = lambda chosen_N: logits_NK[chosen_N]  # type: ignore[assignment]

    def prepared(self, frames_BTHWC: torch.Tensor) -> torch.Tensor:
        return frames_BTHWC[..., 0, 0, 0].flatten()


def numbered(count: int) -> torch.Tensor:
    """Return clips of one frame each whose value is their number."""
    return torch.arange(count)[:, None, None, None, None]


def score(logits_NK: torch.Tensor, batch: int) -> InceptionScore:
    metric = InceptionScore(Fixed(logits_NK))
    for frames in numbered(len(logits_NK)).split(batch):
        metric.update(frames)
    return metric


def test_frames_of_no_class_score_one() -> None:
    result = score(torch.zeros(30, 1008), 7).result()
    assert result.value == pytest.approx(1, abs=1e-9)
    assert result.deviation == pytest.approx(0, abs=1e-9)
    assert result.frames == 30


def test_sure_frames_of_five_classes_score_five() -> None:
    """Frame i is in split i mod 10: the classes go round within every split."""
    logits = torch.full((100, 1008), -100.0)
    logits[torch.arange(100), torch.arange(100) // SPLITS % 5] = 100
    assert score(logits, 100).result().value == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize("batch", [1, 9, 64])
def test_agrees_with_the_definition_in_any_batches(batch: int) -> None:
    logits = 3 * torch.randn(64, 1008, generator=torch.Generator().manual_seed(0))
    p = numpy.exp(logits.double().numpy())
    p /= p.sum(axis=1, keepdims=True)
    scores = []
    for split in range(SPLITS):
        part = p[split::SPLITS]
        divergence = (part * (numpy.log(part) - numpy.log(part.mean(axis=0)))).sum(axis=1)
        scores.append(numpy.exp(divergence.mean()))
    result = score(logits, batch).result()
    assert result.value == pytest.approx(numpy.mean(scores), rel=1e-6)
    assert result.deviation == pytest.approx(numpy.std(scores), rel=1e-5)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(UserError, match="at least 10 frames, not 9"):
        score(torch.zeros(9, 1008), 3).result()
