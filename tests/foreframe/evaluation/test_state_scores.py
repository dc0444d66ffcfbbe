"""Errors in the simulator's states: those of the probe's readings, clip by clip."""

import pytest
import torch

from foreframe.evaluation.state_probe import EMPTY, FILTERS, GRID, StateProbe
from foreframe.evaluation.state_scores import StateScores


def constant(*values: float) -> StateProbe:
    """Return a probe that reads the same states off any frame."""
    names = tuple(f"state_{place}" for place in range(len(values)))
    weight = torch.zeros(FILTERS * GRID**2, len(values), dtype=torch.float64)
    return StateProbe(names, weight, torch.tensor(values, dtype=torch.float64))


def frames(clips: int, count: int) -> torch.Tensor:
    return torch.zeros(clips, count, 16, 16, 3, dtype=torch.uint8)


def test_the_error_is_the_root_of_the_mean_square_over_clips_and_frames() -> None:
    scores = StateScores(constant(1.0, 0.0))
    true = torch.randn(9, 3, 2, generator=torch.Generator().manual_seed(0))
    for rows in (slice(0, 4), slice(4, 9)):
        count = len(true[rows])
        scores.update("flat", frames(count, 3), frames(count, 1), true[rows])
    found = scores.result()["flat"]
    squares = (true.double() - torch.tensor([1.0, 0.0])).square().mean(dim=(0, 1))
    for name, square in zip(("state_0", "state_1"), squares.tolist(), strict=True):
        assert found[name]["mean"] == pytest.approx(square**0.5)
        assert found[name]["low"] < found[name]["mean"] < found[name]["high"]


def test_a_source_that_knows_nothing_has_no_scores() -> None:
    scores = StateScores(EMPTY)
    scores.update("flat", frames(1, 3), frames(1, 1), torch.zeros(1, 3, 0))
    assert scores.result() == {}
