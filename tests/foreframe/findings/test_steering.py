"""Laws of steering: which actions are held, whose are taken, and when a future follows."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from foreframe.config.steering import Steering
from foreframe.findings import steering
from foreframe.findings.steering import HELD, REAL, RECONSTRUCTION, RECORDED, SHUFFLED

SETTINGS: dict[str, Any] = {
    "clips": 4, "channel": "steer", "left": 0.0, "straight": 0.5, "right": 1.0, "show": 1,
    "choice": {"mode": "argmax", "temperature": 1.0, "top_k": 0, "top_p": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 17])
def test_every_clip_gets_the_actions_of_one_other(count: int) -> None:
    found = steering.others(count, 1)
    assert sorted(found.tolist()) == list(range(count))
    assert all(other != own for own, other in enumerate(found.tolist()))


def test_the_steering_is_held_at_quantiles_and_the_rest_at_the_mean() -> None:
    training = torch.tensor([[-3.0, 1.0], [0.0, 2.0], [9.0, 6.0]], dtype=torch.float64)
    found = steering.held(training, Steering.model_validate(SETTINGS), 0)
    assert {name: action.tolist() for name, action in found.items()} == {
        "left": [-3, 3], "straight": [0, 3], "right": [9, 3],
    }  # fmt: skip


def test_what_led_to_the_context_is_as_recorded() -> None:
    recorded = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    constant = {name: torch.full((2,), float(place)) for place, name in enumerate(HELD)}
    found = steering.sequences(recorded, constant, 5, 7)
    assert tuple(found) == steering.SEQUENCES
    for led in found.values():
        assert torch.equal(led[:, :5], recorded[:, :5])
    for place, name in enumerate(HELD):
        assert (found[name][:, 5:] == place).all()
    assert torch.equal(found[RECORDED], recorded)
    assert torch.equal(found[SHUFFLED][:, 5:], recorded[steering.others(3, 7), 5:])


def test_a_future_follows_where_the_order_is_right() -> None:
    count = 10
    number = torch.arange(count, dtype=torch.float64)
    values = dict.fromkeys((REAL, RECONSTRUCTION, RECORDED, SHUFFLED), number)
    values |= {"left": -1 - 0 * number, "straight": 0 * number, "right": 1 + 0 * number}
    values["right"][:3] = -0.5  # right of left, but not of straight
    values["right"][3:5] = -2
    steered = {RECORDED: number, SHUFFLED: -number}
    found = steering.compare(values, steered, 0, "turn")
    assert found["follows"]["mean"] == 0.5
    assert found["right_of_left"]["mean"] == pytest.approx(0.8)
    assert found["right_less_left"]["mean"] == pytest.approx((5 * 2 + 3 * 0.5 - 2 * 1) / 10)
    assert found["correlation"]["real"] == pytest.approx(1)
    assert found["correlation"]["shuffled"] == pytest.approx(-1)
    assert found["correlation"]["shuffled_with_recorded"] == pytest.approx(1)
    flat = steering.compare(values | {REAL: 0 * number}, steered, 0, "turn")
    assert flat["correlation"]["real"] is None


def test_quantiles_must_rise() -> None:
    with pytest.raises(ValidationError, match="quantiles must rise"):
        Steering.model_validate(SETTINGS | {"straight": 1.0})
