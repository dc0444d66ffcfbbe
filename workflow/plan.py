"""`foreframe costs --plan`: what the trainings of a preset would take, before any of them is run.

Networks are built, and run forwards, on the meta device: that needs no memory and no time at any
size. Parameters, operations and bytes are counted so and are exact; the time is what a machine
takes that reaches a share of its peak, and so a guess.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from foreframe import autoencoders, priors
from foreframe.autoencoders import Autoencoder
from foreframe.config import study
from foreframe.config.study import Resolved
from foreframe.errors import UserError
from foreframe.models import Model, Shape, SingleLoss
from foreframe.predictors import learned
from foreframe.predictors.learned import LearnedPredictor
from foreframe.priors import Prior
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from stages import train_predictor, train_prior
from workflow import costs, dag, preset, studies
from workflow.dag import Declared
from workflow.studies import Place

# Of its peak that a training reaches where its products are large.
REACHED = 0.4
# Floating-point operations a second of products in float32, without and with TF32, and in bfloat16,
# dense, as their makers state them.
PEAKS = {
    "rtx4090": (82.6e12, 82.6e12, 165.2e12),
    "a100": (19.5e12, 156e12, 312e12),
    "h100": (66.9e12, 494.7e12, 989.4e12),
    "h200": (66.9e12, 494.7e12, 989.4e12),
}
PRECISIONS = ("float32", "tf32", "bf16")
NUMBER = 4  # bytes of a weight: master weights and moments are float32 at every precision


@dataclass(frozen=True)
class Planned:
    """What one training would take; None where a number is not known.

    Attributes:
        stage: DVC's address for it.
        parameters: numbers trained by gradient.
        batch: clips of a step, the most of all phases.
        steps: of all phases, where these are not counted in epochs.
        operations: of a step, forwards and backwards, of the largest batch.
        weights: bytes of weights, their gradients, and what the optimiser keeps of each.
        activations: bytes that are kept of a step's forward pass for its backward pass.
        hours: of all steps on a GPU, or of one step times 1,000 where the steps are not known.
        why: why something is not known, in words.
    """

    stage: str
    parameters: int | None = None
    batch: int | None = None
    steps: int | None = None
    operations: int | None = None
    weights: int | None = None
    activations: int | None = None
    hours: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Scene:
    """What the stages of a study at a scale would be given.

    Attributes:
        root: the project.
        place: the study.
        known: its parameters at the scale, and those of its base.
        makers: the stage that makes each file.
    """

    root: Path
    place: Place
    known: Mapping[str, Resolved]
    makers: Mapping[str, Declared]

    def value(self, word: str) -> Any:
        """Return what a word of a command, `FILE:section.name`, stands for."""
        file, _, key = word.partition(":")
        owner = studies.MAIN if file == "params.yaml" else self.place.name
        section, *rest = key.split(".")
        if section not in type(self.known[owner].study).model_fields:
            raise _UnknownError(f"its settings are what {file} will say")
        found: Any = getattr(self.known[owner].study, section)
        for name in rest:
            found = found[name] if isinstance(found, Mapping) else getattr(found, name)
        return found


def run(
    root: Path, scale: str, only: str | None, gpu: str, precision: str, *, as_json: bool
) -> int:
    """Print what the trainings of every study, or of one, would take at a scale.

    Raises:
        UserError: there is no such study, preset or GPU.
    """
    places = studies.places(root) if only is None else (studies.named(root, only),)
    rows = [row for place in places for row in table(root, place, scale, gpu, precision)]
    if as_json:
        print(
            json.dumps(
                {"schema": "foreframe/plan", "stages": [asdict(row) for row in rows]}, indent=2
            )
        )
        return 0
    print("\n".join(lines(rows, gpu, precision)))
    return 0


def lines(rows: Sequence[Planned], gpu: str, precision: str) -> Iterator[str]:
    """Yield a table of what is planned, and what its columns mean."""
    width = max((len(row.stage) for row in rows), default=0)
    yield (
        f"{'stage':{width}}{'parameters':>14}{'batch':>7}{'steps':>9}{'operations':>12}"
        f"{'weights':>10}{'activations':>13}{'hours':>10}"
    )
    for row in rows:
        if row.parameters is None:
            yield f"{row.stage:{width}}  {row.why}"
            continue
        hours = "-" if row.hours is None else f"{row.hours:.3g}{'' if row.steps else ' *'}"
        yield (
            f"{row.stage:{width}}{row.parameters:>14,}{row.batch:>7}"
            f"{'-' if row.steps is None else row.steps:>9}{costs.scaled(row.operations):>12}"
            f"{costs.size(row.weights):>10}{costs.size(row.activations):>13}{hours:>10}"
        )
    yield (
        "Operations are of a step, forwards and backwards; weights are theirs, their gradients' "
        "and the optimiser's bytes; activations what a step keeps for its backward pass."
    )
    yield (
        f"Hours are those of one {gpu} that reaches {REACHED:.0%} of its peak in {precision}; "
        "* of 1,000 steps, where steps are counted in epochs of data that are yet to be collected."
    )


def table(root: Path, place: Place, scale: str, gpu: str, precision: str) -> Iterator[Planned]:
    """Yield a row for each training of a study.

    Raises:
        UserError: there is no such preset or GPU.
    """
    if gpu not in PEAKS:
        raise UserError(f"--gpu is {gpu}. Choose one of: {', '.join(PEAKS)}.")
    peak = PEAKS[gpu][PRECISIONS.index(precision)]
    declared = dag.declared(root)
    makers = {path: stage for stage in declared for path in stage.outs}
    scene = Scene(root, place, _known(root, place, scale), makers)
    for stage in declared:
        if stage.study == place.name and _module(stage) in BUILDERS:
            yield _row(scene, stage, peak)


def _known(root: Path, place: Place, scale: str) -> dict[str, Resolved]:
    """Return what is set at a scale; the base is at the same scale."""
    main = studies.Place(studies.MAIN)
    base = preset.values(scale, root / main.presets)
    found = {main.name: study.resolve(base, f"preset {scale}")}
    if place.name != main.name:
        own = preset.values(scale, root / place.presets)
        theirs = base if study.BASE in own else None
        found[place.name] = study.resolve(own, f"preset {scale} of {place.name}", theirs)
    return found


def _row(scene: Scene, stage: Declared, peak: float) -> Planned:
    try:
        model = BUILDERS[_module(stage)](scene, _options(stage))
    except _UnknownError as reason:
        return Planned(stage.name, why=str(reason))
    plan = model.settings.training.plan()
    batch = max(phase.batch_size for phase in plan.phases)
    steps = [phase.steps for phase in plan.phases]
    total = None if None in steps else sum(step or 0 for step in steps)
    parameters = sum(part.numel() for part in model.parameters())
    kept = sum(2 + _moments(player.kind) for player in plan.players.values()) / len(plan.players)
    weights = int(NUMBER * (parameters * kept + (parameters if plan.average is not None else 0)))
    counted = pass_of(model, batch)
    if counted is None:
        why = "several players" if not isinstance(model, SingleLoss) else "its loss needs numbers"
        return Planned(stage.name, model.trainable(), batch, total, None, weights, None, None, why)
    forward, activations = counted
    work = costs.PASSES * forward
    hours = work * (1000 if total is None else total) / (REACHED * peak) / 3600
    return Planned(stage.name, model.trainable(), batch, total, work, weights, activations, hours)


def _moments(kind: str) -> int:
    """Return how many numbers an optimiser keeps of each weight."""
    return {"adam": 2, "adamw": 2, "rmsprop": 2, "sgd": 1}[kind]


def pass_of(model: Model, batch: int) -> tuple[int, int] | None:
    """Return the operations of a forward pass of a batch, and the bytes that it keeps.

    None where that cannot be counted: a loss has none on the meta device that looks at its numbers.
    """
    if not isinstance(model, SingleLoss):
        return None
    saved = Kept(model)
    try:
        with FlopCounterMode(display=False) as counter, saved:
            model.loss(example(model, batch), _moment())
    except RuntimeError as error:
        if "meta" not in str(error):
            raise
        return None
    return counter.get_total_flops(), saved.bytes


def example(model: Model, batch: int) -> dict[str, Any]:
    """Return a batch as a model's loss takes it, without numbers, on the meta device."""
    if isinstance(model, Autoencoder):
        one: Any = {"x": model.given.clip()}
    elif isinstance(model, Prior):
        one = train_prior.one_clip(model)
    else:
        assert isinstance(model, LearnedPredictor)
        one = train_predictor.one_clip(model)
    return _of_many(one, batch)


