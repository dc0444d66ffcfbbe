"""Classes among latents: where they are apart a number says so, and the plane never changes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch

from foreframe.analyses import embedding
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.randomness import generator
from tests.foreframe.analyses.pictures import BRIGHT, DIM, analysed, clips, subject
from tests.foreframe.predictors import test_glow


def settings(**changes: Any) -> embedding.Settings:
    known = {"kind": "embedding", "clips": None, "show": 0, "label": "digit", "perplexity": 5.0}
    return embedding.Settings(**(known | changes))


def test_classes_that_are_apart_are_found_apart_in_the_latents_and_in_the_plane(
    tmp_path: Path,
) -> None:
    found, stored = analysed(tmp_path / "a.h5", embedding, settings())
    assert stored["points"].shape == (24, 2)
    assert stored["labels"].tolist() == [DIM, BRIGHT] * 12
    for rows in ("latents", "points"):
        assert found.values[rows]["nearest_neighbour"]["mean"] == 1
        assert found.values[rows]["silhouette"]["mean"] > 0.2
    assert found.values["chance"] == pytest.approx(11 / 23)
    again, same = analysed(tmp_path / "b.h5", embedding, settings())
    assert again == found and numpy.array_equal(same["points"], stored["points"])


def test_labels_that_say_nothing_are_no_better_than_chance(tmp_path: Path) -> None:
    mixed = generator(1, "mixed").integers(0, 2, (40,))
    found, _ = analysed(tmp_path / "a.h5", embedding, settings(), count=40, digit=mixed)
    assert abs(found.values["latents"]["nearest_neighbour"]["mean"] - found.values["chance"]) < 0.25
    assert abs(found.values["latents"]["silhouette"]["mean"]) < 0.1


def test_separation_is_that_of_points_on_a_line() -> None:
    # 0, 1 | 10: the first two are each other's neighbours, the third has none of its class.
    found = embedding.separation(torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([0, 0, 1]))
    assert found["nearest_neighbour"]["mean"] == pytest.approx(2 / 3)
    # (b - a) / max(a, b) of the first two, and 0 of a class of one.
    assert found["silhouette"]["mean"] == pytest.approx(((10 - 1) / 10 + (9 - 1) / 9) / 3)
    assert embedding.chance(torch.tensor([0, 0, 1])) == pytest.approx(2 / 6)


def test_all_latents_of_a_picture_make_its_point(tmp_path: Path) -> None:
    with hdf5.creating(tmp_path / "a.h5", "analysis", {}) as file:
        asked = subject(file, 10)
        rows = embedding._latents(asked)
    assert rows.shape == (10, 3 * test_glow.SIDE**2)
    # A picture's row does not depend on its batch, but for rounding.
    model = test_glow.ready()
    alone = model.latents(clips(10)[0][9:, 0], [16], 0)
    torch.testing.assert_close(rows[9:], torch.cat([each.flatten(1) for each in alone], dim=1))


def test_the_plane_begins_from_the_seed(tmp_path: Path) -> None:
    rows = generator(0, "rows").normal((12, 4))
    assert not torch.equal(embedding.plane(rows, 3.0, 0), embedding.plane(rows, 3.0, 1))


@pytest.mark.parametrize(
    ("changes", "more", "said"),
    [
        ({"label": "person"}, {}, "not every clip has the label person.*: digit"),
        ({}, {"digit": torch.tensor([0, -1] * 12)}, "not every clip"),
        ({}, {"digit": torch.zeros(24, dtype=torch.int64)}, "have 1 classes"),
        ({"perplexity": 24.0}, {}, "perplexity is 24, but there are 24 clips"),
        ({}, {"predictor": SimpleNamespace(name="Mean")}, "Mean has no latents"),
        ({}, {"predictor": test_glow.ready(told=True)}, "condition is null"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    changes: dict[str, Any], more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        analysed(tmp_path / "a.h5", embedding, settings(**changes), **more)


def test_every_point_is_shown() -> None:
    with pytest.raises(ValueError, match="show is 2, but an embedding shows a point"):
        settings(show=2)
