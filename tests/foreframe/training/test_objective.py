"""Turns, phases, averages, judges and data-dependent starts, by objectives with closed forms."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.config.training import Plan, Plateau
from foreframe.randomness import permutation
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn
from foreframe.training.result import Result
from tests.foreframe.training import games, runs
from tests.foreframe.training.games import adam, phase, plan, sgd

RATE = 0.1  # of games.sgd
TOGETHER = (("a", "b"),)
IN_TURN = (("a",), ("b",))


class Numbers(nn.Module):
    """One number each, and one that counts."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.ParameterList([torch.tensor(3.0)])
        self.b = nn.ParameterList([torch.tensor(1.0)])
        self.register_buffer("seen", torch.zeros(()))

    def value(self, name: str) -> float:
        """Return a or b."""
        return next(self.get_submodule(name).parameters()).item()


class Scalars(Objective[Tensor]):
    """Two players with one number each, a at 3 and b at 1; `rule` gives the losses of both."""

    def __init__(
        self,
        turns: tuple[Turn, ...] = (("a",),),
        rule: Callable[[Tensor, Tensor], dict[str, Tensor]] = lambda a, b: {"a": a + 0 * b, "b": b},
        measured: Sequence[float] = (),
    ) -> None:
        self.model: Numbers = Numbers()
        names = dict.fromkeys(name for turn in turns for name in turn)
        self.players = tuple(Player(name, (self.model.get_submodule(name),)) for name in names)
        self.turns = turns
        self.rule, self.measured = rule, measured
        self.moments: list[Moment] = []
        self.batches: list[Tensor] = []
        self.entered: list[int] = []

    def enter(self, phase: int) -> None:
        self.entered.append(phase)

    def losses(self, batch: Tensor, moment: Moment, turn: Turn) -> Losses:
        self.moments.append(moment)
        self.batches.append(batch)
        values = self.rule(self.model.a[0], self.model.b[0])
        return {name: {"loss": values[name]} for name in turn}

    def measure(self, batch: Tensor, moment: Moment) -> Mapping[str, Tensor]:
        if self.measured:
            return {"error": torch.tensor(self.measured[moment.step - 1])}
        return {"a": self.model.a[0].detach().clone()}


def play(objective: Objective[Tensor], settings: Plan, folder: Path) -> Result:
    return runs.play(objective, settings, Checkpoints(folder / "kept"))


def both(**changes: Any) -> Plan:
    return plan(players={"a": sgd(), "b": sgd()}, **changes)


def test_a_zero_sum_game_together_and_in_turn(tmp_path: Path) -> None:
    """L_a = a b, L_b = -a b: together b follows the old a, in turn the new one."""

    def rule(a: Tensor, b: Tensor) -> dict[str, Tensor]:
        product = a * b  # one forward pass for both
        return {"a": product, "b": -product}

    for turns, name in ((TOGETHER, "together"), (IN_TURN, "in_turn")):
        objective = Scalars(turns, rule)
        play(objective, both(), tmp_path / name)
        a, b = 3.0, 1.0
        for _ in range(6):
            old, a = a, a - RATE * b
            b += RATE * (old if turns == TOGETHER else a)
        assert objective.model.value("a") == pytest.approx(a, rel=1e-6)
        assert objective.model.value("b") == pytest.approx(b, rel=1e-6)
        assert len(objective.moments) == 6 * len(turns)


def test_where_losses_are_separate_together_and_in_turn_are_the_same(tmp_path: Path) -> None:
    found = []
    for turns, name in ((TOGETHER, "together"), (IN_TURN, "in_turn")):
        objective = Scalars(turns, lambda a, b: {"a": a.square(), "b": b.pow(4)})
        play(objective, both(), tmp_path / name)
        found.append([objective.model.value(name) for name in ("a", "b")])
    assert found[0] == found[1]


