"""The training loop: its position is one integer, the step, so any killed run can be continued.

Data order, noise and step size are functions of the step; nothing else is carried along but the
weights, the optimiser's moments and the curves. The same step gives the same bytes, always.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

import torch
from torch import Tensor, nn
from tqdm import tqdm

from foreframe.compute import autocast
from foreframe.config.compute import Compute
from foreframe.config.training import Training
from foreframe.errors import UserError
from foreframe.randomness import generator
from foreframe.training import optimization
from foreframe.training.checkpoints import Checkpoints, Snapshot
from foreframe.training.interruption import Interruption
from foreframe.training.result import Result, table
from foreframe.training.samples import Batch, Samples, in_order, shuffled, to_device
from foreframe.training.tally import Tally

DIVERGED = (
    "the training has diverged. Lower training.learning_rate, set training.gradient_clip, for "
    "example to 1.0, or let training.diverging record it."
)

Loss = Callable[[Batch, torch.Generator], Mapping[str, Tensor]]


def fit(
    *,
    model: nn.Module,
    loss: Loss[Batch],
    train: Samples[Batch],
    validation: Samples[Batch],
    training: Training,
    seed: int,
    purpose: str,
    compute: Compute,
    device: torch.device,
    checkpoints: Checkpoints,
) -> Result:
    """Fit `model` in place, on `device`; go on from a checkpoint where there is one.

    `loss(batch, generator)` returns a dictionary whose entry `loss`, a scalar, is minimised. All
    its scalars, which must be means over the batch, are logged; see `tally` for counts of codes.
    It is called with the batch on the device, under the run's precision; the generator is that of
    the step (or of the validation batch) and lives on the CPU. Validation goes through the whole
    set after every epoch, in eval mode and without gradients. Equal arguments give equal weights,
    whether or not the run was interrupted; the random numbers are named by `seed` and `purpose`.

    With `training.diverging: record` a run whose loss is no longer finite ends before that step,
    and validates once more.

    Raises:
        UserError: the training set is empty, the warm-up is longer than the run, or the loss is no
            finite number: at the first step, or later where that is not to be recorded.
        SystemExit: after SIGINT or SIGTERM (130, 143), once a checkpoint is written.
    """
    model.to(device)
    run = _Run(
        model, loss, train, validation, training, seed, purpose, compute, device, checkpoints
    )
    run.check()
    with Interruption() as run.interruption:
        run.resume()
        run.go()
    return run.result()


@dataclass
class _Run(Generic[Batch]):
    model: nn.Module
    loss: Loss[Batch]
    train: Samples[Batch]
    validation: Samples[Batch]
    training: Training
    seed: int
    purpose: str
    compute: Compute
    device: torch.device
    checkpoints: Checkpoints
    interruption: Interruption = field(default_factory=Interruption)
    step: int = 0
    samples: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float | None]] = field(default_factory=list)
    window: Tally = field(default_factory=Tally)
    epoch: Tally = field(default_factory=Tally)
    unchecked: list[Tensor] = field(default_factory=list)  # not yet known to be finite
    diverged_at: int | None = None

    def __post_init__(self) -> None:
        self.optimizer = optimization.optimizer(self.model, self.training)
        self.steps_per_epoch = -(-self.train.count // self.training.batch_size)
        self.steps = self.steps_per_epoch * self.training.epochs

    def check(self) -> None:
        for name, samples in (("training", self.train), ("validation", self.validation)):
            if samples.count == 0:
                raise UserError(
                    f"{self.purpose}: the {name} set is empty. Collect more frames, use shorter "
                    "clips, or give the set a larger share in `split`."
                )
        if self.training.warmup_steps >= self.steps:
            raise UserError(
                f"{self.purpose}: training.warmup_steps is {self.training.warmup_steps}, but the "
                f"run has {self.steps} steps. Lower it, or train for more epochs."
            )

    def go(self) -> None:
        with self._bar() as bar:
            while not self._finished():
                if self.diverged_at is None:
                    self._train(bar)
                self._close_epoch()

    def _finished(self) -> bool:
        # A run that diverged has an epoch to close, unless it was at the epoch's first step.
        diverged = self.diverged_at is not None and self.epoch.samples == 0
        return diverged or len(self.epochs) == self.training.epochs

    def _train(self, bar: "tqdm[Any]") -> None:
        """Take the steps that are left of the epoch, or of the run if it diverges."""
        self.model.train()
        for samples, batch in self._rest_of_epoch():
            self._one_step(batch, samples)
            if self.diverged_at is not None:
                return
            self._log()
            bar.set_postfix(self._last_loss(), refresh=False)
            bar.update()
            self._pause()

    def _bar(self) -> "tqdm[Any]":
        # Without a terminal each refresh is a line of a log file.
        patience = 0.2 if sys.stderr.isatty() else 30.0
        return tqdm(
            total=self.steps,
            initial=self.step,
            desc=self.purpose,
            unit="step",
            mininterval=patience,
            maxinterval=max(10.0, patience),
        )

    def _last_loss(self) -> dict[str, float]:
        return {"loss": self.curve[-1]["loss"]} if self.curve else {}

    def _rest_of_epoch(self) -> Iterator[tuple[int, Batch]]:
        epoch = len(self.epochs)
        order = shuffled(self.train.count, self.training.batch_size, self.seed, self.purpose, epoch)
        return self.train.batches(order[self.step - epoch * self.steps_per_epoch :])

    def _one_step(self, batch: Batch, samples: int) -> None:
        noise = generator(self.seed, self.purpose, "step", self.step)
        with autocast(self.device, self.compute):
            values = self.loss(to_device(batch, self.device), noise)
        norm = optimization.gradient(self.optimizer, values["loss"])
        self.unchecked.append(values["loss"].detach() + norm)
        if self._diverges():
            return
        rate = optimization.learning_rate(self.training, self.step, self.steps)
        optimization.follow(self.optimizer, norm, rate, self.training.gradient_clip)
        for tally in (self.window, self.epoch):
            tally.add({**values, "gradient_norm": norm}, samples)
        self.step += 1
        self.samples += samples

    def _diverges(self) -> bool:
        """Note that the step to be taken diverges, if that is to be recorded.

        At once, although it makes the host wait for the device: what is written must not depend on
        when a checkpoint happened to look. Before the first step there is nothing to record.
        """
        if self.training.diverging == "stop" or self.step == 0 or self.unchecked[-1].isfinite():
            return False
        self.unchecked.pop()
        self.diverged_at = self.step + 1
        if self.window.samples > 0:
            self._close_row()
        return True

    def _log(self) -> None:
        """Close the row of the curve that the step completes."""
        if self.step % self.training.log_every == 0 or self.step == self.steps:
            self._close_row()

    def _close_row(self) -> None:
        self._check_finite()
        rate = optimization.learning_rate(self.training, self.step - 1, self.steps)
        row = {**self._position(), **self.window.averages(), "learning_rate": rate}
        self.curve.append(row)
        self.window = Tally()

    def _position(self) -> dict[str, int]:
        epoch = -(-self.step // self.steps_per_epoch)  # counted from 1
        return {"epoch": epoch, "step": self.step, "samples": self.samples}

    def _check_finite(self) -> None:
        if not self.unchecked:
            return
        finite = torch.stack(self.unchecked).isfinite().tolist()
        if not all(finite):
            step = self.step - len(finite) + finite.index(False) + 1
            raise UserError(
                f"{self.purpose}: the loss of step {step} or its gradient is not a finite number: "
                f"{DIVERGED}"
            )
        self.unchecked = []

    def _close_epoch(self) -> None:
        if self._finished():
            return
        self._check_finite()
        train = {f"train_{name}": value for name, value in self.epoch.averages().items()}
        validation = {f"validation_{name}": value for name, value in self._validate().items()}
        self.epochs.append({**self._position(), **train, **self._finite(validation)})
        self.epoch = Tally()
        self._save()
        self._stop_if_asked()

    def _finite(self, values: Mapping[str, float]) -> dict[str, float | None]:
        """Return values of a validation, None for those that are no finite numbers."""
        if self.training.diverging == "stop" and not math.isfinite(values["validation_loss"]):
            raise UserError(
                f"{self.purpose}: the validation loss after step {self.step} is not a finite "
                f"number: {DIVERGED}"
            )
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        self.model.eval()
        tally = Tally()
        groups = in_order(self.validation.count, self.training.batch_size)
        for position, (samples, batch) in enumerate(self.validation.batches(groups)):
            noise = generator(self.seed, self.purpose, "validation", position)
            with autocast(self.device, self.compute):
                tally.add(self.loss(to_device(batch, self.device), noise), samples)
            # Validation changes nothing, so a run may stop in its midst.
            self._pause()
        return tally.averages()

    def _pause(self) -> None:
        if self.interruption.number is not None or self.checkpoints.due(self.step):
            self._save()
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.interruption.number is not None:
            raise SystemExit(128 + self.interruption.number)

    def _save(self) -> None:
        self._check_finite()
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
        facts: dict[str, Any] = {"samples": self.samples, "diverged_at": self.diverged_at}
        facts |= {"curve": self.curve, "epochs": self.epochs}
        for name, tally in (("window", self.window), ("epoch", self.epoch)):
            tensors |= {f"{name}/{key}": value for key, value in tally.sums.items()}
            facts[name] = tally.samples
        self.checkpoints.save(Snapshot(self.step, tensors, facts))

    def resume(self) -> None:
        snapshot = self.checkpoints.load()
        if snapshot is None:
            return
        self.step, facts = snapshot.step, snapshot.facts
        self.samples, self.curve, self.epochs = facts["samples"], facts["curve"], facts["epochs"]
        self.diverged_at = facts["diverged_at"]
        self.model.load_state_dict(_under("model", snapshot.tensors))
        self._resume_optimizer(_under("optimizer", snapshot.tensors))
        for name, tally in (("window", self.window), ("epoch", self.epoch)):
            tally.samples = facts[name]
            sums = _under(name, snapshot.tensors)
            tally.sums = {key: value.to(self.device) for key, value in sums.items()}

    def _resume_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        parameters = self.optimizer.param_groups[0]["params"]
        state: dict[int, dict[str, Tensor]] = {index: {} for index in range(len(parameters))}
        for name, value in tensors.items():
            index, _, key = name.partition("/")
            like = parameters[int(index)]
            # Moments must lie in memory as their parameter does: one kernel walks over both.
            moment = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            state[int(index)][key] = moment
        state = {index: moments for index, moments in state.items() if moments}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})

    def result(self) -> Result:
        tables = table(self.curve), table(self.epochs)
        return Result(self.step, self.samples, *tables, self.diverged_at)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
