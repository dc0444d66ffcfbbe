"""The games of a cascade: whose turn it is, what each level is shown, what moves, what is still."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.noise import Fresh
from foreframe.networks.step_norms import by_batch
from foreframe.networks.video_critics import critic_loss, generator_loss
from foreframe.predictors.cascade import Cascade
from foreframe.randomness import generator
from foreframe.running.crew import ALONE
from foreframe.training import passes
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment, Turn
from foreframe.training.optimization import Mover
from foreframe.training.result import Result
from foreframe.training.samples import Samples
from foreframe.training.sharding import Shards
from tests.foreframe.predictors import cascades
from tests.foreframe.training.runs import setting

ROWS = 4


def noise(rows: int = ROWS) -> Fresh:
    return Fresh(generator(0, "noise"), rows, torch.device("cpu"))


def batch(built: Cascade, rows: int = ROWS) -> dict[str, Any]:
    found: dict[str, Any] = {"x": cascades.clips(rows)}
    if built.settings.labels:
        found["labels"] = {"way": torch.arange(rows) % 3}
    return found


def trained(built: Cascade, folder: Path, x_BCTHW: Tensor, objective: Any = None) -> Result:
    samples: Samples[Any] = Samples(len(x_BCTHW), lambda indices: {"x": x_BCTHW[indices]})
    with Checkpoints(folder) as checkpoints:
        return fit(
            objective or built.objective(),
            lambda _: samples,
            lambda _: samples,
            built.settings.training,
            setting(checkpoints),
        )


def test_critics_move_twice_then_the_generator_level_by_level(tmp_path: Path) -> None:
    built = cascades.fresh(cascades.settings(training=cascades.game_plan(2, steps=2)))
    taken: list[str] = []
    game = built.objective()
    losses = game.losses

    def noted(batch: Any, moment: Moment, turn: Turn) -> Any:
        taken.extend(turn)
        return losses(batch, moment, turn)

    game.losses = noted  # type: ignore[method-assign]
    trained(built, tmp_path, cascades.clips(), game)
    one, two = (["critic_1"] * 2 + ["generator_1"], ["critic_2"] * 2 + ["generator_2"])
    assert taken == one * 2 + two * 2


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("told", [False, True])
def test_a_turn_reaches_every_weight_of_its_player_and_none_of_another_level(
    place: int, told: bool
) -> None:
    chosen = (cascades.told if told else cascades.settings)()
    built = cascades.fresh(chosen).train()
    game = built.objective()
    names = {id(weight): name for name, weight in built.named_parameters()}
    held = {player.name: {names[id(each)] for each in player.weights()} for player in game.players}
    assert set().union(*held.values()) == set(names.values())
    assert sum(map(len, held.values())) == len(names)
    critic, _, generating = game.turns[3 * place : 3 * place + 3]
    for turn, others in ((critic, set()), (generating, held[critic[0]])):
        loss = game.losses(batch(built), cascades.moment(place), turn)[turn[0]]["loss"]
        found = torch.autograd.grad(loss, [*built.parameters()], allow_unused=True)
        reached = {
            name for name, each in zip(names.values(), found, strict=True) if each is not None
        }
        assert held[turn[0]] <= reached
        # A generator's way leads through the critics of its level.
        assert reached - held[turn[0]] <= others


def test_levels_below_are_still_and_their_statistics_too(tmp_path: Path) -> None:
    built = cascades.fresh(cascades.settings())
    states = []
    game = built.objective()
    enter = game.enter

    def noted(phase: int) -> None:
        states.append({name: each.clone() for name, each in built.state_dict().items()})
        enter(phase)

    game.enter = noted  # type: ignore[method-assign]
    trained(built, tmp_path, cascades.clips(), game)
    begun, second, ended = (*states, built.state_dict())
    moved = [
        {name for name in ended if not torch.equal(before[name], after[name])}
        for before, after in ((begun, second), (second, ended))
    ]
    for place, names in enumerate(moved):
        assert {name.split(".")[1] for name in names} == {str(place)}
        kinds = {name.rsplit(".", 1)[1] for name in names}
        assert {"weight", "bias", "u", "running_mean", "running_var"} <= kinds


@pytest.mark.parametrize("kind", ["critic_2", "generator_2"])
def test_what_is_known_of_singular_values_moves_once_in_a_turn_of_its_player(kind: str) -> None:
    built, wanted = (cascades.fresh(cascades.settings()).train() for _ in range(2))
    parts = {"critic_2": built.critics[1], "generator_2": built.generators[1]}
    with torch.no_grad():
        for each in (built, wanted):
            for weight in each.parameters():
                weight.add_(0.1 * generator(0, "away").normal(weight.shape))
    built.objective().losses(batch(built), cascades.moment(1), (kind,))
    for (name, one), (_, other) in zip(built.named_modules(), wanted.named_modules(), strict=True):
        if not hasattr(one, "u"):
            continue
        if any(one is each for each in parts[kind].modules()):
            # A single output has nowhere to go.
            assert len(one.u) == 1 or not torch.equal(one.u, other.u), name
            other.advance()
        assert torch.equal(one.u, other.u), name


@pytest.mark.parametrize("kind", ["critic_2", "generator_2"])
def test_of_shards_statistics_move_by_the_mean_and_singular_vectors_as_of_one(kind: str) -> None:
    whole, cut = (cascades.fresh(cascades.settings()).train() for _ in range(2))
    moved: list[dict[str, Tensor]] = []
    for part in (slice(0, 2), slice(2, 4)):
        alone = cascades.fresh(cascades.settings()).train()
        numbers = generator(0, "shard", part.start)
        alone.objective().losses(
            {"x": batch(alone)["x"][part]}, Moment(0, 1, 1, 0, 1, numbers), (kind,)
        )
        moved.append(dict(alone.named_buffers()))
    game = cut.objective()
    mover = Mover(cut.settings.training.players[kind])
    mover.take(next(each for each in game.players if each.name == kind).weights(), restart=False)

    def ask(rows: Any, shard: int | None) -> Any:
        numbers = generator(0, "shard", 2 * (shard or 0))
        return game.losses(rows, Moment(0, 1, 1, 0, 1, numbers), (kind,))

    shards = Shards(2, ALONE)
    passes.by_shards(cut, ask, {kind: mover}, shards, ROWS, batch(cut), torch.device("cpu"))
    before = dict(whole.named_buffers())
    for name, value in cut.named_buffers():
        if name.endswith(".u"):
            assert torch.equal(moved[0][name], moved[1][name])
        mean = (moved[0][name] + moved[1][name]) / 2
        torch.testing.assert_close(value, mean, msg=name)
    assert any(not torch.equal(value, before[name]) for name, value in cut.named_buffers())


def test_true_examples_are_windows_of_the_clip_beside_what_is_below_them() -> None:
    built, x_BCTHW = cascades.model(), cascades.clips(64)
    game = built.objective()
    first, nothing = game.true(x_BCTHW, 0, noise(64))
    torch.testing.assert_close(first, functional.avg_pool3d(x_BCTHW[:, :, ::2], (1, 2, 2)))
    assert nothing is None
    second, low = game.true(x_BCTHW, 1, noise(64))
    assert low is not None
    begun = set()
    for row, example, below in zip(x_BCTHW, second, low, strict=True):
        (start,) = [at for at in range(0, 6, 2) if torch.equal(row[:, at : at + 4], example)]
        begun.add(start)
        halved = functional.avg_pool2d(example[:, ::2], 2)
        torch.testing.assert_close(below, halved)
    # At every frame of the level below, and at none between.
    assert begun == {0, 2, 4}


def seen_by(built: Cascade, turn: Turn, place: int) -> list[Any]:
    """Return what critics and generator of a level are given in a turn."""
    given: list[Any] = []
    built.critics[place].register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    built.generators[place].register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    built.objective().losses(batch(built), cascades.moment(place), turn)
    return given


def test_what_is_made_goes_on_from_windows_of_whole_clips_of_the_level_below() -> None:
    built = cascades.fresh(cascades.settings()).train()
    (z_BZ, _, frames, low), made = seen_by(built, ("generator_2",), 1)
    assert frames == 4 and low.shape == (ROWS, 1, 2, 8, 8)
    assert made[1] is low
    # The first numbers of the step choose frames; then come the latents of both levels.
    again = Fresh(cascades.moment(1).numbers, ROWS, torch.device("cpu"))
    again.gumbel("frames", 1, (4,))
    below, own = built.latents(again, 2)
    assert torch.equal(own, z_BZ)
    with torch.no_grad(), by_batch(built):
        whole = built.made([below], None, 4)
    for row, window in zip(whole, low, strict=True):
        assert any(torch.equal(row[:, at : at + 2], window) for at in range(3))


@pytest.mark.parametrize("place", [0, 1])
def test_losses_are_hinges_over_all_scores_of_a_level(place: int) -> None:
    built = cascades.fresh(cascades.settings()).train()
    game, scores = built.objective(), []
    built.critics[place].register_forward_hook(lambda _, given, out: scores.append(out))
    critic, _, generating = game.turns[3 * place : 3 * place + 3]
    found = game.losses(batch(built), cascades.moment(place), critic)[critic[0]]
    fake, real = scores
    assert torch.equal(found["loss"], critic_loss(real, fake))
    assert found[f"real_{place + 1}"] == real.mean() and found[f"fake_{place + 1}"] == fake.mean()
    assert found[f"accuracy_real_{place + 1}"] == (real > 0).float().mean()
    seen = 2 + 4 + (2 if place else 0)
    assert fake.shape == real.shape == (ROWS, seen)
    found = game.losses(batch(built), cascades.moment(place), generating)[generating[0]]
    assert torch.equal(found["loss"], generator_loss(scores[2]))


def test_frames_seen_by_themselves_are_all_different() -> None:
    built = cascades.fresh(
        cascades.settings(cascades.level(critic=cascades.critic(1, 2, frames=8)))
    )
    (_, _, _, chosen_Bk) = seen_by(built.train(), ("generator_1",), 0)[1]
    assert chosen_Bk.sort(dim=1).values.tolist() == [[*range(8)]] * ROWS
    assert len({tuple(row) for row in chosen_Bk.tolist()}) == ROWS


def test_what_is_measured_is_of_the_level_of_the_phase() -> None:
    built = cascades.model()
    game = built.objective()
    with torch.no_grad():
        first, second, single = (
            game.measure(batch(built, rows), cascades.moment(place))
            for place, rows in ((0, ROWS), (1, ROWS), (1, 1))
        )
    assert first.keys() == {"real", "fake", "accuracy_real", "accuracy_fake"}
    assert second.keys() == first.keys() | {"mismatch"}
    # A single true clip has no other to be mistaken for.
    assert single.keys() == first.keys()
