"""Pictures of indices: grey levels of codes that are grey levels, and how rough they are."""

from pathlib import Path

import pytest
import torch

from foreframe.questions import index_pictures
from foreframe.questions.index_pictures import spread
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

NOISE_NHW = generator(0, "grey").integers(0, 256, (12, 8, 8))


def test_codes_of_grey_levels_are_the_picture(tmp_path: Path) -> None:
    clips = hand_made.blocks(NOISE_NHW)
    answer, arrays = hand_made.asked(
        tmp_path / "a.h5", index_pictures, {"show": 10}, hand_made.model(), clips
    )
    assert torch.equal(arrays["real"], clips[:10])
    assert torch.equal(arrays["bottom"][:, 0], NOISE_NHW[:10].to(torch.uint8))
    assert arrays["top"].shape == (10, 1, 4, 4) and arrays["top"].dtype == torch.uint8
    found = answer.values["bottom"]
    # Of independent uniform levels: a third, with or without a place between them.
    assert found["roughness"]["mean"] == pytest.approx(1 / 3, rel=0.1)
    assert found["spread"]["mean"] == pytest.approx(1 / 3, rel=0.1)


def test_a_smooth_map_is_less_rough_than_its_spread_unless_its_codes_are_mixed(
    tmp_path: Path,
) -> None:
    ramp = (torch.arange(8) * 30).expand(10, 8, 8)
    order = generator(0, "order").permutation(hand_made.LEVELS)
    found = [
        hand_made.asked(
            tmp_path / "a.h5", index_pictures, {"show": 0}, network, hand_made.blocks(ramp)
        )[0].values["bottom"]
        for network in (hand_made.model(), hand_made.model(order=order))
    ]
    assert found[0]["roughness"]["mean"] == pytest.approx(30 / 255)
    assert found[0]["roughness"]["mean"] < 0.5 * found[0]["spread"]["mean"]
    assert found[1]["roughness"]["mean"] > 0.7 * found[1]["spread"]["mean"]


def test_the_spread_is_over_all_pairs_of_places() -> None:
    values = generator(0, "values").uniform((3, 1, 2, 4)).double()
    flat = values.flatten(1)
    pairs = (flat[:, :, None] - flat[:, None, :]).abs().sum(dim=(1, 2)) / (8 * 7)
    torch.testing.assert_close(spread(values), pairs)
    assert spread(values[..., :1, :1]).tolist() == [0, 0, 0]
