"""Laws of actions in priors: they reach their own code-frame and later ones, exactly as given."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from foreframe import priors
from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.priors import ACTIONS, AutoregressivePrior, Codes, sampling
from foreframe.priors.actions import ActionInput, Actions
from foreframe.priors.engines import Engine
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.randomness import Draws, generator
from tests.foreframe.priors import tiny

FEW = settings(max_examples=12, deadline=None)
CHOICES = {
    "argmax": Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0),
    "sample": Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0),
    "narrow": Choice(mode="sample", temperature=0.8, top_k=5, top_p=0.9),
}
ENGINES: dict[str, tuple[type[Engine], ...]] = {
    "top": (Incremental, Rowwise),
    "bottom": (Incremental, Rowwise, Wavefront),
}


def make(level: str, frames: int = 4, **changes: Any) -> AutoregressivePrior:
    changes = {"actions": "input"} | changes
    if level == "top":
        return tiny.top((frames, 2, 3), **changes)
    return tiny.bottom((frames // 2, 1, 2), **changes)


def drawn(
    prior: AutoregressivePrior,
    latents: dict[str, torch.Tensor],
    choice: str,
    engine: type[Engine],
    given: int,
) -> torch.Tensor:
    batch = len(latents[ACTIONS])
    codes = tiny.codes(prior, batch)[:, :given]
    draws = Draws.first(2, range(batch))
    return sampling.sample(prior, codes, latents, CHOICES[choice], draws, 0, engine)


@FEW
@generated(
    level=st.sampled_from(["top", "bottom"]),
    conditioning=st.sampled_from(["input", "none"]),
    batch=st.integers(1, 3),
    choice=st.sampled_from(list(CHOICES)),
    given=st.integers(0, 3),
    error=st.sampled_from([sampling.ERROR, 0.2]),
)
def test_all_engines_sample_the_same_codes(
    level: str, conditioning: str, batch: int, choice: str, given: int, error: float
) -> None:
    changes: dict[str, Any] = {"conditioning": conditioning} if level == "bottom" else {}
    prior = make(level, **changes)
    latents = tiny.given(prior, batch)
    expected = drawn(prior, latents, choice, Naive, given)
    with pytest.MonkeyPatch.context() as patch:
        # With a larger error most codes are decided again in float64, with the same actions.
        patch.setattr(sampling, "ERROR", error)
        for engine in ENGINES[level]:
            assert torch.equal(drawn(prior, latents, choice, engine, given), expected)


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_logits_of_all_engines_are_those_of_a_forward_pass(level: str) -> None:
    prior = make(level)
    codes, condition = tiny.codes(prior, 2), tiny.condition(prior, 2)
    known = torch.cat([codes.flatten(1), torch.full((2, 1), prior.codebook_size)], dim=1)
    with torch.inference_mode():
        whole = prior.logits(codes, condition).flatten(2).transpose(1, 2)
        for kind in ENGINES[level]:
            engine = kind(prior, known, 3, condition)
            for step in engine.schedule():
                error = (engine.logits(step) - whole[:, step.positions]).abs().max()
                assert error < sampling.ERROR * whole.abs().max()


@pytest.mark.parametrize("level", ["top", "bottom"])
@pytest.mark.parametrize("frame", range(8))
def test_an_action_reaches_its_own_code_frame_and_later_ones_alone(level: str, frame: int) -> None:
    prior = make(level)
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    other = {**latents, ACTIONS: latents[ACTIONS].clone()}
    other[ACTIONS][0, frame, 1] += 1
    with torch.no_grad():
        before, after = (prior.logits(codes, prior.condition(each)) for each in (latents, other))
    moved = (before != after).any(dim=1)[0]
    own = frame // 2  # two frames a code-frame
    assert not moved[:own].any()
    assert moved[own].all()
    if own + 1 < len(moved):
        assert moved[own + 1].any()


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_futures_with_other_later_actions_begin_alike(level: str) -> None:
    prior = make(level, 4)
    latents = tiny.given(prior, 3)
    other = {**latents, ACTIONS: latents[ACTIONS].clone()}
    other[ACTIONS][:, 6:] += 5
    fastest = sampling.fastest(prior)
    first, second = (drawn(prior, each, "sample", fastest, 1) for each in (latents, other))
    assert torch.equal(first[:, :3], second[:, :3])
    assert not torch.equal(first[:, 3], second[:, 3])


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_all_other_weights_begin_as_they_do_without_actions(level: str) -> None:
    codes = Codes((4, 2, 2), 7)
    above = {} if level == "top" else {"top": Codes((2, 1, 1), 5)}
    plain, driven = (
        priors.build(
            getattr(tiny, f"{level}_settings")(actions=actions),
            codes,
            above,
            tiny.actions((4, 2, 2)),
        )
        for actions in ("none", "input")
    )
    for prior in (plain, driven):
        prior.initialize(generator(1, "weights"))
    weights, more = plain.state_dict(), driven.state_dict()
    assert all(torch.equal(weights[name], more[name]) for name in weights)
    channels, inputs = 6, 2 * 2
    added = (inputs * channels + channels) + (channels * channels + channels)
    assert sum(value.numel() for name, value in more.items() if name not in weights) == added
    assert plain.actions is None


def test_actions_are_standardised() -> None:
    grid = (3, 1, 1)
    unit = Actions(("steer", "still"), 6, (0.0, 0.0), (1.0, 1.0))
    scaled = dataclasses.replace(unit, mean=(4.0, 0.5), std=(2.0, 0.0))
    first, second = (ActionInput(actions, grid, 5) for actions in (unit, scaled))
    second.load_state_dict(first.state_dict())
    values = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))
    # A channel that never changed is taken as it is, less its mean.
    moved = values * torch.tensor([2.0, 1.0]) + torch.tensor([4.0, 0.5])
    torch.testing.assert_close(second(moved), first(values))


def test_data_and_calls_without_actions_are_refused() -> None:
    with pytest.raises(UserError, match=r"takes actions .* the data has none.*to none, or use"):
        priors.build(tiny.top_settings(actions="input"), Codes((2, 1, 1), 3), {})
    prior = make("bottom")
    codes_alone = {"top": tiny.given(prior, 1)["top"]}
    with pytest.raises(UserError, match=r"level bottom takes actions, but none are given"):
        prior.condition(codes_alone)


@pytest.mark.parametrize("actions", ["none", "input"])
@pytest.mark.parametrize("level", ["top", "bottom"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_shortened_prior_samples_the_first_codes_of_the_whole_one(
    level: str, actions: str, choice: str
) -> None:
    prior = make(level, actions=actions)
    latents = {**tiny.given(prior, 2), ACTIONS: torch.zeros(2, 8, 2)}
    codes, draws = tiny.codes(prior, 2)[:, :1], Draws.first(2, range(2))
    whole = sampling.sample(prior, codes, latents, CHOICES[choice], draws, 0, Naive)
    for frames in (2, 3, 4):
        short = prior.shortened(frames)
        assert short.grid == (frames, *prior.grid[1:]) and prior.grid[0] == 4
        engines: tuple[type[Engine], ...] = (Naive, *ENGINES[level])
        for engine in engines:
            found = sampling.sample(short, codes, latents, CHOICES[choice], draws, 0, engine)
            assert torch.equal(found, whole[:, :frames])


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_codes_that_actions_decide_are_learned_from_them(level: str) -> None:
    prior = make(level, channels=8)
    size = prior.codebook_size

    def clips(step: int, batch: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        latents = tiny.given(prior, batch, step)
        right = latents[ACTIONS][:, ::2, 0] > 0  # what leads to a code-frame's first frame
        codes = generator(step, "two").integers(0, 2, (batch, *prior.grid))
        return codes + 2 * right[:, :, None, None], latents

    prior.train()
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.01)
    for step in range(150):
        codes, latents = clips(step, 8)
        optimizer.zero_grad()
        (-prior.log_prob(codes, prior.condition(latents)).mean()).backward()
        optimizer.step()
    prior.eval()
    codes, latents = clips(10_000, 64)
    with torch.no_grad():
        true = -float(prior.log_prob(codes, prior.condition(latents)).mean())
        latents[ACTIONS] = latents[ACTIONS].flip(0)
        other = -float(prior.log_prob(codes, prior.condition(latents)).mean())
    # One of two codes is left to chance, of the seven that there are.
    assert size == 7 and math.log(2) - 0.05 < true < math.log(2) + 0.25
    assert other > true + 0.3
