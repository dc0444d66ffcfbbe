"""The growing game over maps of codes: its losses, its run, its samples, what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from foreframe import priors
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.networks.growing import Growth
from foreframe.networks.index_map import IndexMap
from foreframe.priors import Codes, Given
from foreframe.priors.progressive_gan import Game, ProgressiveGan, Settings, build
from foreframe.randomness import Draws, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.objective import Moment, Objective
from tests.foreframe.priors import grey_maps
from tests.foreframe.training import games
from tests.foreframe.training.runs import Watched

DRAWS = Draws(0, [3, 3, 8, 9, 20], [0, 1, 0, 2, 5])


def made(settings: Settings) -> ProgressiveGan:
    prior = grey_maps.fresh(settings)
    assert isinstance(prior, ProgressiveGan)
    return prior


def loud(settings: Settings) -> ProgressiveGan:
    prior = made(settings)
    grey_maps.loud(prior)
    return prior.eval()


def moment(phase: int = 1, step: int = 0, steps: int = 10) -> Moment:
    return Moment(0, 20, phase, step, steps, generator(0, "moment"))


# A phase of ten steps, whose first half is for fading.
@pytest.mark.parametrize(
    ("phase", "step", "fade"), [(0, 0, 0.0), (1, 0, 1.0), (1, 1, 0.8), (1, 5, 0.0), (1, 9, 0.0)]
)
def test_a_new_scale_takes_over_evenly_in_its_share_of_a_phase(
    phase: int, step: int, fade: float
) -> None:
    settings = grey_maps.growing(fade=0.5)
    grown = settings.grown(phase, step, 10)
    assert grown.scale == phase
    assert grown.fade == pytest.approx(fade)
    assert grey_maps.growing(fade=0.0).grown(phase, step, 10) == Growth(phase, 0.0)
    prior = made(settings)
    losses = prior.objective().losses(grey_maps.pair(5), moment(phase, step), ("critic",))
    assert losses["critic"]["fade"].item() == pytest.approx(fade)


@pytest.mark.parametrize("told", [False, True])
def test_losses_are_those_of_wgan_gp(*, told: bool) -> None:
    prior = loud(grey_maps.paired(drift=0.01) if told else grey_maps.growing(drift=0.01))
    batch, growth = grey_maps.pair(5), Growth(1, 0.0)
    game = prior.objective()
    late = {"phase": 1, "step": 9}
    found = game.losses(batch, moment(**late), ("critic",))["critic"]
    # The same numbers, asked for in the same order.
    numbers = generator(0, "moment")
    true = IndexMap(16).spread(IndexMap(16).values(batch["bottom"]), numbers)
    above = IndexMap(8).values(batch["top"]) if told else None
    made = prior.generator(numbers.normal((5, 6)), above, growth).detach()
    share = numbers.uniform((5, 1, 1, 1))
    between = (share * true + (1 - share) * made).requires_grad_()
    (slope,) = torch.autograd.grad(prior.critic(between, above, growth).sum(), between)
    length = slope.flatten(1).norm(dim=1)
    real, fake = prior.critic(true, above, growth), prior.critic(made, above, growth)
    penalty = (length - 1).square().mean()
    loss = fake.mean() - real.mean() + 10 * penalty + 0.01 * real.square().mean()
    torch.testing.assert_close(found["loss"], loss)
    torch.testing.assert_close(found["penalty"], penalty)
    torch.testing.assert_close(found["slope"], length.mean())
    torch.testing.assert_close(found["real"], real.mean())
    torch.testing.assert_close(found["fake"], fake.mean())
    names = {"loss", "penalty", "slope", "real", "fake", "fade", "critic_gamma"}
    assert found.keys() == names
    assert all(value.shape == () for value in found.values())
    generating = game.losses(batch, moment(**late), ("generator",))["generator"]
    noise = generator(0, "moment").normal((5, 6))
    score = prior.critic(prior.generator(noise, above, growth), above, growth).mean()
    torch.testing.assert_close(generating["loss"], -score)
    assert generating["generator_gamma"] == prior.generator.attention.gamma  # type: ignore[union-attr]


def test_the_critic_moves_nothing_of_the_generator() -> None:
    prior = loud(grey_maps.paired())
    loss = prior.objective().losses(grey_maps.pair(5), moment(), ("critic",))["critic"]["loss"]
    weights = list(prior.generator.parameters())
    assert all(each is None for each in torch.autograd.grad(loss, weights, allow_unused=True))


class _Match(torch.nn.Module):
    """A critic that scores how near the first value of a map is to what its condition says."""

    def forward(self, x: Tensor, above: Tensor, growth: Growth) -> Tensor:
        return -(x[:, 0, 0, 0] - above[:, 0, 0, 0]).abs()


def test_mismatch_is_what_a_foreign_condition_costs() -> None:
    prior = made(grey_maps.paired(dequantise=False))
    prior.critic = _Match()  # type: ignore[assignment]
    codes = torch.tensor([0, 5, 15])
    batch = {
        "bottom": codes[:, None, None, None].expand(3, 1, 8, 8),
        "top": torch.tensor([0, 2, 7])[:, None, None, None].expand(3, 1, 4, 4),
    }
    late = moment(1, 9)
    value, above = IndexMap(16).values(codes), IndexMap(8).values(torch.tensor([0, 2, 7]))
    right, wrong = (value - above).abs().mean(), (value - above.roll(1)).abs().mean()
    found = prior.objective().measure(batch, late)
    torch.testing.assert_close(found["mismatch"], wrong - right)
    assert found["mismatch"] > 0
    assert found.keys() == {"wasserstein", "mismatch"}
    one = {name: each[:1] for name, each in batch.items()}
    assert prior.objective().measure(one, late).keys() == {"wasserstein"}
    assert made(grey_maps.growing()).objective().measure(batch, late).keys() == {"wasserstein"}


def test_a_fresh_scale_draws_the_maps_of_the_one_before() -> None:
    prior = loud(grey_maps.growing())
    small = {}
    for phase in (0, 1):
        prior.objective().enter(phase)
        small[phase] = grey_maps.drawn(prior, DRAWS)
    assert torch.equal(small[1], small[0])
    assert torch.equal(small[0][:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3),
                       small[0])  # fmt: skip
    prior.reach(Growth(1, 0.0))
    assert not torch.equal(grey_maps.drawn(prior, DRAWS), small[0])


@pytest.mark.parametrize("told", [False, True])
def test_samples_depend_on_no_batch_and_no_order(
    *, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = loud(grey_maps.paired() if told else grey_maps.growing())
    top = grey_maps.pair(5)["top"] if told else None
    whole = grey_maps.drawn(prior, DRAWS, top)
    assert whole.dtype == torch.int64
    assert whole.shape == (5, 1, 8, 8)
    assert 0 <= whole.min() <= whole.max() <= 15
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 5
    order = [4, 0, 2, 1, 3]
    above = None if top is None else top[order]
    assert torch.equal(grey_maps.drawn(prior, DRAWS.of(order), above), whole[order])
    for row in range(5):
        above = None if top is None else top[row : row + 1]
        assert torch.equal(grey_maps.drawn(prior, DRAWS.of([row]), above)[0], whole[row])
    monkeypatch.setattr("foreframe.priors.maps.ROWS", 2)
    assert torch.equal(grey_maps.drawn(prior, DRAWS, top), whole)
    assert prior.generator.start.weight.dtype == torch.float32


def test_given_codes_are_refused() -> None:
    prior = made(grey_maps.growing())
    with pytest.raises(UserError, match=r"cannot go on from given codes\. Use a context of 0"):
        prior.sample(torch.zeros(5, 1, 8, 8, dtype=torch.int64), {}, DRAWS, 0)


def kept(folder: Path) -> Checkpoints:
    return Checkpoints(folder, seconds=1e9, steps=1)


class _StopError(Exception):
    pass


def run(
    settings: Settings, folder: Path, calls: int | None = None, seed: int = 0
) -> tuple[ProgressiveGan, dict[str, bytes]]:
    """Train through all phases; stop at so many calls of losses and measure, if any."""
    prior = made(settings)
    left = [calls or -1]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise _StopError

    game: Objective[Any] = prior.objective()
    result = grey_maps.train(Watched(game, count), settings.training.plan(), kept(folder), seed)
    return prior, dict(grey_maps.outcome(prior, result))


@pytest.mark.parametrize("told", [False, True])
def test_a_run_cut_in_any_phase_goes_on_to_the_same_bytes(*, told: bool, tmp_path: Path) -> None:
    settings = grey_maps.paired() if told else grey_maps.growing()
    _, straight = run(settings, tmp_path / "straight")
    # Steps have two turns, validations two batches: after a step of the first phase, and after one
    # of the second, whose new scale is half there.
    for calls, step in ((4, 1), (16, 5)):
        folder = tmp_path / str(calls)
        with pytest.raises(_StopError):
            run(settings, folder, calls)
        assert sorted(folder.iterdir())[-1].stem == f"step-{step:012d}"
        assert run(settings, folder)[1] == straight, calls


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    settings = grey_maps.growing(training=grey_maps.two_phases(2))
    one, again, other = (
        run(settings, tmp_path / str(i), seed=seed) for i, seed in enumerate((0, 0, 1))
    )
    assert one[1] == again[1]
    assert one[1] != other[1]


def test_every_phase_has_its_scale_and_its_curve(tmp_path: Path) -> None:
    prior = made(grey_maps.paired(training=grey_maps.two_phases(4)))
    objective = prior.objective()
    sides: list[int] = []
    prior.generator.register_forward_hook(lambda *call: sides.append(call[2].shape[-1]))
    result = grey_maps.train(objective, prior.settings.training.plan(), kept(tmp_path))
    assert set(sides) == {4, 8}
    assert sides == sorted(sides)
    assert result.curve["fade"].tolist() == [0, 0, 0, 0, 1, 0.5, 0, 0]
    names = {"critic_loss", "generator_loss", "real", "fake", "slope", "penalty"}
    names |= {"critic_gamma", "generator_gamma", "critic_learning_rate", "generator_learning_rate"}
    assert names <= set(result.curve.columns)
    measured = {f"validation_{name}" for name in ("wasserstein", "mismatch")}
    assert measured <= set(result.epochs.columns)
    assert result.curve["critic_gamma"][3] == 0  # its side is not reached yet
    assert result.curve["critic_gamma"][7] != 0
    assert (int(prior.scale), float(prior.fade)) == (1, 0.0)
    assert len(result.averaged) == 1
    small, whole = map(torch.tensor, prior.drawn_by_phase())

    def coarse(maps: Tensor) -> Tensor:
        return maps[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2)

    assert torch.equal(small, coarse(small))
    assert not torch.equal(whole, coarse(whole))
    assert small.min() >= 0 and max(small.max(), whole.max()) < prior.codebook_size
    assert made(prior.settings).drawn_by_phase() == [[], []]


def test_it_learns_in_both_phases(tmp_path: Path) -> None:
    """The mean distance, in indices, of the mean map of samples to that of the data."""
    settings = grey_maps.growing(training=grey_maps.two_phases(45))
    prior = made(settings)
    draws = Draws.first(0, range(200))
    target = grey_maps.pair(200)["bottom"].double().mean(0)

    def distance() -> float:
        return (grey_maps.drawn(prior, draws).double().mean(0) - target).abs().mean().item()

    before = distance()
    result = grey_maps.train(prior.objective(), settings.training.plan(), kept(tmp_path))
    prior.generator.load_state_dict(result.averaged[0].state_dict())
    after = distance()
    assert after < before / 2
    # And they are not all the same map.
    assert grey_maps.drawn(prior, draws).double().std(0).mean() > 0.3


@pytest.mark.slow
def test_a_pair_learns_to_match_the_level_above(tmp_path: Path) -> None:
    """Samples are nearer, in indices, to maps of their own level above than to others."""
    settings = grey_maps.paired(training=grey_maps.two_phases(90))
    prior = made(settings)
    result = grey_maps.train(prior.objective(), settings.training.plan(), kept(tmp_path))
    prior.generator.load_state_dict(result.averaged[0].state_dict())
    assert result.epochs["validation_mismatch"].iloc[-1] > 0.5
    data = grey_maps.pair(100, "new")
    found = grey_maps.drawn(prior, Draws.first(0, range(100)), data["top"]).double()
    own, other = (
        (found - maps).abs().mean() for maps in (data["bottom"], data["bottom"].roll(1, 0))
    )
    assert own < 0.7 * other


def test_a_file_remembers_how_far_a_run_had_come(tmp_path: Path) -> None:
    prior = loud(grey_maps.growing())
    prior.reach(Growth(1, 0.25))
    priors.save(tmp_path / "prior", prior)
    again = priors.load(tmp_path / "prior", "bottom")
    assert torch.equal(grey_maps.drawn(again, DRAWS), grey_maps.drawn(prior, DRAWS))


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ((4, 8, 8), r"clip of the level bottom has 4 of them\. Use an autoencoder of pictures"),
        ((1, 8, 16), r"the level bottom has 8 x 16 codes\. Change the size"),
        ((1, 12, 12), r"another doubling of it, but the level bottom has 12 x 12"),
        ((1, 2, 2), r"the level bottom has 2 x 2"),
        ((1, 32, 32), r"grows to 8 x 8 codes in 2 phases, but.*32 x 32\. Let the length.* be 4\."),
        ((1, 4, 4), r"grows to 8 x 8 codes in 2 phases, but.*4 x 4\. Let the length.* be 1\."),
    ],
)
def test_grids_that_do_not_fit_are_refused(grid: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(grey_maps.growing(), Given(Codes(grid, 16), {}, None))


def test_a_level_above_that_is_no_map_is_refused() -> None:
    above = {"top": Codes((1, 4, 8), 8)}
    with pytest.raises(UserError, match="the level top has 4 x 8 codes"):
        build(grey_maps.paired(), Given(grey_maps.CODES, above, None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": grey_maps.plan(games.phase(steps=4))}, "has 1 parts, but.*has 2 numbers"),
        ({"condition_on": ("top",)}, "network.condition is null"),
        ({"condition_on": ("top", "middle")}, "at most 1 item"),
        ({"network": grey_maps.paired().network}, "condition_on names none"),
        ({"fade": 1.5}, "less than or equal to 1"),
        ({"penalty": 0.0}, "greater than 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        grey_maps.growing(**changes)


def test_players_of_other_names_are_refused(tmp_path: Path) -> None:
    plan = Plan(**{**dict(grey_maps.two_phases()), "players": {"model": games.adam()}})
    prior = made(grey_maps.growing(training=plan))
    with pytest.raises(UserError, match="those that learn are critic, generator"):
        grey_maps.train(prior.objective(), plan, kept(tmp_path))


def test_the_game_keeps_the_generators_average_alone() -> None:
    prior = made(grey_maps.growing())
    game = Game(prior)
    assert game.averaged == (prior.generator,)
    weights = [each for player in game.players for each in player.weights()]
    assert len(weights) == len(list(prior.parameters()))
