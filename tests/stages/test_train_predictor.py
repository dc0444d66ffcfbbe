"""What a training of a predictor says of its cost: counted without numbers, as it is with them."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe import kinds
from foreframe.config.training import Training
from foreframe.models import layers
from foreframe.predictors import learned
from foreframe.predictors.learned import LearnedPredictor
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from stages import train_predictor
from tests.foreframe.models.every import KINDS
from tests.foreframe.predictors import moving, sequential, test_prednet, test_srnn
from tests.toys import predictor as toy

# The windows of cascades begin where their numbers say, so nothing is counted; of a scene of boxes
# it is what its rays meet, which is another number for every clip.
APART = ("cascade", "cascade_of_classes", "inferno", "giraffe")
NAMES = sorted(name for role, name in KINDS if role == learned.SCHEMA and name not in APART)
# As long as their settings say: one frame, or so many.
LONG = ("ali", "gan", "vae", "rali", "nerf_autoencoder", "slot_autoencoder")
# A flow also multiplies matrices of its weights, slots are told places, and a camera turns: once
# for a batch.
ONCE = ("rfn", "glow", "scoff", "vim", "nerf_autoencoder", "slot_autoencoder")


def made(name: str) -> Any:
    return KINDS[learned.SCHEMA, name]()


def cost(network: LearnedPredictor) -> int:
    return int(train_predictor.facts(network)["flops_per_clip"])


def longer(network: LearnedPredictor, frames: int) -> LearnedPredictor:
    """Return an untrained network of the same settings for clips of another length."""
    given = replace(network.given, shape=replace(network.given.shape, frames=frames))
    return learned.ROLE.build(network.settings, given)


def some(example: Any, clips: int) -> Any:
    """Return a batch of so many clips, with numbers, like one without."""
    if isinstance(example, dict):
        return {name: some(each, clips) for name, each in example.items()}
    numbers = generator(0, "x").uniform((clips, *example.shape[1:]))
    return numbers if example.is_floating_point() else numbers.new_zeros(clips).to(example.dtype)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_training_takes_as_much_for_each_of_its_clips(name: str) -> None:
    network, counts = made(name), {}
    network.train()
    objective = network.objective()
    for clips in (2, 3):
        batch = some(train_predictor.one_clip(network), clips)
        with FlopCounterMode(display=False) as counter:
            for turn in objective.turns:
                objective.losses(batch, Moment(0, 1, 0, 0, 1, generator(0, "step")), turn)
        counts[clips] = counter.get_total_flops()
    once = cost(network) - (counts[3] - counts[2])
    assert counts[2] == 2 * (cost(network) - once) + once
    assert once > 0 if name in ONCE else once == 0


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LONG])
def test_every_further_frame_of_a_clip_takes_the_same(name: str) -> None:
    network = made(name)
    counts = [cost(longer(network, frames)) for frames in (4, 5, 6)]
    grown = {after - before for before, after in itertools.pairwise(counts)}
    assert len(grown) == 1 and grown.pop() > 0


@pytest.mark.parametrize("frames", [1, 5])
def test_a_prednet_takes_its_convolutions_once_for_every_frame(frames: int) -> None:
    def convolution(inputs: int, outputs: int, layer: int) -> int:
        return 2 * 9 * inputs * outputs * (16 >> layer) ** 2

    channels, above = (1, *test_prednet.WIDTHS), (*test_prednet.WIDTHS, 0)
    step = 0
    for layer, (own, top) in enumerate(zip(channels, above, strict=True)):
        step += convolution(3 * own + top, 4 * own, layer) + convolution(own, own, layer)
        step += convolution(2 * own, top, layer)
    assert cost(longer(test_prednet.model(), frames)) == frames * step


def test_a_longer_look_ahead_takes_more() -> None:
    near, far = (
        sequential.ready(test_srnn.settings(overshooting=steps, prior_chain="posterior"))
        for steps in (1, 3)
    )
    assert cost(near) < cost(far)


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_stands_in_the_table_once_with_all_its_weights(name: str) -> None:
    network = made(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rows = train_predictor.facts(network)["layers"]
    found = [row["name"] for row in rows]
    assert len(set(found)) == len(found)
    assert sum(row["parameters"] for row in rows) == network.trainable()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_layers_stand_in_the_order_in_which_they_run_first() -> None:
    network = test_prednet.model()
    rows = train_predictor.facts(network)["layers"]
    moment = Moment(0, 1, 0, 0, 1, generator(0, "x"))

    def call(empty: Any) -> object:
        return empty.loss({"x": moving.clips(1).to("meta")}, moment)

    again = layers.table(network, call)
    runs = [row["name"] for row in again]
    assert len(runs) > len(rows)
    assert [row["name"] for row in rows] == sorted(set(runs), key=runs.index)


def test_a_loss_that_looks_at_its_numbers_has_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    view = moving.view(channels="colour")
    training: dict[str, Any] = {
        "optimizer": "adam", "learning_rate": 0.1, "weight_decay": 0.0, "batch_size": 2,
        "epochs": 1, "gradient_clip": None, "schedule": "constant", "warmup_steps": 0,
        "log_every": 1, "diverging": "stop", "shards": 1,
    }  # fmt: skip
    chosen: dict[str, Any] = {"kind": "toy", "view": view, "actions": "none", "labels": ()}
    network = toy.build(
        toy.Settings(**chosen, training=Training(**training)), moving.given(channels=3)
    )
    network.initialize(generator(0, "weights"))
    monkeypatch.setattr(kinds, "find", lambda package, kind: toy)
    assert train_predictor.facts(network) == {"likelihood": "exact"}
