"""The plain game over maps of codes: layers, losses, run, samples, what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.networks.index_map import IndexMap
from foreframe.priors import Codes, Given
from foreframe.priors.dcgan import Critic, DCGan, Generator, Settings, build
from foreframe.randomness import Draws, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.objective import Moment, Objective
from tests.foreframe.priors import grey_maps
from tests.foreframe.training import games
from tests.foreframe.training.runs import Watched

DRAWS = Draws(0, [3, 3, 8, 9, 20], [0, 1, 0, 2, 5])


def made(settings: Settings) -> DCGan:
    prior = grey_maps.fresh(settings)
    assert isinstance(prior, DCGan)
    return prior


def moment() -> Moment:
    return Moment(0, 20, 0, 0, 20, generator(0, "moment"))


def test_layers_are_those_of_the_paper() -> None:
    """Sides 4, 8, 16 and 32; no normalisation where maps go in or out."""
    with torch.device("meta"):
        halves = Generator(100, (256, 128, 64)), Critic((256, 128, 64))
        maps = halves[0](torch.empty(5, 100))
        assert maps.shape == (5, 1, 32, 32)
        assert halves[1](maps).shape == (5,)
    names = [[type(layer).__bases__[0] for layer in half.layers] for half in halves]
    up, down, norm = nn.ConvTranspose2d, nn.Conv2d, nn.BatchNorm2d
    plain = [[kind for kind in half if kind in (up, down, norm)] for half in names]
    assert plain[0] == [up, norm, up, norm, up, norm, up]
    assert plain[1] == [down, down, norm, down, norm, down]
    assert isinstance(halves[0].layers[-1], nn.Tanh)


def test_weights_begin_small_and_scales_near_one() -> None:
    prior = made(grey_maps.plain(noise=50, channels=(64,)))
    kernel = prior.generator.layers[0].weight
    assert isinstance(kernel, torch.Tensor)
    assert kernel.std().item() == pytest.approx(0.02, rel=0.05)
    norm = prior.generator.layers[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.01)
    assert 0 < norm.weight.std() < 0.04
    assert torch.equal(norm.bias, torch.zeros(64))


def test_losses_are_cross_entropies_and_shares_those_of_right_judgements() -> None:
    prior, other = made(grey_maps.plain()), made(grey_maps.plain())
    for each in (prior, other):
        grey_maps.loud(each)
    batch = grey_maps.pair(6)
    found = prior.objective().losses(batch, moment(), ("critic",))["critic"]
    made_maps = other.generator(generator(0, "moment").normal((6, 6))).detach()
    real = other.critic(IndexMap(16).values(batch["bottom"]))
    fake = other.critic(made_maps)
    ones, zeros = torch.ones(6), torch.zeros(6)
    entropy = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(found["loss"], entropy(real, ones) + entropy(fake, zeros))
    assert found["accuracy_real"].item() == pytest.approx((real > 0).float().mean().item())
    assert found["accuracy_fake"].item() == pytest.approx((fake <= 0).float().mean().item())
    loss = prior.objective().losses(batch, moment(), ("generator",))["generator"]["loss"]
    again = other.generator(generator(0, "moment").normal((6, 6)))
    torch.testing.assert_close(loss, entropy(other.critic(again), ones))


def test_samples_depend_on_no_batch_and_no_order() -> None:
    prior = made(grey_maps.plain())
    grey_maps.loud(prior)
    whole = grey_maps.drawn(prior, DRAWS)
    assert whole.shape == (5, 1, 8, 8)
    assert len({tuple(each.flatten().tolist()) for each in whole}) == 5
    order = [4, 0, 2, 1, 3]
    assert torch.equal(grey_maps.drawn(prior, DRAWS.of(order)), whole[order])
    for row in range(5):
        assert torch.equal(grey_maps.drawn(prior, DRAWS.of([row]))[0], whole[row])
    assert prior.training  # drawing needs the statistics of no batch, and changes nothing


def test_given_codes_are_refused() -> None:
    prior = made(grey_maps.plain())
    with pytest.raises(UserError, match="is a dcgan, which draws whole maps"):
        prior.sample(torch.zeros(5, 1, 8, 8, dtype=torch.int64), {}, DRAWS, 0)


class _StopError(Exception):
    pass


def run(folder: Path, calls: int | None = None, seed: int = 0) -> dict[str, bytes]:
    prior = made(grey_maps.plain())
    left = [calls or -1]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise _StopError

    game: Objective[Any] = prior.objective()
    kept = Checkpoints(folder, seconds=1e9, steps=1)
    result = grey_maps.train(Watched(game, count), prior.settings.training.plan(), kept, seed)
    return dict(grey_maps.outcome(prior, result))


def test_a_run_that_is_cut_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight")
    assert run(tmp_path / "other", seed=1) != straight
    for calls in (4, 6):
        with pytest.raises(_StopError):
            run(tmp_path / str(calls), calls)
        assert run(tmp_path / str(calls)) == straight


def test_it_learns_easy_maps_and_says_what_its_critic_knows(tmp_path: Path) -> None:
    """The mean distance, in indices, of the mean map of samples to that of the data."""
    plan = grey_maps.plan(games.phase(steps=60, batch_size=16))
    prior = made(grey_maps.plain(training=plan))
    draws, target = Draws.first(0, range(200)), grey_maps.pair(200)["bottom"].double().mean(0)

    def distance() -> float:
        return (grey_maps.drawn(prior, draws).double().mean(0) - target).abs().mean().item()

    before = distance()
    kept = Checkpoints(tmp_path, seconds=1e9)
    result = grey_maps.train(prior.objective(), plan, kept)
    prior.generator.load_state_dict(result.averaged[0].state_dict())
    assert distance() < before / 2
    for name in ("accuracy_real", "accuracy_fake"):
        assert result.curve[name].between(0, 1).all()
        assert result.epochs[f"validation_{name}"].between(0, 1).all()
    assert {"critic_loss", "generator_loss"} <= set(result.curve.columns)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ((4, 8, 8), "clip of the level bottom has 4"),
        ((1, 8, 16), "has 8 x 16 codes"),
        ((1, 32, 32), r"makes maps of 8 x 8 codes.*32 x 32\. Give channels 3\."),
        ((1, 4, 4), r"4 x 4\. It needs maps of 8 x 8"),
    ],
)
def test_grids_that_do_not_fit_are_refused(grid: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(grey_maps.plain(), Given(Codes(grid, 16), {}, None))


def test_it_is_given_no_other_level() -> None:
    with pytest.raises(ValidationError, match="condition_on"):
        grey_maps.plain(condition_on=("top",))