def _of_many(value: Any, count: int) -> Any:
    if isinstance(value, Mapping):
        return {name: _of_many(each, count) for name, each in value.items()}
    assert isinstance(value, Tensor)
    return value.new_empty((count, *value.shape[1:]))


def _moment() -> Moment:
    return Moment(0, 1, 0, 0, 1, generator(0, "plan"))


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that a forward pass keeps for the backward pass, each memory once.

    Weights are kept anyway and do not count.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(self._note, lambda kept: kept)
        self._own = {_memory(part) for part in (*model.parameters(), *model.buffers())}
        self._seen: dict[int, int] = {}
        self._held: list[Tensor] = []  # so that no memory is given to another tensor meanwhile

    @property
    def bytes(self) -> int:
        """What was kept so far."""
        return sum(self._seen.values())

    def _note(self, tensor: Tensor) -> Tensor:
        place = _memory(tensor)
        if place not in self._own and place not in self._seen:
            self._seen[place] = tensor.untyped_storage().nbytes()
            self._held.append(tensor)
        return tensor


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


class _UnknownError(Exception):
    """Why a network cannot be built before anything has run."""


Options = Mapping[str, Sequence[str]]


def _module(stage: Declared) -> str:
    return shlex.split(stage.commands[0])[2].rpartition(".")[2]


