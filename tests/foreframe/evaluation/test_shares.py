"""Batches dealt out to shares: each to one, in order, and to all of them alike."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from foreframe.config import reading
from foreframe.errors import UserError
from foreframe.evaluation.shares import Share, Shares, batches

COUNTS = some.integers(1, 200)


@given(clips=COUNTS, size=some.integers(1, 70), count=some.integers(1, 40))
def test_each_batch_goes_whole_to_the_share_that_its_number_says(
    clips: int, size: int, count: int
) -> None:
    whole = list(batches(clips, size))
    assert [place for rows in whole for place in range(clips)[rows]] == list(range(clips))
    own = [Share(number, count).rows(clips, size) for number in range(count)]
    for number, rows in enumerate(whole):
        mine = own[number * count // len(whole)]
        assert mine.start <= rows.start and rows.stop <= mine.stop
    assert [rows.start for rows in own[1:]] == [rows.stop for rows in own[:-1]]
    assert (own[0].start, own[-1].stop) == (0, clips)


@given(clips=COUNTS, count=some.integers(1, 40))
def test_no_share_has_two_batches_more_than_another(clips: int, count: int) -> None:
    own = [Share(number, count).rows(clips, 1) for number in range(count)]
    borders = [0, *(rows.stop for rows in own)]
    found = [after - before for before, after in pairwise(borders)]
    assert max(found) - min(found) <= 1


def test_a_share_is_known_by_its_name(tmp_path: Path) -> None:
    assert Share.of(tmp_path / "b.h5", ("a", "b", "c")) == Share(1, 3)
    with pytest.raises(UserError, match=r"d\.h5 would be the share d, but there are a, b"):
        Share.of(tmp_path / "d.h5", ("a", "b"))


@pytest.mark.parametrize(
    ("names", "words"), [([], "shares"), (["a", "b", "a"], "a twice. Remove one")]
)
def test_names_of_shares_are_some_and_differ(names: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        reading.validate(Shares, names, "shares.yaml: shares")
