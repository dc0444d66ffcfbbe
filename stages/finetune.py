"""Stage finetune: autoencoder and priors trained further with one loss, distortion and rate.

Xu (2022, 7) names it as further work; `foreframe.autoencoders.joint` has the equations. It begins
with networks that were trained one after the other, and writes files of the same kinds.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe import autoencoders, priors
from foreframe.autoencoders.joint import Joint
from foreframe.config.compute import Compute
from foreframe.config.finetune import Finetune
from foreframe.models import learning
from foreframe.predictors import loading
from foreframe.randomness import generator
from foreframe.running import compute as computing
from foreframe.running import stage
from foreframe.training.objective import Moment, Objective, Plain
from foreframe.training.optimization import count_parameters
from foreframe.training.result import Result
from foreframe.training.run import Origin, train
from foreframe.training.samples import Samples, in_order, to_device
from foreframe.training.tally import Tally

NAME = "finetune"
MEASURED = ("validation", "test")


def load(models: Sequence[Path], normalization: Path, finetune: Finetune) -> Joint:
    """Return trained networks, in any order, as one.

    Raises:
        UserError: they do not fit each other.
        ArtefactError: a file is missing or damaged.
    """
    found = loading.latent(models, normalization, torch.device("cpu"))
    return Joint(
        found.autoencoder,
        {level: priors.density(prior) for level, prior in found.priors.items()},
        rate_weight=finetune.rate_weight,
        temperature=finetune.temperature,
    )


@torch.no_grad()
def measure(
    objective: Objective[Any],
    samples: Samples[Any],
    size: int,
    device: torch.device,
    compute: Compute,
) -> dict[str, float]:
    """Return the means of all parts of the loss over a set, in eval mode, `size` clips at once."""
    objective.model.to(device).eval()
    tally = Tally()
    for position, (count, batch) in enumerate(samples.batches(in_order(samples.count, size))):
        moment = Moment(0, 1, 0, 0, 1, generator(0, NAME, "measure", position))
        with computing.autocast(device, compute):
            tally.add(objective.measure(to_device(batch, device), moment), count)
    return tally.averages()


def count_operations(network: Joint) -> int:
    """Return the floating-point operations of one clip's loss; a multiply-add is two."""
    shadow = copy.deepcopy(network).to("meta").eval()
    moment = Moment(0, 1, 0, 0, 1, generator(0, NAME))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow.loss({"x": network.autoencoder.given.clip()}, moment)
    return counter.get_total_flops()


def facts_of(network: Joint) -> dict[str, Any]:
    """Return what the facts say about the networks besides their training."""
    return {
        "parameters_of": {
            "autoencoder": count_parameters(network.autoencoder),
            **{level: count_parameters(each) for level, each in network.priors.items()},
        },
        "flops_per_clip": count_operations(network),
    }


def code_of(network: Joint) -> list[str]:
    """Return the modules that the result depends on, besides those they import."""
    levels = network.autoencoder.levels
    return [
        f"stages.{NAME}",
        f"{autoencoders.PACKAGE}.{network.autoencoder.settings.kind}",
        *(f"{priors.PACKAGE}.{network.prior(level).settings.kind}" for level in levels),
    ]


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    finetune: Finetune,
    seed: int,
    compute: Compute,
    model: Path,
    top_model: Path,
    bottom_model: Path,
    record: Path,
) -> None:
    """Train on a share of the training clips; measure validation and test clips before and after.

    The record holds those measurements as `before` and `after`.
    """
    device = computing.prepare(compute)
    files = learning.Files(frames, split, normalization)
    network = load(models, normalization, finetune)
    origin = Origin(
        inputs=[*files.all, *models],
        settings={"finetune": finetune.model_dump(mode="json")},
        code=code_of(network),
    )
    training = finetune.training.plan()
    (phase,) = training.phases
    with learning.opening(network.autoencoder.settings.view, files) as lesson:
        objective = lesson.objective(Plain(network, network.loss))
        more = facts_of(network)

        def measured() -> dict[str, dict[str, float]]:
            size = finetune.training.batch_size
            return {
                name: measure(objective, lesson.clips(name)(phase), size, device, compute)
                for name in MEASURED
            }

        def finish(result: Result) -> dict[str, Any]:
            autoencoders.save(model, network.autoencoder)
            for level, path in (("top", top_model), ("bottom", bottom_model)):
                priors.save(path, network.prior(level))
            return {**more, "after": measured()}

        more["before"] = measured()
        train(
            objective,
            lesson.clips("train", every=finetune.train_every),
            lesson.clips("validation"),
            training,
            purpose=NAME,
            origin=origin,
            seed=seed,
            compute=compute,
            device=device,
            out=record,
            finish=finish,
        )


if __name__ == "__main__":
    stage.run(main)
