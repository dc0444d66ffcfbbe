"""Laws of sampling: every engine and every batch give the same codes, and those are exact."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from foreframe.config.sampling import Choice
from foreframe.priors import AutoregressivePrior, Grid, choosing, sampling
from foreframe.priors.engines import Engine
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.sampling import fastest
from foreframe.randomness import Draws
from tests.foreframe.priors import tiny

FEW = settings(max_examples=15, deadline=None)
ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
SAMPLE = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
NARROW = Choice(mode="sample", temperature=0.8, top_k=5, top_p=0.9)
CHOICES = {"argmax": ARGMAX, "sample": SAMPLE, "narrow": NARROW}


def drawn(
    prior: AutoregressivePrior,
    batch: int = 2,
    frames: int = 1,
    choice: Choice = SAMPLE,
    engine: type[Engine] | None = None,
    rows: slice = slice(None),
    seed: int = 0,
) -> torch.Tensor:
    """Sample some clips of a batch that is always the same."""
    codes = tiny.codes(prior, batch)[rows, :frames]
    latents = {level: ids[rows] for level, ids in tiny.given(prior, batch).items()}
    draws = Draws.first(seed, list(range(10, 10 + batch))[rows])
    return sampling.sample(prior, codes, latents, choice, draws, 0, engine or fastest(prior))


@FEW
@generated(
    grid=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    layers=st.integers(1, 2),
    blocks=st.integers(1, 2),
    batch=st.integers(1, 3),
    choice=st.sampled_from(list(CHOICES)),
    data=st.data(),
)
def test_all_engines_sample_the_same_top_codes(
    grid: Grid, layers: int, blocks: int, batch: int, choice: str, data: st.DataObject
) -> None:
    prior = tiny.top(grid, residual_layers=layers, blocks=blocks)
    frames = data.draw(st.integers(0, grid[0] - 1))
    naive, incremental, rowwise = (
        drawn(prior, batch, frames, CHOICES[choice], engine)
        for engine in (Naive, Incremental, Rowwise)
    )
    assert torch.equal(naive, incremental) and torch.equal(naive, rowwise)


@FEW
@generated(
    half=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2)),
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    layers=st.integers(1, 2),
    batch=st.integers(1, 3),
    conditioning=st.sampled_from(["input", "none"]),
    choice=st.sampled_from(list(CHOICES)),
    data=st.data(),
)
def test_all_engines_sample_the_same_bottom_codes(
    half: Grid,
    kernel: Grid,
    layers: int,
    batch: int,
    conditioning: str,
    choice: str,
    data: st.DataObject,
) -> None:
    prior = tiny.bottom(half, kernel=kernel, residual_layers=layers, conditioning=conditioning)
    frames = data.draw(st.integers(0, prior.grid[0] - 1))
    naive, *others = (
        drawn(prior, batch, frames, CHOICES[choice], engine)
        for engine in (Naive, Incremental, Rowwise, Wavefront)
    )
    assert all(torch.equal(naive, codes) for codes in others)


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("engine", [Naive, Incremental, None])
@pytest.mark.parametrize("level", ["top", "bottom"])
def test_a_batch_never_changes_a_sample(
    level: str, engine: type[Engine] | None, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = getattr(tiny, level)()
    together = drawn(prior, 3, choice=choice, engine=engine)
    for clip in range(3):
        alone = drawn(prior, 3, choice=choice, engine=engine, rows=slice(clip, clip + 1))
        assert torch.equal(alone[0], together[clip])
    # As if there were memory for one clip at a time only.
    monkeypatch.setattr(sampling, "BUDGET", 1)
    assert torch.equal(drawn(prior, 3, choice=choice, engine=engine), together)


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_given_codes_stay_as_they_are(level: str) -> None:
    prior = getattr(tiny, level)((2, 2, 2))
    for frames in range(prior.grid[0]):
        codes = drawn(prior, 2, frames)
        assert torch.equal(codes[:, :frames], tiny.codes(prior, 2)[:, :frames])
        assert codes.shape == (2, *prior.grid)
        assert codes.min() >= 0 and codes.max() < prior.codebook_size


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_steps_that_could_be_recorded_give_the_same_codes(
    choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = tiny.top((3, 2, 3))
    codes = drawn(prior, choice=choice, engine=Naive)
    monkeypatch.setattr(Incremental, "replayable", True)
    assert torch.equal(drawn(prior, choice=choice, engine=Incremental), codes)


def test_samples_depend_on_seed_and_clip_but_not_argmax() -> None:
    prior = tiny.top()
    assert not torch.equal(drawn(prior, seed=0), drawn(prior, seed=1))
    assert torch.equal(drawn(prior, choice=ARGMAX), drawn(prior, choice=ARGMAX, seed=1))


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_argmax_codes_are_the_most_likely_after_those_before(level: str) -> None:
    prior = getattr(tiny, level)()
    codes = drawn(prior, choice=ARGMAX)
    with torch.no_grad():
        logits = prior.logits(codes, tiny.condition(prior, 2))
    assert torch.equal(logits.argmax(dim=1)[:, 1:], codes[:, 1:])


def test_samples_have_the_probabilities_of_the_prior() -> None:
    prior = tiny.top((1, 1, 2), size=3)
    batch = 4000
    empty = torch.zeros(batch, 0, 1, 2, dtype=torch.int64)
    codes = sampling.sample(prior, empty, {}, SAMPLE, Draws.first(0, range(batch)), 0, Incremental)
    found = torch.bincount(codes.flatten(1) @ torch.tensor([3, 1]), minlength=9) / batch
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3)).view(9, 1, 1, 2)
    with torch.no_grad():
        expected = prior.log_prob(pairs, None).flatten(1).sum(dim=1).exp()
    assert expected.sum().item() == pytest.approx(1, abs=1e-5)
    assert ((found - expected).abs() < 5 * (0.25 / batch) ** 0.5).all()


# ---- rounding


class Rounding(Naive):
    """A naive engine whose logits are wrong by half of what is allowed for."""

    def logits(self, step: Any) -> torch.Tensor:
        exact = super().logits(step)
        slack = sampling.ERROR * exact.abs().amax(dim=(1, 2), keepdim=True)
        return exact + 0.5 * slack * torch.sign(torch.sin(1e6 * exact))


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("level", ["top", "bottom"])
def test_errors_within_the_slack_change_no_code(
    level: str, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = getattr(tiny, level)()
    monkeypatch.setattr(sampling, "ERROR", 0.2)
    exact = drawn(prior, 4, choice=choice, engine=Naive)
    assert torch.equal(drawn(prior, 4, choice=choice, engine=Rounding), exact)


def test_without_a_second_look_such_errors_do_change_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prior = tiny.bottom()
    exact = drawn(prior, 4, engine=Naive)
    monkeypatch.setattr(sampling, "ERROR", 0.2)
    monkeypatch.setattr(
        sampling, "doubtful", lambda logits, *rest: torch.zeros(logits.shape[:-1], dtype=torch.bool)
    )
    assert not torch.equal(drawn(prior, 4, engine=Rounding), exact)


def test_the_second_look_is_taken_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = tiny.top()
    seen = []

    def note(logits: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(logits.dtype)
        return choosing.pick(logits, *rest)

    monkeypatch.setattr(sampling, "pick", note)
    monkeypatch.setattr(sampling, "ERROR", 1e9)
    drawn(prior)
    assert seen[-1] == torch.float64 and seen[0] == torch.float32


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_after_a_corrected_code_the_rest_is_sampled_anew(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first code alone is wrong and in doubt; those after it followed from the wrong one."""
    prior = getattr(tiny, level)()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(1.5)  # so that a code matters to those after it
    first = prior.grid[1] * prior.grid[2]
    length = prior.grid[0] * first - first
    exact = drawn(prior, 8, engine=Naive)

    class Wrong(Naive):
        def logits(self, step: Any) -> torch.Tensor:
            found = super().logits(step)
            return -found if step.last == first else found

    def first_alone(logits_GK: torch.Tensor, *rest: Any) -> torch.Tensor:
        return torch.arange(len(logits_GK)) == (0 if len(logits_GK) == length else -1)

    monkeypatch.setattr(sampling, "doubtful", first_alone)
    assert torch.equal(drawn(prior, 8, engine=Wrong), exact)
    monkeypatch.setattr(sampling, "doubtful", lambda logits, *rest: first_alone(logits) & False)
    wrong = drawn(prior, 8, engine=Wrong).flatten(1) != exact.flatten(1)
    assert wrong[:, first].any() and wrong[:, first + 1 :].any()


def test_equal_scores_give_the_lowest_code() -> None:
    prior = tiny.top()
    same = copy.deepcopy(prior)
    with torch.no_grad():
        for parameter in same.parameters():
            parameter.zero_()
    for engine in (Naive, Incremental, Rowwise):
        assert (drawn(same, choice=ARGMAX, engine=engine)[:, 1:] == 0).all()
