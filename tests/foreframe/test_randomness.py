"""Random numbers are a pure function of seed and position."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foreframe import randomness
from foreframe.randomness import Draws, generator, key, numpy_generator, permutation

POSITION = st.lists(st.one_of(st.integers(0, 1000), st.text(max_size=5)), max_size=4)


@given(st.integers(0, 2**63 - 1), POSITION)
def test_the_same_position_gives_the_same_numbers(seed: int, position: list[int | str]) -> None:
    first = generator(seed, *position).uniform((4,))
    assert torch.equal(first, generator(seed, *position).uniform((4,)))


@given(st.integers(0, 100), POSITION, POSITION)
def test_different_positions_have_different_keys(
    seed: int, one: list[int | str], other: list[int | str]
) -> None:
    assert (key(seed, *one) == key(seed, *other)) == (one == other)


def test_positions_that_join_to_the_same_text_differ() -> None:
    assert key(0, "ab", "c") != key(0, "a", "bc")
    assert key(0, 1) != key(0, "1")


@pytest.mark.parametrize("bit", [0, 31, 32, 63, 64, 127])
def test_every_bit_of_the_key_reaches_the_stream(bit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's CPU generator keeps 32 bits of a seed: streams, not keys, must differ."""
    first = generator(0, "step", 7).uniform((8,))
    plain = key(0, "step", 7)
    monkeypatch.setattr(randomness, "key", lambda *_: plain ^ 1 << bit)
    assert not (first == generator(0, "step", 7).uniform((8,))).any()


def test_no_two_of_many_positions_share_their_stream() -> None:
    """Of 2^17 streams told apart by 32 bits two would be alike with a chance of 86 %."""
    found = {
        numpy_generator(0, "sample", "bottom", clip).bit_generator.random_raw()
        for clip in range(2**17)
    }
    assert len(found) == 2**17


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_lie_in_their_ranges(dtype: torch.dtype) -> None:
    numbers = generator(0, "ranges")
    uniform = numbers.uniform((100_000,), -2, 3, dtype)
    assert uniform.dtype == dtype
    assert -2 <= uniform.min() < -1.99 and 2.99 < uniform.max() <= 3
    assert uniform.double().mean().item() == pytest.approx(0.5, abs=0.02)
    integers = numbers.integers(2, 6, (1000,))
    assert sorted(set(integers.tolist())) == [2, 3, 4, 5]


def test_the_key_does_not_depend_on_the_process() -> None:
    code = "from foreframe.randomness import key; print(key(7, 'step', 3))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "123"},
    )
    assert int(run.stdout) == key(7, "step", 3)


def test_global_state_is_neither_read_nor_changed() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = generator(0, "a").uniform((3,))
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, generator(0, "a").uniform((3,)))


@given(st.integers(0, 50), st.integers(0, 10))
def test_a_permutation_holds_every_index_once(count: int, epoch: int) -> None:
    order = permutation(count, 0, "order", epoch)
    assert sorted(order.tolist()) == list(range(count))


def test_numpy_and_position() -> None:
    first = numpy_generator(0, "episode", 1).random(3)
    assert (first == numpy_generator(0, "episode", 1).random(3)).all()
    assert (first != numpy_generator(0, "episode", 2).random(3)).all()


# ---- draws of futures


def test_draws_belong_to_a_future_whatever_is_asked_for_beside_it() -> None:
    many = Draws.each(1, [7, 9], range(3))
    assert (many.clips, many.futures) == ([7, 7, 7, 9, 9, 9], [0, 1, 2, 0, 1, 2])
    for draw in (Draws.gumbel, Draws.normal):
        whole = draw(many, "top", (0, 4), (2, 3))
        assert whole.shape == (6, 2, 3) and whole.dtype == torch.float32
        assert torch.equal(draw(many.of([4, 1]), "top", (0, 4), (2, 3)), whole[[4, 1]])
        assert torch.equal(draw(Draws.first(1, [9]), "top", (0, 4), (2, 3)), whole[3:4])


@pytest.mark.parametrize("draw", [Draws.gumbel, Draws.normal])
def test_draws_differ_by_seed_clip_future_purpose_and_step(draw: Callable[..., Tensor]) -> None:
    places: list[tuple[int, int, int, str, tuple[int, ...]]] = [
        (0, 0, 0, "top", (0, 0)),
        (1, 0, 0, "top", (0, 0)),
        (0, 1, 0, "top", (0, 0)),
        (0, 0, 1, "top", (0, 0)),
        (0, 0, 0, "bottom", (0, 0)),
        (0, 0, 0, "top", (1, 0)),
        (0, 0, 0, "top", (0, 1)),
    ]
    found = {
        tuple(draw(Draws(seed, [clip], [future]), purpose, step, (8,)).flatten().tolist())
        for seed, clip, future, purpose, step in places
    }
    assert len(found) == len(places)


def test_the_noise_of_a_future_has_the_number_of_its_clip_and_future() -> None:
    """As it always had, so that futures stay the same: future f of clip c is c + f 2**32."""
    found = Draws(3, [5], [2]).gumbel("bottom", (1, 6), (2, 3, 4))
    numbers = generator(3, "sample", "bottom", 5 + 2 * 2**32, 1, 6)
    uniform = numbers.uniform((2, 3, 4), dtype=torch.float64)
    assert torch.equal(found[0], -torch.log(-torch.log(uniform)).float())


def test_drawn_numbers_are_of_their_distributions() -> None:
    """Gumbel: mean 0.5772, variance pi^2 / 6; normal: 0 and 1."""
    draws = Draws.first(0, [0])
    gumbel, normal = (draw("x", (0,), (100_000,)) for draw in (draws.gumbel, draws.normal))
    assert gumbel.mean().item() == pytest.approx(0.5772, abs=0.02)
    assert gumbel.var().item() == pytest.approx(1.6449, abs=0.03)
    assert normal.mean().item() == pytest.approx(0, abs=0.02)
    assert normal.var().item() == pytest.approx(1, abs=0.02)
