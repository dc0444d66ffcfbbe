"""`foreframe costs --plan`: what the trainings of a preset would take, before any of them is run.

Networks are built, and run forwards, on the meta device: that needs no memory and no time at any
size. Parameters, operations and bytes are counted so and are exact; the time is what a machine
takes that reaches a share of its peak, and so a guess.
"""

import json
import shlex
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from foreframe import autoencoders, priors
from foreframe.autoencoders import Autoencoder
from foreframe.config.study import Resolved
from foreframe.errors import UserError
from foreframe.models import Model, Shape
from foreframe.networks.recomputed import recomputing
from foreframe.predictors import learned
from foreframe.running import memory
from stages import train_prior
from workflow import costs, dag, passes, preset, studies
from workflow.dag import Declared
from workflow.studies import Place

# Floating-point operations a second of products in float32, without and with TF32, and in bfloat16,
# dense, as their makers state them.
PEAKS = {
    "rtx4090": (82.6e12, 82.6e12, 165.2e12),
    "a100": (19.5e12, 156e12, 312e12),
    "h100": (66.9e12, 494.7e12, 989.4e12),
    "h200": (66.9e12, 494.7e12, 989.4e12),
}
PRECISIONS = ("float32", "tf32", "bf16")
# What trainings reached of these peaks on an H100 (docs/gpu.md): their kernels are those that
# repeat, and what is not a product takes as long at every precision.
REACHED = (0.12, 0.15, 0.06)
EMPTY = torch.device("meta")
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
        activations: bytes that are kept of a shard's forward pass for its backward pass.
        recomputed: those that are kept where blocks are computed again (`networks.recomputed`).
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
    recomputed: int | None = None
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
        device: where networks are built: by default where they have no numbers.
    """

    root: Path
    place: Place
    known: Mapping[str, Resolved]
    makers: Mapping[str, Declared]
    device: torch.device = EMPTY

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
    reached = REACHED[PRECISIONS.index(precision)]
    yield (
        f"{'stage':{width}}{'parameters':>14}{'batch':>7}{'steps':>9}{'operations':>12}"
        f"{'weights':>10}{'activations':>13}{'recomputed':>12}{'hours':>10}"
    )
    for row in rows:
        if row.parameters is None:
            yield f"{row.stage:{width}}  {row.why}"
            continue
        hours = "-" if row.hours is None else f"{row.hours:.3g}{'' if row.steps else ' *'}"
        yield (
            f"{row.stage:{width}}{row.parameters:>14,}{row.batch:>7}"
            f"{'-' if row.steps is None else row.steps:>9}{costs.scaled(row.operations):>12}"
            f"{costs.size(row.weights):>10}{costs.size(row.activations):>13}"
            f"{costs.size(row.recomputed):>12}{hours:>10}"
        )
    yield (
        "Operations are of a step, forwards and backwards; weights are theirs, their gradients' "
        "and the optimiser's bytes; activations what a shard of a step keeps for its way back, "
        f"recomputed what it keeps with {memory.NAME}={memory.RECOMPUTED}."
    )
    yield (
        f"Hours are those of one {gpu} that reaches {reached:.0%} of its peak in {precision}; "
        "* of 1,000 steps, where steps are counted in epochs of data that are yet to be collected."
    )


def table(root: Path, place: Place, scale: str, gpu: str, precision: str) -> Iterator[Planned]:
    """Yield a row for each training of a study.

    Raises:
        UserError: there is no such preset or GPU.
    """
    if gpu not in PEAKS:
        raise UserError(f"--gpu is {gpu}. Choose one of: {', '.join(PEAKS)}.")
    index = PRECISIONS.index(precision)
    speed = REACHED[index] * PEAKS[gpu][index]
    for stage, model in models(root, place, scale):
        yield _row(stage, model, speed)


def models(
    root: Path,
    place: Place,
    scale: str,
    device: torch.device = EMPTY,
    only: Container[str] | None = None,
) -> Iterator[tuple[Declared, Model | str]]:
    """Yield each training of a study with what it trains, or why that cannot be built yet.

    Args:
        root: the project.
        place: the study.
        scale: the preset that it is planned at.
        device: where the networks are built.
        only: the local names of the trainings that are wanted, all by default.

    Raises:
        UserError: there is no such preset, or a model does not fit its frames.
    """
    declared = dag.declared(root)
    makers = {path: stage for stage in declared for path in stage.outs}
    main = studies.Place(studies.MAIN)
    known = {
        main.name: preset.resolved(preset.base_scale(scale, root), root, main),
        place.name: preset.resolved(scale, root, place),
    }
    scene = Scene(root, place, known, makers, device)
    for stage in declared:
        asked = only is None or studies.local(stage.name) in only
        if stage.study == place.name and asked and _module(stage) in BUILDERS:
            try:
                yield stage, BUILDERS[_module(stage)](scene, _options(stage))
            except _UnknownError as reason:
                yield stage, str(reason)


def _row(stage: Declared, model: Model | str, speed: float) -> Planned:
    if isinstance(model, str):
        return Planned(stage.name, why=model)
    plan = model.settings.training.plan()
    batch = max(phase.batch_size for phase in plan.phases)
    steps = [phase.steps for phase in plan.phases]
    total = None if None in steps else sum(step or 0 for step in steps)
    parameters = sum(part.numel() for part in model.parameters())
    kept = sum(2 + _moments(player.kind) for player in plan.players.values()) / len(plan.players)
    weights = int(NUMBER * (parameters * kept + (parameters if plan.average is not None else 0)))
    shard = batch // plan.shards
    counted = passes.pass_of(model, shard)
    if counted is None:
        why = "its loss needs numbers, or has a gradient in it"
        return Planned(stage.name, model.trainable(), batch, total, weights=weights, why=why)
    forward, activations = counted
    with recomputing():
        again = passes.pass_of(model, shard)
    assert again is not None
    work = costs.PASSES * forward * plan.shards
    hours = work * (1000 if total is None else total) / speed / 3600
    return Planned(
        stage.name, model.trainable(), batch, total, work, weights, activations, again[1], hours
    )


def _moments(kind: str) -> int:
    """Return how many numbers an optimiser keeps of each weight."""
    return {"adam": 2, "adamw": 2, "rmsprop": 2, "sgd": 1}[kind]


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
    with scene.device:
        return autoencoders.build(settings, _shape(scene, settings.view, options["frames"][0]))


def _prior(scene: Scene, options: Options) -> Model:
    settings = scene.value(options["prior"][0])
    if settings.actions != "none":
        raise _UnknownError("which actions the data have is known once they are collected")
    encoder = _encoder(scene, _options(scene.makers[options["latents"][0]]))
    above = _autoencoder(scene, _options(scene.makers[encoder]))
    assert isinstance(above, Autoencoder)
    sizes = above.codebook_sizes
    shapes = {level: priors.Codes(grid, sizes[level]) for level, grid in above.grids().items()}
    with scene.device:
        return train_prior.new(settings, shapes, None)


def _encoder(scene: Scene, extracting: Options) -> str:
    """Return the file of the network that a stage's latents come from."""
    if "model" in extracting:
        return extracting["model"][0]
    # Of shards, joined: one network has encoded all of them.
    inside = f"{extracting['folder'][0]}/"
    first = min(path for path in scene.makers if path.startswith(inside))
    return _options(scene.makers[first])["model"][0]


def _predictor(scene: Scene, options: Options) -> Model:
    settings = scene.value(options["predictor"][0])
    if settings.actions != "none" or settings.labels or settings.labelled is not None:
        raise _UnknownError(
            "which actions or labels the data have is known once they are collected"
        )
    shape = _shape(scene, settings.view, options["frames"][0])
    with scene.device:
        return learned.ROLE.build(settings, learned.Given(shape, (), {}))


def _classifier(scene: Scene, options: Options) -> Model:
    raise _UnknownError("how many classes a label has is known once the data are collected")


BUILDERS: Mapping[str, Callable[[Scene, Options], Model]] = {
    "train_autoencoder": _autoencoder,
    "train_prior": _prior,
    "train_predictor": _predictor,
    "train_classifier": _classifier,
}
