"""Frames at another rate are the nearest ones, and their actions are those of the time between."""

import itertools
from fractions import Fraction

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from foreframe.sources.reading import resampling

INTERVALS = st.integers(1, 12).map(lambda hundredths: Fraction(hundredths, 100))


@settings(deadline=None)
@given(st.integers(1, 40), INTERVALS, INTERVALS)
def test_the_nearest_frame_is_chosen(length: int, recorded: Fraction, wanted: Fraction) -> None:
    end = (length - 1) * recorded + recorded / 2
    times = itertools.takewhile(
        lambda time: time <= end, (number * wanted for number in itertools.count())
    )
    nearest = [min(range(length), key=lambda k: abs(k * recorded - time)) for time in times]
    assert list(resampling.chosen(length, recorded, wanted)) == nearest


@given(st.integers(1, 40), INTERVALS, INTERVALS)
def test_rows_are_chosen_like_frames(length: int, recorded: Fraction, wanted: Fraction) -> None:
    numbers = numpy.arange(length, dtype=numpy.float32)[:, None]
    rows = zip(range(length), numbers, numbers, strict=True)
    found = list(resampling.resampled(iter(rows), recorded, wanted))
    chosen = list(resampling.chosen(length, recorded, wanted))
    assert [picture for picture, _, _ in found] == chosen
    assert [float(state[0]) for _, _, state in found] == chosen
    for here, after, (_, action, _) in zip(chosen, [*chosen[1:], length], found, strict=True):
        assert float(action[0]) == numbers[here : max(after, here + 1)].mean()


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_sum_of_the_actions_stays(frames: int, factor: int) -> None:
    rng = numpy.random.Generator(numpy.random.Philox(frames))
    actions = rng.standard_normal((frames * factor, 2))
    rows = ((None, action, action) for action in actions)
    # At half the rate and less, a frame is kept at 0, factor, 2 factor, ...
    kept = list(resampling.resampled(rows, Fraction(1), Fraction(factor)))
    starts = numpy.arange(len(kept)) * factor
    weights = numpy.diff([*starts, frames * factor])
    total = sum(weight * action for weight, (_, action, _) in zip(weights, kept, strict=True))
    assert numpy.allclose(total, actions.sum(axis=0))


def test_intervals_are_the_decimal_numbers_that_were_written() -> None:
    assert resampling.seconds(0.1) == Fraction(1, 10)
    assert list(resampling.chosen(5, resampling.seconds(0.1), resampling.seconds(0.3))) == [0, 3]
