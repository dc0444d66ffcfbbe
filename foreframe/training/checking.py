"""What is refused before a run's first step: settings that contradict the objective or the data."""

from collections.abc import Iterable, Sequence
from typing import Any

from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.training.objective import Objective
from foreframe.training.samples import Samples
from foreframe.training.timeline import Stretch


def check_settings(objective: Objective[Any], plan: Plan, *, validated: bool, where: str) -> None:
    """Refuse a plan that is not one for this objective; `where` is for messages.

    Raises:
        UserError: its players are others, a phase moves none, averages of nothing are asked for, or
            a value is to be judged and there is no validation.
    """
    names = [player.name for player in objective.players]
    if set(names) != set(plan.players):
        raise UserError(
            f"{where}: the plan's players are {', '.join(sorted(plan.players))}, but those that "
            f"learn are {', '.join(sorted(names))}. Give each of them its section in players."
        )
    moved = {name for turn in objective.turns for name in turn}
    assert moved == set(names), "every player has a turn"
    if plan.average is not None and not objective.averaged:
        raise UserError(
            f"{where}: average is {plan.average}, but this kind of model keeps no averaged "
            "weights. Set it to null."
        )
    if plan.judge is not None and not validated:
        raise UserError(
            f"{where}: judge is {plan.judge}, but there is no validation. Set it to null."
        )


def check_sets(
    train: Sequence[Samples[Any]], validation: Sequence[Samples[Any]], where: str
) -> None:
    """Refuse sets without samples.

    Raises:
        UserError: one is empty.
    """
    for name, sets in (("training", train), ("validation", validation)):
        if any(samples.count == 0 for samples in sets):
            raise UserError(
                f"{where}: the {name} set is empty. Collect more frames, use shorter clips, or "
                "give the set a larger share in `split`."
            )


def check_lengths(plan: Plan, timeline: Sequence[Stretch], where: str) -> None:
    """Refuse a warm-up that a run, or a part of it between restarts, does not get out of.

    Raises:
        UserError: it is not shorter.
    """
    shortest = min(steps for _, steps in (stretch.rated for stretch in timeline))
    for name, settings in plan.players.items():
        if settings.warmup_steps >= shortest:
            raise UserError(
                f"{where}: warmup_steps of {name} is {settings.warmup_steps}, but there are "
                f"{shortest} steps. Lower it, or train for longer."
            )


def check_weights(objective: Objective[Any], stretch: Stretch, where: str) -> None:
    """Refuse a phase in which a player has nothing to move; called once it was entered.

    Raises:
        UserError: a player has no weights, or all of them are frozen.
    """
    held = {id(weight) for weight in objective.model.parameters()}
    moving = {name for turn in stretch.turns for name in turn}
    for player in objective.players:
        weights = player.weights()
        assert all(id(weight) in held for weight in weights), "the model holds all weights"
        if player.name in moving and not weights:
            raise UserError(
                f"{where}: {player.name} has no weights to move in phase {stretch.index + 1}. "
                "Leave it out of that phase's players."
            )


def check_judge(judge: str, measured: Iterable[str], where: str) -> None:
    """Refuse a judge that is none of the values measured.

    Raises:
        UserError: it is not.
    """
    names = sorted(measured)
    if judge not in names:
        raise UserError(
            f"{where}: judge is {judge}, but what is measured is {', '.join(names)}. Name one of "
            "these, or set judge to null."
        )