def test_each_turn_has_a_fresh_batch_and_numbers_of_its_own(tmp_path: Path) -> None:
    turns = (("a",), ("a",), ("b",))
    objective = Scalars(turns, lambda a, b: {"a": a, "b": b})
    result = play(objective, both(phases=(phase(epochs=2, batch_size=4),)), tmp_path)
    assert result.steps == 4  # two epochs of 6 batches, three a step
    assert result.samples == 2 * runs.COUNT
    expected = [permutation(runs.COUNT, 0, "test", "order", epoch) for epoch in range(2)]
    rows = torch.cat([runs.TRAIN.read(order) for order in expected])
    assert torch.equal(torch.cat(objective.batches), rows)
    drawn = {moment.numbers.uniform((1,), dtype=torch.float64) for moment in objective.moments}
    assert len(drawn) == 12
    assert [moment.step for moment in objective.moments] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    # a moved twice a step, b once.
    assert objective.model.value("a") == pytest.approx(3 - 8 * RATE)
    assert objective.model.value("b") == pytest.approx(1 - 4 * RATE)


def test_a_second_order_penalty_is_followed(tmp_path: Path) -> None:
    """L = (df/dx)^2 with f = a x^2 at x = 1 is 4 a^2, so that a <- a - 8 rate a."""

    def rule(a: Tensor, b: Tensor) -> dict[str, Tensor]:
        x = torch.ones((), requires_grad=True)
        (slope,) = torch.autograd.grad(a * x.square(), x, create_graph=True)
        return {"a": slope.square()}

    objective = Scalars(rule=rule)
    play(objective, plan(players={"a": sgd(learning_rate=0.01)}), tmp_path)
    assert objective.model.value("a") == pytest.approx(3 * 0.92**6, rel=1e-6)


def test_phases_have_their_own_batches_clips_and_players(tmp_path: Path) -> None:
    objective = Scalars(IN_TURN, lambda a, b: {"a": a, "b": b})
    phases = (
        phase(steps=4, batch_size=8, frames=2),
        phase(epochs=1, batch_size=11, players=("b",)),
        phase(steps=1, batch_size=5),
    )
    result = play(objective, both(phases=phases), tmp_path)
    assert objective.entered == [0, 1, 2]
    shapes = [tuple(batch.shape) for batch in objective.batches]
    # Three batches of 8 make an epoch, of 6 samples the last.
    assert shapes == [(8, 2), (8, 2), (6, 2)] * 2 + [(8, 2)] * 2 + [(11, 3)] * 2 + [(5, 3)] * 2
    moments = [(each.phase, each.phase_step, each.phase_steps) for each in objective.moments]
    assert moments[8:] == [(1, 0, 2), (1, 1, 2), (2, 0, 1), (2, 0, 1)]
    assert {moment.steps for moment in objective.moments} == {result.steps} == {7}
    # A phase begins with an epoch of its own; the first had begun three.
    assert list(result.epochs["step"]) == [2, 3, 4, 6, 7]
    assert list(result.epochs["epoch"]) == [2, 2, 3, 4, 5]
    orders = [permutation(runs.COUNT, 0, "test", "order", epoch) for epoch in (3, 4)]
    assert torch.equal(torch.cat(objective.batches[8:10]), runs.TRAIN.read(orders[0]))
    assert torch.equal(objective.batches[10], runs.TRAIN.read(orders[1][:5]))
    assert objective.model.value("a") == pytest.approx(3 - 5 * RATE)
    assert objective.model.value("b") == pytest.approx(1 - 7 * RATE)


def _after(folder: Path, *phases: Any, **player: Any) -> float:
    objective = Scalars(rule=lambda a, b: {"a": a.square()})
    settings = {"learning_rate": 0.3, "betas": (0.5, 0.8), **player}
    play(objective, plan(phases=phases, players={"a": adam(**settings)}), folder)
    return objective.model.value("a")


