"""Laws of the kind `image_pixel_snail`: sizes, causality, condition, dropout, engines, cones."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from foreframe import priors
from foreframe.config.sampling import Choice
from foreframe.errors import UserError
from foreframe.priors import Codes, sampling
from foreframe.priors.engines import Engine, operations
from foreframe.priors.engines.incremental import Incremental
from foreframe.priors.engines.layers import gated
from foreframe.priors.engines.naive import Naive
from foreframe.priors.engines.rowwise import Rowwise
from foreframe.priors.engines.wavefront import Wavefront
from foreframe.priors.image_pixel_snail import ImagePixelSnail
from foreframe.priors.sampling import look
from foreframe.randomness import Draws, generator
from foreframe.training.objective import Moment
from tests.foreframe.priors import maps, tiny
from tests.foreframe.priors.test_engines import allocated, largest_error
from tests.foreframe.priors.test_learning import learn, nats
from tests.foreframe.priors.test_operations import counted

FEW = settings(max_examples=20, deadline=None)
SIDES = st.tuples(st.sampled_from([2, 4, 6]), st.sampled_from([2, 4, 6]))
THESIS: dict[str, Any] = {"channels": 256, "blocks": 4, "layers": 4, "kernel": 5, "dropout": 0.1}


def thesis(above: bool) -> priors.Prior:
    """Return a prior of Table 6.1, without numbers."""
    attention = None if above else {"heads": 8, "channels": 128}
    deep = THESIS | {"attention": attention, "condition_layers": 3 if above else 0}
    chosen = maps.settings(above, not above, **deep)
    conditions = {"top": Codes((1, 32, 32), 512)} if above else {}
    side = 64 if above else 32
    with torch.device("meta"):
        return priors.build(chosen, Codes((1, side, side), 512), conditions)


# ---- sizes


@pytest.mark.parametrize(("above", "count"), [(False, 84_873_280), (True, 89_762_816)])
def test_the_pair_has_the_size_of_the_thesis(above: bool, count: int) -> None:
    assert thesis(above).trainable() == count


@pytest.mark.parametrize(("above", "times"), [(False, 1298), (True, 4915)])
def test_the_pair_takes_this_many_times_fewer_operations(above: bool, times: int) -> None:
    found = operations.sampling_operations(priors.density(thesis(above)), 0)
    assert found.times_fewer > times
    # Four rows above reach two columns further: a row begins three steps after the one before.
    assert found.steps == (63 + 3 * 63 + 1 if above else 1024)


# ---- causality and condition


def moved(prior: ImagePixelSnail, codes: Tensor, other: Tensor) -> Tensor:
    condition = tiny.condition(prior, 1)
    with torch.no_grad():
        return (prior.logits(codes, condition) != prior.logits(other, condition)).any(1).flatten()


@FEW
@generated(
    sides=SIDES, above=st.booleans(), attention=st.booleans(), kernel=st.sampled_from([3, 5])
)
def test_a_code_moves_the_next_position_and_none_up_to_itself(
    sides: tuple[int, int], above: bool, attention: bool, kernel: int
) -> None:
    prior = maps.prior(sides, above=above, attention=attention, kernel=kernel)
    codes = tiny.codes(prior, 1)
    for position in range(math.prod(sides)):
        other = codes.clone()
        other.view(-1)[position] = (other.view(-1)[position] + 1) % prior.codebook_size
        changes = moved(prior, codes, other)
        assert not changes[: position + 1].any()
        if (position + 1) % sides[1]:
            assert changes[position + 1]


@pytest.mark.parametrize("attention", [False, True])
def test_every_code_above_has_an_influence_on_every_layer(attention: bool) -> None:
    prior = maps.prior(above=True, attention=attention, condition_layers=2)
    latents, codes = tiny.given(prior, 1), tiny.codes(prior, 1)
    for place in range(4):
        other = {"top": latents["top"].clone()}
        other["top"].view(-1)[place] = (other["top"].view(-1)[place] + 1) % 5
        with torch.no_grad():
            one, two = (prior.logits(codes, prior.condition(each)) for each in (latents, other))
        row, column = 2 * (place // 2), 2 * (place % 2)
        # Its square, and all that comes after.
        assert (one != two).any(dim=1)[0, 0, row : row + 2, column : column + 2].all()
    prior.train()
    prior.log_prob(codes, prior.condition(latents)).sum().backward()
    silent = [name for name, part in prior.named_parameters() if not _moved(part)]
    assert not silent


def _moved(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


def test_the_probabilities_of_all_maps_add_up_to_one() -> None:
    prior = maps.prior((1, 3), size=3)
    every = torch.cartesian_prod(*[torch.arange(3)] * 3).view(27, 1, 1, 3)
    with torch.no_grad():
        found = prior.log_prob(every, None).double()
    assert found.flatten(1).sum(dim=1).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_length_is_that_of_live_taps_alone() -> None:
    prior = maps.prior(above=True)
    prior.train()
    loss = -prior.log_prob(tiny.codes(prior, 2), tiny.condition(prior, 2)).mean()
    loss.backward()
    first: Any = gated(next(prior.trunk.each_block()))[0].first
    live = first.mask.expand_as(first.weight)
    directions = first.parametrizations.weight.original1
    assert (directions[live == 0] == 0).all() and directions[live == 1].all()
    assert (directions.grad[live == 0] == 0).all()


# ---- dropout


def moment(step: int) -> Moment:
    return Moment(step, 10, 0, step, 10, generator(0, "step", step))


@pytest.mark.parametrize("above", [False, True])
def test_dropout_is_a_function_of_the_step_and_acts_in_training_alone(above: bool) -> None:
    prior = maps.prior(above=above, dropout=0.4).train()
    batch = {prior.settings.level: tiny.codes(prior, 2), **tiny.given(prior, 2)}
    first, again, second = (prior.loss(batch, moment(step))["loss"] for step in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)
    prior.eval()
    still = prior.loss(batch, moment(0))["loss"]
    nll = -prior.log_prob(batch[prior.settings.level], prior.condition(batch)).mean()
    assert torch.equal(still, nll) and torch.equal(still, prior.loss(batch, moment(1))["loss"])


def test_without_dropout_training_computes_what_sampling_does() -> None:
    prior = maps.prior(dropout=0.0).train()
    batch = {"top": tiny.codes(prior, 2)}
    nll = -prior.log_prob(batch["top"], None).mean()
    assert torch.equal(prior.loss(batch, moment(0))["loss"], nll)


# ---- engines


@FEW
@generated(
    sides=SIDES,
    above=st.booleans(),
    attention=st.booleans(),
    kernel=st.sampled_from([3, 5]),
    channels=st.sampled_from([2, 6, 80]),
    batch=st.integers(1, 3),
    kind=st.sampled_from((Naive, Incremental, Rowwise, Wavefront)),
    data=st.data(),
)
def test_logits_are_those_of_a_forward_pass(
    sides: tuple[int, int],
    above: bool,
    attention: bool,
    kernel: int,
    channels: int,
    batch: int,
    kind: type[Engine],
    data: st.DataObject,
) -> None:
    prior = maps.prior(sides, above=above, attention=attention, kernel=kernel, channels=channels)
    if kind is Wavefront and attention:
        kind = Rowwise
    start = data.draw(st.integers(0, math.prod(sides)))
    assert largest_error(prior, kind, batch, start) < sampling.ERROR


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_every_engine_draws_the_same_codes_whatever_the_batch(
    above: bool, temperature: float
) -> None:
    choice = Choice(mode="sample", temperature=temperature, top_k=0, top_p=1.0)
    prior = maps.prior(above=above)
    latents, draws = tiny.given(prior, 5), Draws.first(3, range(5))
    nothing = torch.zeros(5, 0, 4, 4, dtype=torch.int64)

    def drawn(kind: type[Engine], rows: slice) -> Tensor:
        given = {level: codes[rows] for level, codes in latents.items()}
        some = draws.of(list(range(5))[rows])
        return sampling.sample(prior, nothing[rows], given, choice, some, 0, kind)

    expected = drawn(Naive, slice(None))
    for kind in (Incremental, Rowwise, *((Wavefront,) if above else ())):
        assert torch.equal(drawn(kind, slice(None)), expected)
        assert torch.equal(drawn(kind, slice(2, 4)), expected[2:4])


def test_the_engine_is_chosen_by_attention() -> None:
    assert sampling.fastest(maps.prior()) is Rowwise
    assert sampling.fastest(maps.prior(above=True)) is Wavefront


@pytest.mark.parametrize("kind", [Incremental, Rowwise])
@pytest.mark.parametrize("above", [False, True])
def test_a_further_map_takes_the_bytes_that_were_predicted(above: bool, kind: type[Engine]) -> None:
    prior = maps.prior(above=above)
    further = allocated(prior, kind, 5) - allocated(prior, kind, 2)
    assert further == 3 * kind.bytes_per_clip(prior)


@pytest.mark.parametrize("kind", [Naive, Incremental, Rowwise])
@pytest.mark.parametrize("above", [False, True])
def test_operations_are_those_that_torch_counts(above: bool, kind: type[Engine]) -> None:
    prior = maps.prior((2, 4), above=above)
    reading, steps = counted(prior, kind, 0)
    found = operations.sampling_operations(prior, 0)
    assert (reading, steps) == (0, found.naive if kind is Naive else found.sampled)


@FEW
@generated(sides=SIDES, above=st.booleans(), kernel=st.sampled_from([3, 5]), data=st.data())
def test_a_second_look_at_few_codes_sees_what_the_whole_pass_does(
    sides: tuple[int, int], above: bool, kernel: int, data: st.DataObject
) -> None:
    prior = maps.prior(sides, above=above, attention=False, kernel=kernel).double()
    every = st.integers(0, math.prod(sides) - 1)
    positions = sorted(data.draw(st.sets(every, min_size=1, max_size=3)))
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    with torch.no_grad():
        whole = prior.logits(codes, prior.condition(latents))[0].flatten(1).T[positions]
        found = look(prior, codes, latents, torch.tensor(positions))
    torch.testing.assert_close(found, whole, atol=1e-11, rtol=0)


# ---- learning


@pytest.mark.parametrize("above", [False, True])
def test_one_map_is_learned_by_heart(above: bool) -> None:
    prior = maps.prior(above=above, channels=16)
    codes, latents = tiny.codes(prior, 1), tiny.given(prior, 1)
    learn(prior, lambda _: codes, lambda _: latents, 200)
    assert nats(prior, codes, latents) < 0.02


# ---- bad settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "it must be odd"),
        ({"condition_layers": 1}, "condition_on names no level"),
        ({"attention": {"heads": 3, "channels": 4}}, "heads cannot have equal parts"),
        ({"dropout": 1.0}, "less than 1"),
    ],
)
def test_settings_that_make_no_network_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        maps.settings(False, True, **changes)


@pytest.mark.parametrize(
    ("grid", "above", "message"),
    [
        ((2, 4, 4), (2, 2, 2), "single maps of codes"),
        ((1, 4, 4), (1, 3, 2), "sides above it that divide its own"),
    ],
)
def test_grids_that_do_not_fit_are_refused(
    grid: priors.Grid, above: priors.Grid, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        priors.build(maps.settings(True, False), Codes(grid, 7), {"top": Codes(above, 5)})
