"""The training loop: its position is one integer, the step, so any killed run can be continued.

Data order, noise and step size are functions of the step; nothing else is carried along but the
weights, the optimisers' moments, averaged weights and the tables. The same step gives the same
bytes, always.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from torch import Tensor
from tqdm import tqdm

from foreframe.config.training import Phase, Plan
from foreframe.errors import UserError
from foreframe.training import checking, schedules
from foreframe.training.interruption import Interruption
from foreframe.training.objective import Objective
from foreframe.training.result import Result, table
from foreframe.training.samples import Batch, Samples, in_order
from foreframe.training.sharding import Shards
from foreframe.training.state import Row, State
from foreframe.training.step import DIVERGED, Run, Stepper
from foreframe.training.tally import Tally, at_home
from foreframe.training.timeline import Stretch, lay_out


def fit(
    objective: Objective[Batch],
    data: Callable[[Phase], Samples[Batch]],
    validation: Callable[[Phase], Samples[Batch]] | None,
    plan: Plan,
    run: Run,
) -> Result:
    """Fit the objective's model in place; go on from a checkpoint where there is one.

    `data` and `validation` give a phase's samples. All that the objective returns is logged; it is
    called with batches on the device, under the run's precision. The validation goes through its
    whole set after every epoch, or as often as the plan says, with the averaged weights where there
    are any. Where a value is judged the model ends with the last phase's best weights. Equal
    arguments give equal weights, whether or not the run was interrupted.

    With `diverging: record` a run whose loss is no longer finite ends before that step, and
    validates once more.

    Raises:
        UserError: the plan does not fit the objective or the data, or a loss is no finite number:
            at the first step, or later where that is not to be recorded.
        SystemExit: after SIGINT or SIGTERM (130, 143), once a checkpoint is written.
    """
    validated = validation is not None
    checking.check_settings(objective, plan, validated=validated, where=run.purpose)
    train = [data(phase) for phase in plan.phases]
    held_out = [validation(phase) for phase in plan.phases] if validation is not None else []
    checking.check_sets(train, held_out, run.purpose)
    timeline = lay_out(plan, objective.turns, [samples.count for samples in train])
    checking.check_lengths(plan, timeline, run.purpose)
    shards = Shards(plan.shards, run.crew)
    state = State(objective, plan, run.device, shards)
    state.resume(run.checkpoints, timeline)
    stepper = Stepper(objective, plan, run, state, shards, timeline[-1].end)
    with Interruption() as interruption:
        _Course(stepper, train, held_out, timeline, interruption).go()
    state.return_to_best()
    return Result(
        steps=state.step,
        samples=state.samples,
        curve=table(state.curve),
        epochs=table(state.epochs),
        diverged_at=state.diverged_at,
        averaged=state.averages.modules,
        best_step=state.best_step,
    )


@dataclass
class _Course(Generic[Batch]):
    stepper: Stepper[Batch]
    train: list[Samples[Batch]]  # by phase
    validation: list[Samples[Batch]]  # by phase; none without a validation
    timeline: tuple[Stretch, ...]
    interruption: Interruption

    def __post_init__(self) -> None:
        self.state, self.plan = self.stepper.state, self.stepper.plan
        self.run, self.model = self.stepper.run, self.stepper.objective.model

    def go(self) -> None:
        """Take all steps that are left."""
        with self._bar() as bar:
            while not self._finished():
                self._enter()
                if self.state.diverged_at is None:
                    self._train(bar)
                self._close_epoch()

    @property
    def _stretch(self) -> Stretch:
        """The phase of the row of the table of epochs that is to be closed next."""
        step = self.state.closed
        return next(each for each in self.timeline if each.first <= step < each.end)

    def _finished(self) -> bool:
        state, steps = self.state, self.stepper.steps
        if state.diverged_at is not None:
            # It has an epoch to close, unless it was at the epoch's first step.
            return state.closed == state.step
        if state.closed == steps:
            return True
        patience, judged = self.plan.patience, state.judged(self.timeline[-1])
        return (
            patience is not None
            and state.closed == state.step
            and schedules.count_stalls(judged, patience) > 0
        )

    def _enter(self) -> None:
        if self.state.phase != self._stretch.index:
            self.state.enter(self._stretch)
        checking.check_weights(self.stepper.objective, self._stretch, self.run.purpose)

    def _train(self, bar: "tqdm[Any]") -> None:
        """Take the steps that are left of the epoch, or of the run if it diverges."""
        self.model.train()
        stretch, state, run = self._stretch, self.state, self.run
        end = stretch.row_end(state.closed, self.plan.validate_every)
        samples = self.train[stretch.index]
        groups = stretch.groups(samples.count, run.seed, run.purpose, state.step, end)
        if state.step == 0:
            first, *_ = stretch.groups(samples.count, run.seed, run.purpose, 0, 1)
            self.stepper.start(stretch, samples.read(first))
        batches = samples.parts(groups, self.stepper.shards.rows)
        while state.step < end:
            if not self.stepper.take(stretch, batches):
                if state.row_begun:
                    self._close_row(stretch)
                return
            if state.step % self.plan.log_every == 0 or state.step == self.stepper.steps:
                self._close_row(stretch)
            if state.step == 1:
                self._check_judge(stretch)
            bar.set_postfix(self._last_losses(), refresh=False)
            bar.update()
            self._pause()

    def _bar(self) -> "tqdm[Any]":
        # Without a terminal each refresh is a line of a log file.
        patience = 0.2 if sys.stderr.isatty() else 30.0
        return tqdm(
            total=self.stepper.steps,
            initial=self.state.step,
            desc=self.run.purpose,
            unit="step",
            mininterval=patience,
            maxinterval=max(10.0, patience),
            disable=self.run.crew.rank > 0,
        )

    def _last_losses(self) -> Row:
        row = self.state.curve[-1] if self.state.curve else {}
        return {name: value for name, value in row.items() if name.endswith("loss")}

    def _close_row(self, stretch: Stretch) -> None:
        """End a row of the curve."""
        self.stepper.check_finite()
        row: Row = {**self._position(stretch), **self.state.window.averages()}
        for name, rate in self.stepper.rates(stretch, self.state.step - 1).items():
            row[self.stepper.label(name, "learning_rate")] = rate
        self.state.curve.append(row)
        self.state.window.clear()

    def _position(self, stretch: Stretch) -> dict[str, int]:
        step, samples = self.state.step, self.state.samples
        return {"epoch": stretch.epochs_begun(step), "step": step, "samples": samples}

    def _close_epoch(self) -> None:
        if self._finished():
            return
        self.stepper.check_finite()
        state, stretch = self.state, self._stretch
        measured = self._finite(self._validate(stretch) if self.validation else {})
        judged = measured.get(self.plan.judge or "")
        if judged is not None and judged < min([math.inf, *state.judged(stretch)]):
            state.keep_best()
        train = {f"train_{name}": value for name, value in state.epoch.averages().items()}
        validation = {f"validation_{name}": value for name, value in measured.items()}
        state.epochs.append({**self._position(stretch), **train, **validation})
        state.epoch.clear()
        self._save()
        self._pause(saved=True)

    def _finite(self, values: Mapping[str, float]) -> Row:
        """Return values of a validation, None for those that are no finite numbers."""
        for name in ("loss", self.plan.judge or "loss"):
            if self.plan.diverging == "stop" and not math.isfinite(values.get(name, 0.0)):
                raise UserError(
                    f"{self.run.purpose}: the validation {name} after step {self.state.step} is "
                    f"not a finite number: {DIVERGED}"
                )
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    def _validate(self, stretch: Stretch) -> dict[str, float]:
        """Return what the whole set gives; processes take its batches in turn."""
        self.model.eval()
        crew, samples = self.run.crew, self.validation[stretch.index]
        groups = in_order(samples.count, stretch.phase.batch_size)
        measured: dict[int, tuple[Mapping[str, Tensor], int]] = {}
        batches = samples.batches(groups[crew.rank :: crew.count])
        for first in range(0, len(groups), crew.count):
            position = first + crew.rank
            if position < len(groups):
                count, batch = next(batches)
                values = self.stepper.measure(stretch, batch, position)
                measured[position] = (at_home(values) if crew.count > 1 else values, count)
            # Validation changes nothing, so a run may stop in its midst.
            self._pause()
        tally = Tally()
        for part in crew.each(measured):
            measured |= part
        for _, (values, count) in sorted(measured.items()):
            tally.add(values, count)
        return tally.averages()

    def _check_judge(self, stretch: Stretch) -> None:
        """Refuse a judge that the validation does not measure, as soon as that can be known."""
        if self.plan.judge is None:
            return
        self.model.eval()
        samples, tally = self.validation[stretch.index], Tally()
        first = in_order(samples.count, stretch.phase.batch_size)[0]
        tally.add(self.stepper.measure(stretch, samples.read(first), 0), len(first))
        self.model.train()
        checking.check_judge(self.plan.judge, tally.averages(), self.run.purpose)

    def _pause(self, *, saved: bool = False) -> None:
        """Save where that is due, and stop where that is asked; all processes do the same."""
        run = self.run
        due = not saved and run.crew.rank == 0 and run.checkpoints.due(self.state.step)
        number, save = run.crew.largest(self.interruption.number or 0, int(due))
        if save or (number and not saved):
            self._save()
        if number:
            raise SystemExit(128 + number)

    def _save(self) -> None:
        self.stepper.check_finite()
        self.state.save(self.run.checkpoints)
