"""A level that the decoder ignores, or that has one code, is dead; the others are not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.questions import dead_levels
from foreframe.questions.dead_levels import partners
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

ASKED: dict[str, Any] = {"show": 0, "perplexity": 1.5, "share": 0.01}
CLIPS = hand_made.blocks(generator(0, "grey").integers(0, 256, (12, 8, 8)))


@pytest.mark.parametrize(
    ("top", "bottom", "dead"),
    [(0.0, 1.0, ["top"]), (1.0, 0.0, ["bottom"]), (0.5, 0.5, []), (0.0, 0.0, ["top", "bottom"])],
)
def test_a_level_that_the_decoder_ignores_is_dead(
    top: float, bottom: float, dead: list[str], tmp_path: Path
) -> None:
    answer, _ = hand_made.asked(
        tmp_path / "a.h5", dead_levels, ASKED, hand_made.model(top, bottom), CLIPS
    )
    assert answer.values["dead"] == dead
    for level in ("top", "bottom"):
        found = answer.values[level]
        assert found["dead"] == (level in dead)
        assert found["perplexity"] > 10
        if level in dead:
            assert found["change"]["mean"] == found["share"] == found["psnr_lost"]["mean"] == 0


def test_a_level_that_carries_all_changes_all(tmp_path: Path) -> None:
    answer, _ = hand_made.asked(tmp_path / "a.h5", dead_levels, ASKED, hand_made.model(), CLIPS)
    assert answer.values["bottom"]["share"] == pytest.approx(1)
    assert answer.values["bottom"]["change"] == answer.values["change"]
    # Of independent grey levels: twice their variance; their own decodes are exact.
    assert answer.values["change"]["mean"] == pytest.approx(2 / 12, rel=0.1)
    assert answer.values["bottom"]["psnr_lost"]["mean"] > 90


def test_where_decodes_hardly_differ_no_level_is_alive(tmp_path: Path) -> None:
    answer, _ = hand_made.asked(
        tmp_path / "a.h5", dead_levels, ASKED, hand_made.model(0.0, 0.05, off=0.5), CLIPS
    )
    # All of the little that changes is the bottom's.
    assert answer.values["bottom"]["change"]["mean"] == answer.values["change"]["mean"] > 0
    assert answer.values["bottom"]["share"] == pytest.approx(0.05**2, rel=0.1)
    assert answer.values["dead"] == ["top", "bottom"]


def test_a_level_of_one_code_is_dead_though_it_is_decoded(tmp_path: Path) -> None:
    model = hand_made.model(0.5, 0.5)
    model.codebook("top").fill_(0.5)
    answer, _ = hand_made.asked(tmp_path / "a.h5", dead_levels, ASKED, model, CLIPS)
    assert answer.values["top"]["perplexity"] == pytest.approx(1)
    assert answer.values["dead"] == ["top"]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_partners_are_others_and_each_is_one(count: int) -> None:
    found = partners(count, generator(0, "partners"))
    assert sorted(found.tolist()) == list(range(count))
    assert (found != torch.arange(count)).all()


def test_one_clip_has_no_partner(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^there is 1 test clip, and codes are .*: [^.]*\.$"):
        hand_made.asked(tmp_path / "a.h5", dead_levels, ASKED, hand_made.model(), CLIPS[:1])
