"""Operations of priors: closed forms, the same counts on real numbers, and how phases add up."""

from pathlib import Path
from typing import Any

import pandas
import pytest
import torch
from torch import nn

from foreframe import priors
from foreframe.artefacts import facts
from foreframe.errors import UserError
from foreframe.priors.progressive_gan import ProgressiveGan
from foreframe.randomness import generator
from foreframe.training import record
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.objective import Moment
from foreframe.training.record import Training
from stages import train_prior, weigh_priors
from stages.weigh_priors import Stretch, drawing_facts, phase_facts, step_operations, stretches
from tests.foreframe.priors import grey_maps, maps
from tests.foreframe.training import games


def trained(prior: Any, folder: Path) -> Path:
    """Return the record of a training of a game."""
    result = grey_maps.train(prior.objective(), prior.settings.training, Checkpoints(folder))
    record.write(folder / "record.json", result, 0, {}, {})
    return folder / "record.json"


def seen(steps: int, rows: dict[int, int]) -> Training:
    """Return a record of so many steps; `rows` are samples by the steps of its epochs."""
    epochs = pandas.DataFrame({"step": list(rows), "samples": list(rows.values())})
    return Training({"steps": steps, "samples": rows[steps]}, pandas.DataFrame(), epochs)


def test_a_step_of_the_plain_game_is_the_sum_of_its_products() -> None:
    """Two layers each: forward passes, then gradients by weights and by what came before."""
    prior = grey_maps.fresh(grey_maps.plain())
    wide = 2 * 6 * 16 * 4**2  # noise of 6 to 16 channels of 4 x 4
    fine = 2 * 16 * 4**2 * 4**2  # these to a map of 8 x 8, a kernel of 4 x 4 at each of 4 x 4
    made, judged = wide + fine, fine + 2 * 16 * 4**2
    # True and made maps need no gradient, so the layer that sees them hands none on.
    critic = made + 2 * (judged + judged + (judged - fine))
    mover = made + judged + judged + made + (made - wide)
    assert step_operations(prior, 0, begun=False) == 8 * (critic + mover)
    assert drawing_facts(prior) == {"operations": made, "naive": made, "steps": 1}


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_a_step_of_the_growing_game_is_that_of_real_numbers(*, told: bool, begun: bool) -> None:
    settings = grey_maps.paired() if told else grey_maps.growing()
    prior = grey_maps.fresh(settings)
    batch = {name: codes[:5] for name, codes in grey_maps.pair(5).items()}
    moment = Moment(0, 4, 1, 0 if begun else 4, 4, generator(0, "moment"))
    objective = prior.objective()
    with weigh_priors.counting() as counter:
        for turn in objective.turns:
            losses = objective.losses(batch, moment, turn)
            (player,) = (each for each in objective.players if each.name in turn)
            torch.autograd.grad(losses[turn[0]]["loss"], player.weights(), allow_unused=True)
    assert step_operations(prior, 1, begun=begun) == counter.get_total_flops()


def test_a_drawn_map_is_the_sum_of_the_generator_s_convolutions() -> None:
    prior = grey_maps.fresh(grey_maps.growing(network=grey_maps.network(attention=None)))
    assert isinstance(prior, ProgressiveGan)
    found = drawing_facts(prior)["operations"]
    each: list[int] = []

    def note(module: Any, _: object, output: torch.Tensor) -> None:
        places = output.shape[2:].numel()
        each.append(2 * module.weight.numel() * places)

    half = prior.generator
    for module in half.modules():
        if hasattr(module, "weight") and isinstance(module, nn.Module):
            module.register_forward_hook(note)
    half(torch.zeros(1, 6), None, prior.settings.grown(1, 4, 4))
    assert found == sum(each)


def test_a_training_by_likelihood_is_three_passes_less_what_needs_no_gradient() -> None:
    prior = maps.prior()
    forward = train_prior.facts_of(prior)["flops_per_clip"]
    size = prior.settings.training.batch_size
    # The gradient by codes, which are given, is not needed.
    assert 2 * forward < step_operations(prior, 0, begun=False) / size <= 3 * forward
    found = drawing_facts(prior)
    assert found["steps"] == 16 and found["operations"] < found["naive"]


