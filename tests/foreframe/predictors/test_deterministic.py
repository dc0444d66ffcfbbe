"""Predictors that draw nothing: what they are given, and their loss."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from foreframe.config.sampling import Options
from foreframe.networks.noise import Noise
from foreframe.predictors.deterministic import Deterministic, DeterministicSettings
from foreframe.predictors.recurrent import Terms
from tests.foreframe.predictors import moving


class Settings(DeterministicSettings):
    kind: Literal["copying"]


class Copying(Deterministic[Tensor]):
    """The last frame again; the error is the mean absolute one."""

    def encode(self, x_NCtHW: Tensor) -> Tensor:
        return x_NCtHW[:, :, -1]

    def start(self, seen: Tensor, options: Options, noise: Noise) -> Tensor:
        return seen

    def advance(
        self, state: Tensor, time: int, options: Options, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        return state, state

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        return Terms(x_BCTHW.diff(dim=2).abs().mean(dim=(1, 3, 4))[:, given - 1 :])


def settings(**changes: Any) -> Settings:
    return Settings(**moving.common("copying", **changes))


def test_the_loss_is_the_errors_of_a_clip_added_up() -> None:
    model = Copying()
    model.settings = settings()
    x_BCTHW = torch.tensor([[0.0, 0.1, 0.5], [0.0, 0.3, 0.3]])[:, None, :, None, None]
    found = model.loss({"x": x_BCTHW}, moving.moment())
    assert found["loss"].item() == pytest.approx((0.5 + 0.3) / 2)
    assert found["error"].item() == pytest.approx((0.5 + 0.3) / 4)


@pytest.mark.parametrize("name", ["kl_weight", "free_bits"])
def test_a_weight_of_latents_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        settings(**{name: 0.0})


@pytest.mark.parametrize("changes", [{"scaling": "symmetric"}, {"dequantise": True}, {"frames": 1}])
def test_a_view_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"view.{next(iter(changes))} is"):
        settings(view=moving.view(**changes))
