"""Laws of the way between two clips: its ends are their own decodes, and overlays are found."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.questions import index_interpolation
from foreframe.questions.index_interpolation import between
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

PAIRS, STEPS = 5, 5
CLIPS = hand_made.blocks(generator(0, "grey").integers(0, 256, (2 * PAIRS, 8, 8)))
ASKED: dict[str, Any] = {"show": 2, "steps": STEPS}


def shuffled() -> Any:
    return hand_made.model(order=generator(0, "order").permutation(hand_made.LEVELS))


@pytest.mark.parametrize("network", [hand_made.model(0.5, 0.5), shuffled()])
def test_the_ends_are_the_clips_own_decodes(network: Any, tmp_path: Path) -> None:
    _, arrays = hand_made.asked(tmp_path / "a.h5", index_interpolation, ASKED, network, CLIPS)
    x = CLIPS[..., 0][:, None].float() / 255
    decoded = (network.reconstruct(x) * 255).round().to(torch.uint8)[:, 0]
    for name in ("indices", "outputs", "blend"):
        assert arrays[name].shape == (2, STEPS, 1, 32, 32, 3)
        ends = arrays[name][:, [0, -1]][..., 0].flatten(0, 1)
        assert torch.equal(ends, decoded[:4])


def test_where_indices_are_grey_levels_what_is_between_is_an_overlay(tmp_path: Path) -> None:
    answer, _ = hand_made.asked(
        tmp_path / "a.h5", index_interpolation, ASKED, hand_made.model(), CLIPS
    )
    values = answer.values
    assert values["pairs"] == PAIRS
    assert values["indices"]["to_blend"]["mean"] < 1 / 255
    assert values["outputs"]["to_blend"]["mean"] < 1 / 255
    assert values["indices"]["to_real"]["mean"] == pytest.approx(
        values["blend"]["to_real"]["mean"], rel=0.01
    )
    assert values["blend"]["apart"]["mean"] > 0.3


def test_without_an_order_indices_lead_elsewhere_and_outputs_do_not(tmp_path: Path) -> None:
    answer, _ = hand_made.asked(tmp_path / "a.h5", index_interpolation, ASKED, shuffled(), CLIPS)
    assert answer.values["indices"]["to_blend"]["mean"] > 0.2
    assert answer.values["outputs"]["to_blend"]["mean"] < 1 / 255


def test_steps_are_even_and_distances_those_to_the_nearest_training_clip(tmp_path: Path) -> None:
    test, train = hand_made.flat(0, 200), hand_made.flat(90, 240, 101)
    answer, arrays = hand_made.asked(
        tmp_path / "a.h5", index_interpolation, ASKED, hand_made.model(), test, train=train
    )
    assert arrays["indices"][0, :, 0, 0, 0, 0].tolist() == [0, 50, 100, 150, 200]
    rows = {
        row["frame"]: row["mean"]
        for row in answer.series
        if (row["predictor"], row["quantity"]) == ("indices", "to_real")
    }
    wanted = {1: 90, 2: 40, 3: 1, 4: 49, 5: 40}
    assert rows == pytest.approx({step: away / 255 for step, away in wanted.items()})
    mean = answer.values["indices"]["to_real"]["mean"]
    assert mean == pytest.approx((40 + 1 + 49) / 3 / 255)


def test_indices_go_evenly_at_every_place() -> None:
    first = {"top": torch.tensor([[[0, 9]]])}
    second = {"top": torch.tensor([[[4, 3]]])}
    found = between(first, second, torch.linspace(0, 1, 3, dtype=torch.float64))
    assert found["top"].tolist() == [[[[0, 9]]], [[[2, 6]]], [[[4, 3]]]]


def test_one_clip_has_nothing_to_go_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^there is 1 test clip, and two are mixed: [^.]*\.$"):
        hand_made.asked(tmp_path / "a.h5", index_interpolation, ASKED, hand_made.model(), CLIPS[:1])