def test_optimizers_are_kept_or_restarted(tmp_path: Path) -> None:
    whole = _after(tmp_path / "whole", phase(steps=8))
    kept = _after(tmp_path / "kept", phase(steps=4), phase(steps=4))
    again = phase(steps=4, restart_optimizers=True)
    restarted = _after(tmp_path / "restarted", phase(steps=4), again)
    assert kept == whole != restarted

    class Later(Scalars):
        def start(self, batch: Tensor, moment: Moment) -> None:
            self.model.a[0].data.fill_(half)

    half = _after(tmp_path / "half", phase(steps=4))
    later = Later(rule=lambda a, b: {"a": a.square()})
    settings = plan(
        phases=(phase(steps=4),), players={"a": adam(learning_rate=0.3, betas=(0.5, 0.8))}
    )
    play(later, settings, tmp_path / "later")
    assert later.model.value("a") == restarted


def test_schedules_go_from_restart_to_restart(tmp_path: Path) -> None:
    again = phase(steps=3, restart_optimizers=True)
    settings = plan(
        phases=(phase(steps=2), phase(steps=2), again),
        players={"a": sgd(schedule="cosine", warmup_steps=1)},
        log_every=1,
    )
    rates = play(Scalars(), settings, tmp_path).curve["learning_rate"]
    first = [RATE, *(RATE * (1 + math.cos(math.pi * i / 3)) / 2 for i in range(3))]
    then = [RATE, RATE, RATE / 2]
    assert list(rates) == pytest.approx([*first, *then])


def test_frozen_parts_and_players_that_rest_do_not_move(tmp_path: Path) -> None:
    """Neither by gradient nor by decay."""
    objective = games.Growing()
    before: list[Tensor] = []

    def note() -> None:
        before.append(objective.model.line.weight.detach().clone())

    settings = plan(
        phases=(phase(steps=3), phase(steps=5), phase(steps=2)),
        players={"model": adam(kind="adamw", weight_decay=0.5)},
    )
    watched = runs.Watched(objective, note)
    fit(watched, lambda phase: runs.TRAIN, None, settings, runs.setting(Checkpoints(tmp_path)))
    moved = [not torch.equal(one, other) for one, other in itertools.pairwise(before)]
    assert moved == [True] * 3 + [False] * 5 + [True]


def test_averages_have_their_closed_form(tmp_path: Path) -> None:
    """a_n = d^n w_0 + (1 - d) sum_t d^(n - t) w_t, where w_0 is what the start from data leaves."""

    class Averaged(Scalars):
        def __init__(self) -> None:
            super().__init__()
            self.averaged = (self.model,)

        def start(self, batch: Tensor, moment: Moment) -> None:
            self.model.a[0].data.fill_(7.0)

        def losses(self, batch: Tensor, moment: Moment, turn: Turn) -> Losses:
            self.model.seen.add_(1)
            return super().losses(batch, moment, turn)

    objective, decay = Averaged(), 0.8
    phases = (phase(steps=2), phase(steps=4))
    settings = plan(phases=phases, players={"a": sgd()}, average=decay, validate_every=1)
    result = play(objective, settings, tmp_path)
    weights = [7 - RATE * step for step in range(7)]
    expected = [
        decay**n * 7 + sum((1 - decay) * decay ** (n - t) * weights[t] for t in range(1, n + 1))
        for n in range(1, 7)
    ]
    (average,) = result.averaged
    assert isinstance(average, Numbers)
    assert average.value("a") == pytest.approx(expected[-1], rel=1e-6)
    assert average.seen.item() == 6  # buffers are as they are
    assert objective.model.value("a") == pytest.approx(weights[-1], rel=1e-6)
    # What is validated is what is averaged.
    assert list(result.epochs["validation_a"]) == pytest.approx(expected, rel=1e-6)


ERRORS = [5.0, 4.0, 4.5, 2.0, 3.0, 2.5, 2.0, 6.0, 1.0]


def judged(**changes: Any) -> Plan:
    changes = {"phases": (phase(steps=9),), "players": {"a": sgd()}, **changes}
    return plan(validate_every=1, judge="error", log_every=1, **changes)


