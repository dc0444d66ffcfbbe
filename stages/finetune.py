"""Stage finetune: autoencoder and priors trained further with one loss, distortion and rate.

Xu (2022, 7) names it as further work; `foreframe.joint` has the equations. It begins with networks
that were trained one after the other, and writes files of the same kinds.
"""

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe import autoencoders, clips, priors, stage
from foreframe import compute as computing
from foreframe.config.compute import Compute
from foreframe.config.finetune import Finetune
from foreframe.joint import Joint
from foreframe.normalization import Normalizer
from foreframe.training import record
from foreframe.training.checkpoints import checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples, in_order, to_device
from foreframe.training.tally import Tally

NAME = "finetune"
MEASURED = ("validation", "test")

Loss = Callable[[Tensor, torch.Generator | None], dict[str, Tensor]]


def load(autoencoder: Path, top: Path, bottom: Path, finetune: Finetune) -> Joint:
    """Return the trained networks of three files as one.

    Raises:
        UserError: they do not fit each other.
        ArtefactError: a file is missing, damaged, or of another level.
    """
    # Copies: what was read shares its memory with the content of the file.
    return copy.deepcopy(
        Joint(
            autoencoders.load(autoencoder),
            {"top": priors.load(top, "top"), "bottom": priors.load(bottom, "bottom")},
            rate_weight=finetune.rate_weight,
            temperature=finetune.temperature,
        )
    )


@torch.no_grad()
def measure(
    network: Joint,
    loss: Loss,
    samples: Samples[Tensor],
    size: int,
    device: torch.device,
    compute: Compute,
) -> dict[str, float]:
    """Return the means of all parts of the loss over a set, in eval mode, `size` clips at once."""
    network.to(device).eval()
    tally = Tally()
    for count, batch in samples.batches(in_order(samples.count, size)):
        with computing.autocast(device, compute):
            tally.add(loss(to_device(batch, device), None), count)
    return tally.averages()


def count_operations(network: Joint, shape_CTHW: tuple[int, ...]) -> int:
    """Return the floating-point operations of one clip's loss; a multiply-add is two."""
    shadow = copy.deepcopy(network).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow.loss(torch.empty(1, *shape_CTHW, device="meta"), None)
    return counter.get_total_flops()


def facts_of(network: Joint, shape_THWC: tuple[int, ...]) -> dict[str, Any]:
    """Return what the facts say about the networks besides their training."""
    frames, height, width, colours = shape_THWC
    return {
        "parameters_of": {
            "autoencoder": record.count_parameters(network.autoencoder),
            **{level: record.count_parameters(each) for level, each in network.priors.items()},
        },
        "flops_per_clip": count_operations(network, (colours, frames, height, width)),
    }


def starts_of(runs: clips.SplitRuns, train_every: int) -> dict[str, NDArray[numpy.int64]]:
    """Return where the clips of each set begin: a share of the training set, all of the others."""
    found = {name: runs.starts(name) for name in MEASURED}
    return {"train": runs.starts("train")[::train_every], **found}


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
    autoencoder: Path,
    top: Path,
    bottom: Path,
    finetune: Finetune,
    seed: int,
    compute: Compute,
    model: Path,
    top_model: Path,
    bottom_model: Path,
    facts: Path,
    curve: Path,
    epochs: Path,
) -> None:
    """Train on a share of the training clips; measure validation and test clips before and after.

    The facts hold those measurements as `before` and `after`.
    """
    device = computing.prepare(compute)
    environment = computing.environment(device, compute)
    runs = clips.load_split(split)
    normalizer = Normalizer.load(normalization)
    network = load(autoencoder, top, bottom, finetune)
    settings = {"finetune": finetune.model_dump(mode="json"), "seed": seed, **environment}
    inputs = [frames, split, normalization, autoencoder, top, bottom]

    def loss(frames_BTHWC: Tensor, noise: torch.Generator | None) -> dict[str, Tensor]:
        return network.loss(normalizer.normalize(frames_BTHWC), noise)

    with contextlib.ExitStack() as stack:
        sets = {
            name: stack.enter_context(clips.Clips(frames, starts, runs.clip_frames))
            for name, starts in starts_of(runs, finetune.train_every).items()
        }
        samples = {name: Samples(len(part), part.read) for name, part in sets.items()}
        more = facts_of(network, sets["train"].shape[1:])
        kept = stack.enter_context(checkpoints(NAME, inputs, settings, code_of(network)))

        def measured() -> dict[str, dict[str, float]]:
            size = finetune.training.batch_size
            return {
                name: measure(network, loss, samples[name], size, device, compute)
                for name in MEASURED
            }

        more["before"] = measured()
        result = fit(
            model=network,
            loss=loss,
            train=samples["train"],
            validation=samples["validation"],
            training=finetune.training,
            seed=seed,
            purpose=NAME,
            compute=compute,
            device=device,
            checkpoints=kept,
        )
        more["after"] = measured()
        autoencoders.save(model, network.autoencoder)
        for level, path in (("top", top_model), ("bottom", bottom_model)):
            priors.save(path, network.prior(level))
        record.write(
            result,
            network,
            environment,
            more,
            facts_path=facts,
            curve_path=curve,
            epochs_path=epochs,
        )


if __name__ == "__main__":
    stage.run(main)
