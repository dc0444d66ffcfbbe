"""Step sizes, weight decay and clipping."""

from typing import Any

import pytest
import torch
from torch import nn

from foreframe.training import optimization
from tests.foreframe.training.runs import training


def test_constant_after_a_linear_warm_up() -> None:
    settings = training(schedule="constant", warmup_steps=4, learning_rate=0.4)
    rates = [optimization.learning_rate(settings, step, 10) for step in range(10)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, *[0.4] * 7])


def test_cosine_falls_from_the_full_step_to_nearly_none() -> None:
    settings = training(schedule="cosine", warmup_steps=2, learning_rate=1.0)
    rates = [optimization.learning_rate(settings, step, 102) for step in range(102)]
    assert rates[2] == 1.0
    assert rates[52] == pytest.approx(0.5)
    assert rates[101] == pytest.approx(0.0, abs=1e-3)
    assert rates[2:] == sorted(rates[2:], reverse=True)


@pytest.mark.parametrize(("clip", "length"), [(None, 5.0), (10.0, 5.0), (0.5, 0.5)])
def test_clip_is_on_the_norm_over_all_weights(clip: float | None, length: float) -> None:
    model = nn.ParameterList([nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    norm = optimization.step(optimizer, 3 * model[0].sum() + 4 * model[1].sum(), 1.0, clip)
    assert norm.item() == 5.0
    moved = torch.cat([parameter.detach() for parameter in model])
    torch.testing.assert_close(moved, -torch.tensor([3.0, 4.0]) * length / 5)


def test_adamw_decays_weights_that_have_no_gradient_to_follow() -> None:
    for name, decay, expected in (("adamw", 0.1, 0.99), ("adam", 0.0, 1.0)):
        model = nn.ParameterList([nn.Parameter(torch.ones(1))])
        settings = training(optimizer=name, weight_decay=decay)
        optimizer = optimization.optimizer(model, settings)
        optimization.step(optimizer, 0 * model[0].sum(), 0.1, None)
        assert model[0].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"optimizer": "adam", "weight_decay": 0.1}, "weight_decay is not used"),
        ({"optimizer": "sgd"}, "adamw"),
        ({"learning_rate": 0.0}, "greater than 0"),
        ({"gradient_clip": 0.0}, "greater than 0"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"epochs": 1.5}, "valid integer"),
        ({"learning_rate": float("nan")}, "greater than 0|finite"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        training(**change)
