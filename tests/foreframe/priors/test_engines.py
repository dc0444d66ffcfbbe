"""Laws of the engines: the logits of a forward pass at every position, and memory as predicted."""

import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn

from foreframe.config.sampling import Choice
from foreframe.priors import AutoregressivePrior, Grid, sampling
from foreframe.priors.engines import Engine
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.randomness import Draws
from tests.foreframe.priors import tiny

SOME = settings(max_examples=25, deadline=None)
TOP_ENGINES = (Naive, Incremental, Rowwise)
BOTTOM_ENGINES = (*TOP_ENGINES, Wavefront)


def largest_error(prior: AutoregressivePrior, kind: type[Engine], batch: int, start: int) -> float:
    """Return how far an engine's logits are from a forward pass's, over the largest logit."""
    codes, condition = tiny.codes(prior, batch), tiny.condition(prior, batch)
    known = torch.cat([codes.flatten(1), torch.full((batch, 1), prior.codebook_size)], dim=1)
    with torch.inference_mode():
        whole = prior.logits(codes, condition).flatten(2).transpose(1, 2)
        engine = kind(prior, known, start, condition)
        errors = [
            (engine.logits(step) - whole[:, step.positions]).abs().max().item()
            for step in engine.schedule()
        ]
    return max(errors, default=0.0) / whole.abs().max().item()


@SOME
@generated(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(1, 2),
    blocks=st.integers(1, 3),
    # More than 128 inputs, so that sums are taken in several parts.
    channels=st.sampled_from([1, 6, 80]),
    batch=st.integers(1, 3),
    kind=st.sampled_from(TOP_ENGINES),
    data=st.data(),
)
def test_logits_of_the_top_are_those_of_a_forward_pass(
    grid: Grid,
    layers: int,
    blocks: int,
    channels: int,
    batch: int,
    kind: type[Engine],
    data: st.DataObject,
) -> None:
    prior = tiny.top(grid, residual_layers=layers, blocks=blocks, channels=channels)
    start = data.draw(st.integers(0, math.prod(grid)))
    assert largest_error(prior, kind, batch, start) < sampling.ERROR


@SOME
@generated(
    half=st.tuples(*[st.integers(1, 2)] * 3),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    layers=st.integers(1, 2),
    batch=st.integers(1, 3),
    conditioning=st.sampled_from(["input", "none"]),
    kind=st.sampled_from(BOTTOM_ENGINES),
    data=st.data(),
)
def test_logits_of_the_bottom_are_those_of_a_forward_pass(
    half: Grid,
    kernel: Grid,
    layers: int,
    batch: int,
    conditioning: str,
    kind: type[Engine],
    data: st.DataObject,
) -> None:
    prior = tiny.bottom(half, kernel=kernel, residual_layers=layers, conditioning=conditioning)
    start = data.draw(st.integers(0, math.prod(prior.grid)))
    assert largest_error(prior, kind, batch, start) < sampling.ERROR


@pytest.mark.parametrize("stretch", [1, 3, 10**6])
@pytest.mark.parametrize("kind", [Incremental, Rowwise])
def test_given_codes_may_be_read_in_stretches_of_any_length(
    kind: type[Engine], stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Incremental, "_stretch", lambda self: stretch)
    assert largest_error(tiny.top((2, 4, 3), channels=16), kind, 2, 17) < sampling.ERROR


def test_a_long_past_is_summed_in_parts() -> None:
    # More than 128 earlier positions.
    prior = tiny.top((2, 9, 9), blocks=1)
    assert largest_error(prior, Rowwise, 1, 81) < sampling.ERROR


@SOME
@generated(
    mode=st.sampled_from(["argmax", "sample"]),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    top_k=st.sampled_from([0, 1, 3]),
    top_p=st.sampled_from([0.5, 0.9, 1.0]),
    given_frames=st.integers(0, 3),
    batch=st.integers(1, 4),
    level=st.sampled_from(["top", "bottom"]),
    budget=st.sampled_from([1, 20_000, 2**32]),
)
def test_every_choice_gives_the_same_codes_with_every_engine_and_budget(
    mode: str,
    temperature: float,
    top_k: int,
    top_p: float,
    given_frames: int,
    batch: int,
    level: str,
    budget: int,
) -> None:
    limits = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    limits = limits if mode == "sample" else {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
    choice = Choice.model_validate({"mode": mode, **limits})
    prior = tiny.top((4, 2, 3)) if level == "top" else tiny.bottom((2, 1, 2))
    arguments = (tiny.codes(prior, batch)[:, :given_frames], tiny.given(prior, batch), choice)
    draws = Draws.first(3, range(batch))
    expected = sampling.sample(prior, *arguments, draws, 0, Naive)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "BUDGET", budget)
        for kind in TOP_ENGINES if level == "top" else BOTTOM_ENGINES:
            assert torch.equal(sampling.sample(prior, *arguments, draws, 0, kind), expected)


def test_the_engine_is_chosen_by_attention() -> None:
    assert sampling.fastest(tiny.top()) is Rowwise
    assert sampling.fastest(tiny.bottom()) is Wavefront


# ---- memory


def floats(thing: Any) -> Iterator[torch.Tensor]:
    """Yield the float tensors that an engine holds, those of its prior left out."""
    if isinstance(thing, torch.Tensor):
        if thing.is_floating_point():
            yield thing
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from floats(part)
    elif type(thing).__module__.startswith("foreframe.priors.engines"):
        yield from floats(
            [part for part in vars(thing).values() if not isinstance(part, nn.Module)]
        )


def allocated(prior: AutoregressivePrior, kind: type[Engine], batch: int) -> int:
    """Return the bytes of an engine's float tensors, each memory counted once."""
    codes = torch.zeros(batch, math.prod(prior.grid) + 1, dtype=torch.int64)
    engine = kind(prior, codes, 0, None)
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in floats(engine)
    }
    return sum(storages.values())


@pytest.mark.parametrize("kind", [Incremental, Rowwise, Wavefront])
@pytest.mark.parametrize("level", ["top", "bottom"])
def test_a_further_clip_takes_the_bytes_that_were_predicted(level: str, kind: type[Engine]) -> None:
    if kind is Wavefront and level == "top":
        pytest.skip("waves need a prior without attention")
    prior = cast(AutoregressivePrior, getattr(tiny, level)())
    # From two clips on, because what all clips share is then the same.
    further = allocated(prior, kind, 5) - allocated(prior, kind, 2)
    assert further == 3 * kind.bytes_per_clip(prior)
