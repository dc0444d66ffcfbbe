"""Pictures of one latent under many labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.analyses import label_grid
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.predictors.adversarial import Latents
from foreframe.randomness import Draws
from tests.foreframe.analyses.pictures import subject
from tests.foreframe.predictors import test_ali
from tests.foreframe.predictors.pairs import SIDE


def settings(**changes: Any) -> label_grid.Settings:
    known: dict[str, Any] = {
        "kind": "label_grid",
        "clips": 1,
        "show": 0,
        "base": {"digit": "one", "slanted": "no"},
        "rows": ({}, {"slanted": "yes"}),
        "columns": ({}, {"digit": "zero"}, {"digit": "two", "slanted": "no"}),
    }
    return label_grid.Settings(**(known | changes))


def analysed(path: Path, chosen: label_grid.Settings, model: Any, warm: float = 1.0) -> Any:
    with hdf5.creating(path, "analysis", {}) as file:
        known = subject(file, 2, model, SIDE)
        found = label_grid.analyse(replace(known, options=Latents(temperature=warm)), chosen)
    with hdf5.opening(path, "analysis") as file:
        return found, torch.from_numpy(file["frames"][:])


@pytest.mark.parametrize("warm", [1.0, 0.5])
def test_every_cell_has_the_latents_of_all_and_its_own_labels(warm: float, tmp_path: Path) -> None:
    model = test_ali.conditional()
    found, frames = analysed(tmp_path / "a.h5", settings(), model, warm)
    z_1Z = warm * Draws.first(0, [0]).normal("label_grid prior", (0,), (3,))
    labels = {
        "digit": torch.tensor([1, 0, 2, 1, 0, 2]), "slanted": torch.tensor([0, 0, 0, 1, 1, 0])
    }  # fmt: skip
    wanted = model.pictures(z_1Z.expand(6, -1), labels).unflatten(0, (2, 3))
    assert torch.equal(frames, wanted)
    away = (wanted[:, 1:].double() - wanted[:, :1].double()).abs().mean() / 255
    assert found.values["changed"]["mean"] == pytest.approx(away.item()) and away > 0.01


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": {"digit": "one"}}, "base says nothing of slanted, which ALI is told"),
        ({"rows": ({"digit": "nine"},)}, "'nine' is no digit. There are: zero, one, two"),
        ({"columns": ({}, {"colour": "red"})}, "colour is no label of the data"),
    ],
)
def test_labels_that_are_not_the_models_are_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        analysed(tmp_path / "a.h5", settings(**changes), test_ali.conditional())


def test_a_model_that_is_told_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ALI is told no labels"):
        analysed(tmp_path / "a.h5", settings(), test_ali.model())


def test_the_whole_grid_is_shown() -> None:
    with pytest.raises(ValueError, match="show is 2, but the whole grid is shown"):
        settings(show=2)