def test_phases_of_a_training_add_up(tmp_path: Path) -> None:
    prior = grey_maps.fresh(grey_maps.growing())
    found = record.read(trained(prior, tmp_path))
    taken = list(stretches(prior.settings.training, found))
    # Two turns a step, with batches of 8, then of 5; the last of the 32 maps are a batch of 2.
    assert taken == [Stretch(0, 4, 2 * 4 * 8), Stretch(1, 4, 7 * 5 + 2)]


def test_a_training_that_ended_early_took_what_it_did() -> None:
    plan = grey_maps.two_phases(steps=4)
    early = seen(6, {2: 32, 4: 64, 6: 84})
    assert list(stretches(plan, early)) == [Stretch(0, 4, 64), Stretch(1, 2, 20)]
    first = seen(3, {2: 32, 3: 48})
    assert list(stretches(plan, first)) == [Stretch(0, 3, 48)]


def test_a_phase_in_epochs_is_known_to_end_only_where_all_ends() -> None:
    epochs = games.phase(steps=None, epochs=2, batch_size=8)
    steps = games.phase(steps=3, batch_size=8, restart_optimizers=True)
    assert list(stretches(grey_maps.plan(epochs), seen(8, {8: 60}))) == [Stretch(0, 8, 60)]
    with pytest.raises(UserError, match=r"phase 1 .* 2 epochs"):
        list(stretches(grey_maps.plan(epochs, steps), seen(8, {8: 60})))


def test_steps_in_which_a_scale_fades_in_take_more() -> None:
    prior = grey_maps.fresh(grey_maps.growing(fade=0.3))
    early, late = (step_operations(prior, 1, begun=begun) for begun in (True, False))
    assert early > late
    # Of four steps the first two have both scales: their fades are 1 and 1/6.
    found = phase_facts(prior, Stretch(1, 4, 2 * 4 * 5))
    assert found["per_step"] == (early + late) / 2
    assert found["operations"] == pytest.approx(2 * (early + late))
    # A batch that is not full counts as the part that it is.
    short = phase_facts(prior, Stretch(1, 4, 2 * 4 * 5 - 2))
    assert short["operations"] == pytest.approx(found["operations"] * 38 / 40)
    # The first phase begins with its only scale.
    assert phase_facts(prior, Stretch(0, 4, 64))["per_step"] == step_operations(
        prior, 0, begun=True
    )


def test_a_pair_is_written_by_level(tmp_path: Path) -> None:
    top, bottom = grey_maps.fresh(grey_maps.growing()), grey_maps.fresh(grey_maps.paired())
    path = trained(bottom, tmp_path)
    # The same network by another level's name, which is told of nothing.
    top.settings = top.settings.model_copy(update={"level": "top"})
    models = (tmp_path / "top.safetensors", tmp_path / "bottom.safetensors")
    for model, prior in zip(models, (top, bottom), strict=True):
        priors.save(model, prior)
    outs = [tmp_path / "cost.json", tmp_path / "again.json"]
    for out in outs:
        weigh_priors.main(models=models, records=(path, path), found=out)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    found = facts.read(outs[0], "analysis")
    phases = {level: found[level]["training"]["phases"] for level in ("top", "bottom")}
    for level, each in phases.items():
        whole = found[level]["training"]["operations"]
        assert whole == sum(phase["operations"] for phase in each)
        assert [phase["batch"] for phase in each] == [8, 5]
    # To be told of a level takes something, at every scale.
    pairs = zip(phases["top"], phases["bottom"], strict=True)
    assert all(one["per_step"] < other["per_step"] for one, other in pairs)
    with pytest.raises(UserError, match="2 priors and 1 records"):
        weigh_priors.main(models=models, records=(path,), found=outs[0])
    with pytest.raises(UserError, match="second prior of the level top"):
        weigh_priors.main(models=models[:1] * 2, records=(path, path), found=outs[0])
