"""Plans that contradict themselves, their objective or their data are refused, with a cure."""

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from foreframe.config.training import Plateau
from foreframe.errors import UserError
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Objective, Plain
from tests.foreframe.training import games, runs
from tests.foreframe.training.games import adam, phase, plan, sgd


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"optimizer": "sgd"}, "adamw"),
        ({"learning_rate": 0.0}, "greater than 0"),
        ({"gradient_clip": 0.0}, "greater than 0"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"epochs": 1.5}, "valid integer"),
        ({"learning_rate": float("nan")}, "greater than 0|finite"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        runs.training(**change)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "steps None and epochs None. Give one"),
        ({"steps": 3, "epochs": 2}, "steps 3 and epochs 2. Give one"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"steps": 3, "players": ()}, "at least 1"),
    ],
)
def test_a_phase_has_one_length_and_someone_who_moves(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        phase(**changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"phases": ()}, "at least 1"),
        ({"players": {}}, "at least 1"),
        ({"patience": 3}, "patience waits for a value .* Name it in judge"),
        (
            {"players": {"model": sgd(schedule=Plateau(factor=0.5, patience=1))}},
            "schedule of the player model waits .* Name it in judge",
        ),
        (
            {"phases": (phase(steps=1, restart_optimizers=True),)},
            "no optimizers to restart. Set its restart_optimizers to false",
        ),
        (
            {"phases": (phase(steps=1), phase(steps=1, players=("critic",)))},
            "Phase 2 moves critic, but the players are model. Name one",
        ),
        ({"average": 1.0}, "less than 1"),
        ({"players": {"model": {**adam().model_dump(), "momentum": 0.9}}}, "not permitted"),
        ({"players": {"model": sgd(warmup_steps=6)}}, "warmup_steps of model is 6, .* Lower"),
        (
            {
                "phases": (phase(steps=9), phase(steps=2, restart_optimizers=True)),
                "players": {"model": sgd(warmup_steps=2)},
            },
            "warmup_steps of model is 2, but there are 2 steps",
        ),
    ],
)
def test_a_plan_does_not_contradict_itself(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        plan(**changes)


class Frozen(games.Growing):
    """A tower of which nothing can move."""

    def enter(self, phase: int) -> None:
        self.model.requires_grad_(False)


def line() -> Objective[Tensor]:
    network = runs.Network()
    return Plain(network, lambda batch, moment: network.loss(batch, moment.numbers))


def without_weights() -> Objective[Tensor]:
    return Plain(nn.Identity(), lambda batch, moment: {"loss": batch.sum()})


@pytest.mark.parametrize(
    ("make", "changes", "text"),
    [
        (games.Duel, {}, "players are model, but those that learn are critic, generator. Give"),
        (line, {"players": {"model": sgd(), "critic": sgd()}}, "those that learn are model"),
        (line, {"average": 0.9}, "keeps no averaged weights. Set it to null"),
        (line, {"judge": "lost"}, "judge is lost, but what is measured is loss, mean, perpl"),
        (
            line,
            {"phases": (phase(epochs=1),), "players": {"model": sgd(warmup_steps=6)}},
            "warmup_steps of model is 6, but there are 6 steps. Lower",
        ),
        (without_weights, {}, "model has no weights to move in phase 1. Leave it out"),
        (Frozen, {}, "model has no weights to move in phase 1. Leave it out"),
    ],
)
def test_a_plan_fits_its_objective(
    make: Any, changes: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=text):
        runs.play(make(), plan(**changes), Checkpoints(tmp_path / "kept"))


def test_a_judge_needs_a_validation(tmp_path: Path) -> None:
    run = runs.setting(Checkpoints(tmp_path / "kept"))
    with pytest.raises(UserError, match="judge is loss, but there is no validation"):
        fit(line(), lambda phase: runs.TRAIN, None, plan(judge="loss"), run)


@pytest.mark.parametrize("name", ["training", "validation"])
def test_empty_sets_are_refused(name: str, tmp_path: Path) -> None:
    sets = {"training": runs.TRAIN, "validation": runs.VALIDATION} | {name: runs.samples(0)}
    run = runs.setting(Checkpoints(tmp_path / "kept"))
    with pytest.raises(UserError, match=f"{name} set is empty"):
        fit(
            line(),
            lambda phase: sets["training"],
            lambda phase: sets["validation"],
            plan(),
            run,
        )


def test_a_section_stands_for_a_plan_of_one_player_and_one_phase() -> None:
    settings = runs.training(optimizer="adam", weight_decay=0.2, gradient_clip=None)
    assert settings.plan() == plan(
        phases=(phase(epochs=3),),
        players={
            "model": adam(weight_decay=0.2, learning_rate=0.05, schedule="cosine", warmup_steps=2)
        },
        log_every=5,
    )
