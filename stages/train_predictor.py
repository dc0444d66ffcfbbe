"""Stage train_predictor: fits a predictor of frames to all training clips."""

from pathlib import Path
from typing import Annotated, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.models import layers, learning
from foreframe.models.learning import Lesson
from foreframe.predictors import learned
from foreframe.predictors.learned import Given, LearnedPredictor, PredictorSettings
from foreframe.randomness import generator
from foreframe.running import stage
from foreframe.training.objective import Moment

NAME = "train_predictor"


def one_clip(network: LearnedPredictor) -> dict[str, Any]:
    """Return what a predictor takes of one clip, without numbers, on the meta device."""
    given, shape = network.given, network.given.shape
    states = network.settings.view.of == "states"
    x = torch.empty(1, shape.frames, shape.channels, device="meta") if states else shape.clip()
    batch: dict[str, Any] = {"x": x}
    if network.takes_actions:
        batch["actions"] = torch.empty(1, shape.frames, len(given.actions), device="meta")
    if given.labels:
        label = torch.empty(1, dtype=torch.int64, device="meta")
        batch["labels"] = dict.fromkeys(given.labels, label)
    if (labelled := network.settings.labelled) is not None:
        batch["partners"] = {"x": x, "labels": {labelled.label: label}}
    return batch


def cost(network: LearnedPredictor) -> dict[str, Any]:
    """Return what the loss of one clip takes, and of which layers the predictor consists.

    `flops_per_clip` are floating-point operations of one forward pass (a multiply-add is two) over
    a clip of the view's length; of a game, of what all its turns pass forward. A layer that runs
    for every frame has one row in `layers`, of when it ran first. There is neither where a loss
    looks at its numbers (as a distribution does that checks its arguments), for here they have
    none.
    """
    batch = one_clip(network)

    def call(empty: Any) -> object:
        moment = Moment(0, 1, 0, 0, 1, generator(0, NAME, "cost"))
        objective = empty.objective()
        return [objective.losses(batch, moment, turn) for turn in objective.turns]

    try:
        with torch.device("meta"):
            empty = learned.ROLE.build(network.settings, network.given)
        with FlopCounterMode(display=False) as counter:
            # In training mode a batch of one may be too few to normalise.
            call(empty.eval().requires_grad_(requires_grad=False))
        rows = layers.table(network, call)
    except RuntimeError as error:
        if "meta" not in str(error):
            raise
        return {}
    first: dict[str, layers.Row] = {}
    for row in rows:
        first.setdefault(row["name"], row)
    return {"flops_per_clip": counter.get_total_flops(), "layers": list(first.values())}


def facts(network: LearnedPredictor) -> dict[str, Any]:
    """Return what the record says of the network besides its training."""
    return {"likelihood": network.likelihood_kind, **cost(network)}


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    predictor: Annotated[PredictorSettings, Kind(learned.PACKAGE)],
    seed: int,
    compute: Compute,
    model: Path,
    record: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch.

    Raises:
        UserError: the predictor is given actions or labels that the data lack.
    """
    acts, labelled = predictor.actions == "input", predictor.labelled
    named = predictor.labels if labelled is None else (*predictor.labels, labelled.label)

    def given(lesson: Lesson) -> Given:
        known = lesson.known_classes(named)
        return Given(lesson.shape, lesson.actions if acts else (), known)

    files = learning.Files(frames, split, normalization)
    task = learning.Task(NAME, predictor, files, given, facts, acts, predictor.labels, labelled)
    learning.learn(learned.ROLE, task, seed=seed, compute=compute, model=model, record=record)


if __name__ == "__main__":
    stage.run(main)
