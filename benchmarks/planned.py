"""What steps of planned trainings take here, beside what `foreframe costs --plan` says of them.

    python -m benchmarks.planned OUT.json driving:train_autoencoder driving:train_prior@top

Networks have the sizes of the preset and random weights, frames are noise, codes random. A step is
the forward and backward passes of all its players, in one piece, on its largest batch or as many
clips as are asked for; what an optimiser does is left out, as it is in the plan. It is the median
of several, after two that do not count. `reached` is the share of the device's own matrix product,
measured in the same run; `of_peak` that of the peak which the plan starts from. What does not fit
into memory has no numbers.
"""

import argparse
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks import limits  # noqa: E402
from foreframe.artefacts import facts  # noqa: E402
from foreframe.config.compute import Compute  # noqa: E402
from foreframe.models import Model  # noqa: E402
from foreframe.networks.recomputed import recomputing  # noqa: E402
from foreframe.priors import Prior  # noqa: E402
from foreframe.randomness import Numbers, generator  # noqa: E402
from foreframe.running import compute  # noqa: E402
from foreframe.training.samples import to_device  # noqa: E402
from workflow import costs, passes, plan, studies  # noqa: E402

SPELT: Mapping[str, str] = dict(zip(plan.PRECISIONS, ("float32", "tf32", "bfloat16"), strict=True))
SIDE = 8192
ROUNDS = 5
ROOT = Path(__file__).parents[1]
LABELS = 2  # the fewest classes that a label can have


@dataclass(frozen=True)
class Step:
    """A step of one training at one precision, of `batch` clips.

    planned_bytes: what is kept for the backward pass, as counted; bytes: the most that the device
    held beyond weights and batch, gradients and what an operation works with among it.
    """

    stage: str
    precision: str
    recomputed: bool
    parameters: int
    batch: int
    operations: int
    planned_bytes: int
    seconds: float | None = None
    bytes: int | None = None
    reached: float | None = None
    of_peak: float | None = None


def real(value: Any, numbers: Numbers, codes: int) -> Any:
    """Return numbers in the place of tensors on the meta device: noise, codes below `codes`."""
    if isinstance(value, Mapping):
        return {name: real(each, numbers, codes) for name, each in value.items()}
    assert isinstance(value, Tensor)
    shape = tuple(value.shape)
    if value.dtype.is_floating_point:
        return numbers.uniform(shape)
    return numbers.integers(0, codes, shape)


def take(model: Model, batch: Any, device: torch.device, settings: Compute) -> None:
    """Take a step, its gradients thrown away."""
    objective = model.objective()
    for turn in objective.turns:
        with compute.autocast(device, settings):
            losses = objective.losses(batch, passes.moment(), turn)
        total = torch.stack([part["loss"] for part in losses.values()]).sum()
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        torch.autograd.grad(total, weights, allow_unused=True)


def _settings(device: torch.device, name: str) -> Compute:
    raw = {"device": device.type, "instructions": "portable", "threads": 1}
    return Compute.model_validate(raw | {"precision": SPELT[name]})


def product(device: torch.device, settings: Compute) -> float:
    """Return the operations a second of a product of two matrices at a precision."""
    side = SIDE if device.type == "cuda" else 512
    one = generator(0, "benchmark", "matrix").normal((side, side)).to(device)
    with compute.autocast(device, settings):
        return 2 * side**3 / limits.best(lambda: one @ one, device, 10)


def timed(
    stage: str,
    empty: Model,
    model: Model,
    size: int,
    name: str,
    device: torch.device,
    peak: float,
    *,
    again: bool,
) -> Step:
    """Return what a step of `model` takes, and what is planned with its empty twin."""
    counted = passes.pass_of(empty, size)
    assert counted is not None, f"{stage}: its plan has no operations"
    found = Step(stage, name, again, model.trainable(), size, costs.PASSES * counted[0], counted[1])
    settings = _settings(device, name)
    compute.prepare(settings)
    example, numbers = passes.example(empty, size), generator(0, "benchmark", "batch")
    codes = LABELS
    if isinstance(model, Prior):
        given = (model.given.codes, *model.given.conditions.values())
        codes = min(each.codebook_size for each in given)
    batch = to_device(real(example, numbers, codes), device)
    reachable = product(device, settings)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    try:
        for _ in range(2):
            take(model, batch, device, settings)
        seconds = statistics.median(
            limits.timed(lambda: take(model, batch, device, settings), device)
            for _ in range(ROUNDS)
        )
    except torch.OutOfMemoryError:
        return found
    peaked = torch.cuda.max_memory_allocated(device) - before if device.type == "cuda" else None
    speed = found.operations / seconds
    values = {"seconds": seconds, "bytes": peaked, "reached": speed / reachable}
    return Step(**{**asdict(found), **values, "of_peak": speed / peak})


def steps_of(name: str, empty: Model, model: Model, options: argparse.Namespace) -> Iterator[Step]:
    """Yield a training at every precision, and in float32 with activations computed again."""
    phases = model.settings.training.plan().phases
    size = min(max(phase.batch_size for phase in phases), options.clips)
    model.initialize(generator(0, "benchmark", name))
    model.to(options.device)
    for again in (False, True):
        with recomputing(asked=again):
            for precision in plan.PRECISIONS[: 1 if again else None]:
                peak = plan.PEAKS[options.gpu][plan.PRECISIONS.index(precision)]
                how = precision, options.device, peak
                yield timed(name, empty, model, size, *how, again=again)


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("stages", nargs="+", metavar="STUDY:STAGE")
    parser.add_argument("--scale", default="thesis")
    parser.add_argument("--clips", default=1024, type=int, help="of a step, at most")
    parser.add_argument("--device", default="cuda", type=torch.device)
    parser.add_argument("--gpu", default="h100", choices=plan.PEAKS)
    options = parser.parse_args()
    machine = limits.machine(options.device)
    print(machine)
    steps: list[Step] = []
    wanted: dict[str, set[str]] = {}
    for word in options.stages:
        study, _, stage = word.partition(":")
        wanted.setdefault(study, set()).add(stage)
    cpu = torch.device("cpu")
    for study, stages in wanted.items():
        place = studies.named(ROOT, study)
        empties = plan.models(ROOT, place, options.scale, only=stages)
        models = plan.models(ROOT, place, options.scale, cpu, stages)
        seen: set[str] = set()
        for (stage, empty), (_, model) in zip(empties, models, strict=True):
            seen.add(studies.local(stage.name))
            if isinstance(empty, str) or isinstance(model, str):
                raise SystemExit(f"error: {stage.name}: {model}.")
            for step in steps_of(studies.local(stage.name), empty, model, options):
                steps.append(step)
                print(line(step), flush=True)
            # After each model, so that a run that is stopped has said something.
            values = {"machine": machine, "steps": [asdict(each) for each in steps]}
            facts.write(options.out, "benchmark_planned", values)
        if stages - seen:
            raise SystemExit(
                f"error: {study} trains nothing by {', '.join(sorted(stages - seen))}."
            )


def line(step: Step) -> str:
    """Return a step as a row."""
    start = (
        f"{step.stage:45}{step.precision:9}{'again' if step.recomputed else '':6}"
        f"{step.parameters:>13,}{step.batch:5}{costs.scaled(step.operations):>9}"
        f"{costs.size(step.planned_bytes):>10}"
    )
    if step.seconds is None:
        return f"{start}   does not fit"
    return (
        f"{start}{costs.size(step.bytes):>10}{step.seconds * 1e3:9.1f} ms"
        f"{step.reached:8.1%}{step.of_peak:8.1%}"
    )


if __name__ == "__main__":
    main()