def _options(stage: Declared) -> Options:
    """Return the words after each option of a stage's command."""
    found: dict[str, list[str]] = {}
    for word in shlex.split(stage.commands[0])[3:]:
        if word.startswith("--"):
            words = found.setdefault(word.removeprefix("--"), [])
        else:
            words.append(word)
    return found


def _shape(scene: Scene, view: Any, frames: str) -> Shape:
    """Return what a view sees of the clips of a file of frames that is yet to be collected."""
    if view.of == "states":
        raise _UnknownError("how many states the source has is known once it was read")
    source = scene.value(_options(scene.makers[frames])["source"][0])
    return Shape(view.colours, view.frames, source.height, source.width)


def _autoencoder(scene: Scene, options: Options) -> Model:
    settings = scene.value(options["autoencoder"][0])
    with torch.device("meta"):
        return autoencoders.build(settings, _shape(scene, settings.view, options["frames"][0]))


def _prior(scene: Scene, options: Options) -> Model:
    settings = scene.value(options["prior"][0])
    if settings.actions != "none":
        raise _UnknownError("which actions the data have is known once they are collected")
    extracting = _options(scene.makers[options["latents"][0]])
    above = _autoencoder(scene, _options(scene.makers[extracting["model"][0]]))
    assert isinstance(above, Autoencoder)
    sizes = above.codebook_sizes
    shapes = {level: priors.Codes(grid, sizes[level]) for level, grid in above.grids().items()}
    with torch.device("meta"):
        return train_prior.new(settings, shapes, None)


def _predictor(scene: Scene, options: Options) -> Model:
    settings = scene.value(options["predictor"][0])
    if settings.actions != "none" or settings.labels:
        raise _UnknownError(
            "which actions or labels the data have is known once they are collected"
        )
    shape = _shape(scene, settings.view, options["frames"][0])
    with torch.device("meta"):
        return learned.ROLE.build(settings, learned.Given(shape, (), {}))


BUILDERS: Mapping[str, Callable[[Scene, Options], Model]] = {
    "train_autoencoder": _autoencoder,
    "train_prior": _prior,
    "train_predictor": _predictor,
}
