"""Sets of pictures: precision and recall by balls, and a distance over untrained features."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from foreframe.metrics import catalogue, neighbours
from foreframe.metrics.frechet import REAL
from foreframe.metrics.metric import Wanted
from foreframe.metrics.neighbours import K, NeighbourSets
from foreframe.metrics.random_video_distance import RandomVideoFeatures
from foreframe.metrics.stills import StillFeatures
from foreframe.randomness import generator

CPU = torch.device("cpu")


def told(rows_ND: Tensor) -> Tensor:
    """Return features as they come: (B,T,D) of clips of one frame."""
    return rows_ND[:, None]


def share(real_ND: Tensor, made_MD: Tensor, which: neighbours.Which) -> float | None:
    sets = NeighbourSets(lambda rows: rows, which)
    for name, rows in ((REAL, real_ND), ("made", made_MD)):
        for part in told(rows).split(7):
            sets.update(name, part)
    return sets.result("made").value


def rows(count: int, seed: int = 0) -> Tensor:
    return generator(seed, "rows").normal((count, 3))


@pytest.mark.parametrize("which", ["precision", "recall"])
def test_a_set_lies_in_its_own_balls_and_a_far_one_in_none(which: neighbours.Which) -> None:
    assert share(rows(40), rows(40), which) == 1
    assert share(rows(40), rows(40) + 100, which) == 0
    assert share(rows(40), rows(K), which) is None


def test_precision_and_recall_exchange_with_their_sets() -> None:
    one, other = rows(50), 0.6 * rows(60, 1) + 0.5
    precision, recall = (share(one, other, which) for which in ("precision", "recall"))
    assert (recall, precision) == (share(other, one, "precision"), share(other, one, "recall"))
    assert precision != recall


def test_one_mode_of_two_is_precise_and_half_recalled() -> None:
    modes = torch.cat([rows(60), rows(60, 1) + 50])
    found = rows(60, 2)
    precision, recall = (share(modes, found, which) for which in ("precision", "recall"))
    assert precision is not None and recall is not None
    assert precision > 0.8 and 0.3 < recall <= 0.5


def test_balls_are_those_of_a_double_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", 4)
    balls, points = rows(11), rows(9, 1)
    radii = [sorted(float((a - b).norm()) for b in balls)[K] for a in balls]
    inside = [
        any(float((p - b).norm()) <= radius for b, radius in zip(balls, radii, strict=True))
        for p in points
    ]
    torch.testing.assert_close(neighbours.radii(balls), torch.tensor(radii))
    assert neighbours.inside(points, balls) == sum(inside) / len(inside)


def test_features_are_those_of_still_clips_a_row_for_each_frame() -> None:
    clips = generator(0, "clips").integers(0, 256, (2, 3, 20, 24, 3)).to(torch.uint8)
    features = StillFeatures(CPU)(clips)
    assert features.shape == (2, 3, StillFeatures.size)
    still = clips[1, 2].expand(1, 7, -1, -1, -1)
    torch.testing.assert_close(
        features[1, 2], RandomVideoFeatures(CPU)(still)[0, 0], rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("name", ["random_image_distance", "random_precision", "random_recall"])
def test_untrained_metrics_tell_noise_from_pictures(name: str, tmp_path: Path) -> None:
    metric = catalogue.find(name, tmp_path, CPU)
    assert metric.accumulate is not None and metric.digest == StillFeatures(CPU).digest
    found = metric.accumulate(Wanted(few=False, interval=False))
    numbers = generator(0, "pictures")

    def pictures(count: int) -> Tensor:
        # Two colours each, in stripes: pictures with some order in them.
        colours = numbers.integers(0, 256, (count, 1, 1, 2, 1, 3))
        return colours.expand(-1, 1, 24, -1, 12, -1).flatten(3, 4).to(torch.uint8)

    noise = numbers.integers(0, 256, (80, 1, 24, 24, 3)).to(torch.uint8)
    for each, frames in ((REAL, pictures(80)), ("alike", pictures(80)), ("noise", noise)):
        found.update(each, frames)
    alike, other = found.result("alike").value, found.result("noise").value
    assert alike is not None and other is not None
    assert (alike < other) if metric.better == "lower" else (alike > 0.5 and other < 0.1)


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_without_weights_the_trained_ones_say_why(name: str, tmp_path: Path) -> None:
    metric = catalogue.find(name, tmp_path, CPU)
    assert metric.accumulate is None and metric.missing is not None
