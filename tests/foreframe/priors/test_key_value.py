"""Laws of kept keys and values: the codes, logits, memory and operations that were promised."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe.config.sampling import Choice
from foreframe.priors import AutoregressivePrior, Grid, sampling
from foreframe.priors.engines import Engine, key_value
from foreframe.priors.engines.key_value import KeyValue
from foreframe.priors.engines.naive import Naive
from foreframe.randomness import Draws
from tests.foreframe.priors import tiny, transformers
from tests.foreframe.priors.test_engines import allocated, largest_error

SOME = settings(max_examples=20, deadline=None)
CHOICES = {
    "argmax": Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0),
    "sample": Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0),
    "narrow": Choice(mode="sample", temperature=0.8, top_k=5, top_p=0.9),
}


def drawn(
    prior: AutoregressivePrior,
    choice: str,
    engine: type[Engine],
    given_frames: int = 1,
    batch: int = 2,
) -> Tensor:
    given = tiny.given(prior, batch)
    codes = tiny.codes(prior, batch)[:, :given_frames]
    draws = Draws.first(2, range(batch))
    return sampling.sample(prior, codes, given, CHOICES[choice], draws, 0, engine)


@SOME
@generated(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(1, 3),
    heads=st.sampled_from([1, 2, 4]),
    ratio=st.integers(1, 4),
    batch=st.integers(1, 3),
    data=st.data(),
)
def test_logits_are_those_of_a_forward_pass(
    grid: Grid, layers: int, heads: int, ratio: int, batch: int, data: st.DataObject
) -> None:
    prior = transformers.prior(grid, layers=layers, heads=heads, mlp_ratio=ratio)
    start = data.draw(st.integers(0, math.prod(grid)))
    assert largest_error(prior, KeyValue, batch, start) < sampling.ERROR


@pytest.mark.parametrize("start", [0, 5, 8, 32])
def test_logits_with_conditions_are_those_of_a_forward_pass(start: int) -> None:
    assert largest_error(transformers.driven(), KeyValue, 2, start) < sampling.ERROR


@pytest.mark.parametrize("stretch", [1, 3, 10**6])
def test_given_codes_may_be_read_in_stretches_of_any_length(
    stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyValue, "_stretch", lambda self: stretch)
    assert largest_error(transformers.driven(), KeyValue, 2, 17) < sampling.ERROR


def test_stretches_hold_no_more_scores_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = transformers.prior((2, 3, 4), heads=4)
    codes = torch.zeros(5, 25, dtype=torch.int64)
    lengths: list[int] = []
    plain = key_value.Kept.look

    def noted(kept: key_value.Kept, step: Any, later: Tensor, *parts: Tensor) -> Tensor:
        lengths.append(len(step.positions))
        return plain(kept, step, later, *parts)

    monkeypatch.setattr(key_value.Kept, "look", noted)
    monkeypatch.setattr(key_value, "SCORED", 4 * 5 * 4 * 24 * 7)  # float32, clips, heads, keys
    KeyValue(prior, codes, 24, None)
    assert lengths[::2] == lengths[1::2] == [7, 7, 7, 3]


@SOME
@generated(
    driven=st.booleans(),
    given_frames=st.integers(0, 3),
    batch=st.integers(1, 3),
    choice=st.sampled_from(list(CHOICES)),
    budget=st.sampled_from([1, 20_000, 2**32]),
    error=st.sampled_from([sampling.ERROR, 0.2]),
)
def test_codes_are_those_of_the_naive_engine(
    driven: bool, given_frames: int, batch: int, choice: str, budget: int, error: float
) -> None:
    prior = transformers.driven() if driven else transformers.prior((4, 2, 3))
    expected = drawn(prior, choice, Naive, given_frames, batch)
    with pytest.MonkeyPatch.context() as patch:
        # As if there were less memory; and with codes decided again in float64.
        patch.setattr(sampling, "BUDGET", budget)
        patch.setattr(sampling, "ERROR", error)
        assert torch.equal(drawn(prior, choice, KeyValue, given_frames, batch), expected)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_shortened_prior_samples_the_first_codes_of_the_whole_one(choice: str) -> None:
    prior = transformers.driven()
    given, draws = tiny.given(prior, 2), Draws.first(2, range(2))
    codes = tiny.codes(prior, 2)[:, :1]
    whole = sampling.sample(prior, codes, given, CHOICES[choice], draws, 0, Naive)
    for frames in (2, 3, 4):
        short = prior.shortened(frames)
        for engine in (Naive, KeyValue):
            found = sampling.sample(short, codes, given, CHOICES[choice], draws, 0, engine)
            assert torch.equal(found, whole[:, :frames])


@pytest.mark.parametrize("choice", CHOICES)
def test_steps_that_could_be_recorded_give_the_same_codes(
    choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = transformers.driven()
    expected = drawn(prior, choice, Naive)
    monkeypatch.setattr(KeyValue, "replayable", True)
    assert torch.equal(drawn(prior, choice, KeyValue), expected)


def test_it_serves_transformers_alone() -> None:
    assert KeyValue.serves(transformers.prior())
    assert not KeyValue.serves(tiny.top())


@pytest.mark.parametrize("changes", [{}, {"layers": 3}, {"heads": 4}, {"mlp_ratio": 4}])
def test_a_further_clip_takes_the_bytes_that_were_predicted(changes: dict[str, Any]) -> None:
    prior = transformers.prior(**changes)
    further = allocated(prior, KeyValue, 5) - allocated(prior, KeyValue, 2)
    assert further == 3 * KeyValue.bytes_per_clip(prior)


@pytest.mark.parametrize("start", [0, 5, 11])
def test_the_count_of_operations_is_that_of_torch(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior, batch = transformers.prior(layers=3, mlp_ratio=3), 2
    # One by one, given codes are read without looking at keys that turn out to be later ones.
    monkeypatch.setattr(KeyValue, "_stretch", lambda self: 1)
    codes = torch.zeros(batch, 13, dtype=torch.int64)
    with torch.inference_mode(), FlopCounterMode(display=False) as reading:
        engine = KeyValue(prior, codes, start, None)
    with torch.inference_mode(), FlopCounterMode(display=False) as steps:
        for step in engine.schedule():
            engine.logits(step)
    assert reading.get_total_flops() == batch * key_value.positions(prior, 0, start)
    sampled = key_value.positions(prior, start, 12) + (12 - start) * key_value.head(prior)
    assert steps.get_total_flops() == batch * sampled
