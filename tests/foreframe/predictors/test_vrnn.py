"""What is particular to the convolutional VRNN."""

from typing import Any

import pytest
import torch

from foreframe.predictors import vrnn
from foreframe.predictors.learned import ROLE
from tests.foreframe.predictors.sequential import (
    SMALL,
    THESIS,
    Same,
    clips,
    given,
    ready,
    view,
)


def settings(base: dict[str, Any] = SMALL, **changes: Any) -> vrnn.Settings:
    known = base | {"kind": "vrnn"} | changes
    return vrnn.Settings(**({"view": view(known["output"])} | known))


@pytest.mark.parametrize(
    ("colours", "latent_dim", "weights"), [("grey", 15, 89_657_897), ("colour", 25, 89_771_489)]
)
def test_the_network_of_the_thesis_has_its_weights(
    colours: str, latent_dim: int, weights: int
) -> None:
    chosen = settings(THESIS, view=view(THESIS["output"], channels=colours), latent_dim=latent_dim)
    with torch.device("meta"):
        model = ROLE.build(chosen, given(chosen, 64, 64))
    assert model.trainable() == weights


@torch.no_grad()
def test_a_latent_reaches_later_priors_through_the_state_alone() -> None:
    model = ready(settings())
    x_BCTHW = clips(model)

    class Other(Same):
        def normal(self, purpose: str, time: int, shape: Any) -> Any:
            found = super().normal(purpose, time, shape)
            return found + 1 if (purpose, time) == ("posterior", 2) else found

    plain, moved = (model.terms(x_BCTHW, 1, noise) for noise in (Same(3), Other(3)))
    same = (plain.kl["z"] - moved.kl["z"]).abs() < 1e-6
    assert same.tolist() == [[True, True, False, False]] * 3
    # Without its part of the recurrence no later frame knows of it.
    model.recurrence.gates.weight[:, SMALL["features"][-1] :][:, : SMALL["latent_features"]] = 0
    plain, moved = (model.terms(x_BCTHW, 1, noise) for noise in (Same(3), Other(3)))
    assert torch.equal(plain.kl["z"], moved.kl["z"])
    assert torch.equal(plain.nll[:, 2:], moved.nll[:, 2:])
    assert not torch.equal(plain.nll[:, 1], moved.nll[:, 1])
