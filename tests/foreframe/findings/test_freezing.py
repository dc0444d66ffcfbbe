"""Laws of static and faded rollouts."""

import pytest
import torch

from foreframe.evaluation import columns
from foreframe.findings import freezing
from tests.foreframe.findings.clips import moving

REAL = moving(4, 6)
STILL = REAL[:, :1].expand_as(REAL)
GREY = (REAL.double() * 0.5 + 64).round().to(torch.uint8)


def summary(predicted: torch.Tensor, real: torch.Tensor = REAL) -> dict[str, object]:
    values = freezing.measure(real, real, predicted)
    return freezing.summarize(values, static_below=0.25, faded_below=0.75)


def shares(found: dict[str, object]) -> dict[str, float]:
    kinds = ("static", "faded", "blurred", "none")
    return {kind: found[kind]["mean"] for kind in kinds}  # type: ignore[index]


def test_a_repeated_frame_has_no_motion_and_all_its_contrast() -> None:
    values = freezing.measure(REAL, REAL, STILL)
    assert values["motion"].abs().max() == 0
    torch.testing.assert_close(values["contrast"][:, 0], values["contrast_true"][:, 0])
    assert shares(summary(STILL)) == {"static": 1, "faded": 0, "blurred": 0, "none": 0}


def test_the_truth_is_none_of_them() -> None:
    assert shares(summary(REAL)) == {"static": 0, "faded": 0, "blurred": 0, "none": 1}
    values = freezing.measure(REAL, REAL, REAL)
    for quantity in freezing.QUANTITIES:
        assert freezing.late(values, quantity).tolist() == [1.0] * 4


def test_half_the_contrast_is_faded() -> None:
    values = freezing.measure(REAL, REAL, GREY)
    assert freezing.late(values, "contrast").tolist() == pytest.approx([0.5] * 4, abs=0.01)
    # Energy is a square.
    assert freezing.late(values, "motion").tolist() == pytest.approx([0.25] * 4, abs=0.01)
    assert shares(summary(GREY))["faded"] == 1


def test_only_the_second_half_counts() -> None:
    late = torch.cat([REAL[:, :1].expand(-1, 2, -1, -1, -1), REAL[:, 2:]], dim=1)
    early = torch.cat([REAL[:, :2], REAL[:, 2:3].expand(-1, 4, -1, -1, -1)], dim=1)
    assert shares(summary(late))["static"] == 0
    assert shares(summary(early))["static"] == 1


def test_clips_that_rest_in_truth_are_not_judged() -> None:
    mixed = torch.cat([REAL[:1], STILL[1:]])
    found = summary(STILL, mixed)
    assert found["moving"] == 1 and found["clips"] == 4
    assert shares(found)["static"] == 1
    assert summary(STILL, STILL) == {"clips": 4, "moving": 0}


def test_examples_are_the_extremes_and_differ() -> None:
    predicted = torch.cat([REAL[:1], STILL[1:2], GREY[2:3], REAL[3:]])
    values = freezing.measure(REAL, REAL, predicted)
    quality = torch.tensor([1.0, 9.0, 9.0, 2.0])
    found = freezing.examples(values, quality)
    assert [(kind, each.place) for kind, each in found.items()] == [
        ("good", 3),
        ("faded", 2),
        ("static", 1),
    ]
    assert [each.rule for each in found.values()] == [
        "is predicted best of those that keep half of the true motion and contrast",
        "keeps the smallest share of the true contrast of those not shown yet",
        "keeps the smallest share of the true motion of those not shown yet",
    ]  # fmt: skip


def test_a_rule_that_no_clip_follows_is_not_claimed() -> None:
    found = freezing.examples(freezing.measure(REAL, REAL, STILL), torch.arange(4.0))
    assert found["good"].place == 3
    assert found["good"].rule == (
        "is predicted best, though none keeps half of the true motion and contrast"
    )
    at_rest = freezing.examples(freezing.measure(STILL, REAL, REAL), torch.zeros(4))
    assert at_rest["static"].rule == "comes next, as no true motion is there to be kept"


def test_two_clips_make_three_examples() -> None:
    values = freezing.measure(REAL[:2], REAL[:2], REAL[:2])
    found = freezing.examples(values, torch.zeros(2))
    assert {each.place for each in found.values()} == {0, 1}
    assert found["static"].rule == "is shown again, as there are no others"


def test_a_row_for_each_frame() -> None:
    values = freezing.measure(REAL, REAL, STILL)
    rows = columns.rows(values["motion"], quantity="motion")
    assert [row["frame"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row["mean"] for row in rows} == {0.0} and rows[0]["quantity"] == "motion"