def test_the_best_weights_are_the_result(tmp_path: Path) -> None:
    for errors, best in ((ERRORS, 9), ([*ERRORS[:8], 2.0], 4), ([float("nan")] * 9, None)):
        objective = Scalars(measured=errors)
        settings = judged(diverging="record")
        result = play(objective, settings, tmp_path / str(best))
        assert (result.steps, result.best_step) == (9, best)
        assert objective.model.value("a") == pytest.approx(3 - RATE * (best or 9), rel=1e-6)


def test_the_best_is_of_the_last_phase(tmp_path: Path) -> None:
    objective = Scalars(measured=[*ERRORS[:8], 9.0])
    phases = (phase(steps=7), phase(steps=2))
    assert play(objective, judged(phases=phases), tmp_path / "8").best_step == 8
    objective = Scalars(measured=[*ERRORS[:7], math.nan, math.nan])
    settings = judged(phases=phases, diverging="record")
    assert play(objective, settings, tmp_path / "none").best_step is None


@pytest.mark.parametrize(("patience", "steps"), [(1, 3), (2, 6), (3, 7), (4, 8)])
def test_a_run_ends_when_its_patience_does(patience: int, steps: int, tmp_path: Path) -> None:
    objective = Scalars(measured=ERRORS)
    result = play(objective, judged(patience=patience), tmp_path)
    assert result.steps == steps
    assert list(result.epochs["validation_error"]) == ERRORS[:steps]
    assert result.best_step == (2 if steps == 3 else 4)
    # The patience is that of the last phase.
    phases = (phase(steps=7), phase(steps=2))
    again = play(Scalars(measured=ERRORS), judged(patience=patience, phases=phases), tmp_path / "2")
    assert again.steps == 9


def test_the_step_size_falls_when_the_judged_value_stalls(tmp_path: Path) -> None:
    player = sgd(schedule=Plateau(factor=0.5, patience=2))
    result = play(Scalars(measured=ERRORS), judged(players={"a": player}), tmp_path)
    # After the values 3.0 and 2.5, and after 2.0 and 6.0, neither of which was below 2.0.
    assert list(result.curve["learning_rate"]) == [RATE] * 6 + [RATE / 2] * 2 + [RATE / 4]


def test_a_start_from_data_is_made_once_from_the_first_batch(tmp_path: Path) -> None:
    objective = games.Growing()
    stopped = runs.Watched(objective, at_second())
    settings = plan(phases=(phase(steps=4, batch_size=8),))
    with pytest.raises(KeyboardInterrupt):
        runs.play(stopped, settings, Checkpoints(tmp_path / "kept", steps=1))
    first = permutation(runs.COUNT, 0, "test", "order", 0)[:8]
    offset = runs.TRAIN.read(first).mean(0)
    torch.testing.assert_close(objective.model.offset, offset, atol=2 * RATE * 10, rtol=0)
    resumed = games.Growing()
    play(resumed, settings, tmp_path)
    assert (objective.starts, resumed.starts) == (1, 0)


def at_second() -> Callable[[], None]:
    calls = [0]

    def count() -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt

    return count


def test_without_a_validation_there_are_no_values_of_one(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "kept")
    settings = plan(players={"a": sgd()})
    objective = Scalars()
    result = fit(objective, lambda phase: runs.TRAIN, None, settings, runs.setting(checkpoints))
    assert {*result.epochs} == {"epoch", "step", "samples", "train_loss", "train_gradient_norm"}


def test_a_turn_that_diverges_undoes_those_before_it(tmp_path: Path) -> None:
    def rule(a: Tensor, b: Tensor) -> dict[str, Tensor]:
        return {"a": a, "b": b * (float("nan") if a < 2.65 else 1.0)}

    objective = Scalars(IN_TURN, rule)
    result = play(objective, both(diverging="record"), tmp_path)
    assert result.diverged_at == 4
    assert objective.model.value("a") == pytest.approx(3 - 3 * RATE)
    assert objective.model.value("b") == pytest.approx(1 - 3 * RATE)
    assert result.samples == runs.COUNT  # six batches
