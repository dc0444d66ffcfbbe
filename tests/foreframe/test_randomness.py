"""Random numbers are a pure function of seed and position."""

import subprocess
import sys

import torch
from hypothesis import given
from hypothesis import strategies as st

from foreframe.randomness import generator, key, numpy_generator, permutation

POSITION = st.lists(st.one_of(st.integers(0, 1000), st.text(max_size=5)), max_size=4)


@given(st.integers(0, 2**63 - 1), POSITION)
def test_the_same_position_gives_the_same_numbers(seed: int, position: list[int | str]) -> None:
    first = torch.rand(4, generator=generator(seed, *position))
    assert torch.equal(first, torch.rand(4, generator=generator(seed, *position)))


@given(st.integers(0, 100), POSITION, POSITION)
def test_different_positions_have_different_keys(
    seed: int, one: list[int | str], other: list[int | str]
) -> None:
    assert (key(seed, *one) == key(seed, *other)) == (one == other)


def test_positions_that_join_to_the_same_text_differ() -> None:
    assert key(0, "ab", "c") != key(0, "a", "bc")
    assert key(0, 1) != key(0, "1")


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
    first = torch.rand(3, generator=generator(0, "a"))
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, torch.rand(3, generator=generator(0, "a")))


@given(st.integers(0, 50), st.integers(0, 10))
def test_a_permutation_holds_every_index_once(count: int, epoch: int) -> None:
    order = permutation(count, 0, "order", epoch)
    assert sorted(order.tolist()) == list(range(count))


def test_numpy_and_position() -> None:
    first = numpy_generator(0, "episode", 1).random(3)
    assert (first == numpy_generator(0, "episode", 1).random(3)).all()
    assert (first != numpy_generator(0, "episode", 2).random(3)).all()
