"""Stage train_autoencoder: fits the autoencoder to all training clips (Xu 2022, 5.1)."""

import contextlib
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe import autoencoders, clips, stage
from foreframe import compute as computing
from foreframe.autoencoders import Autoencoder, AutoencoderSettings
from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.normalization import Normalizer
from foreframe.randomness import generator
from foreframe.training import record
from foreframe.training.checkpoints import checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples

NAME = "train_autoencoder"


def count_operations(settings: AutoencoderSettings, shape_CTHW: tuple[int, ...]) -> int:
    """Return the floating-point operations of reconstructing one clip; a multiply-add is two."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        autoencoders.build(settings).reconstruct(torch.empty(1, *shape_CTHW))
    return counter.get_total_flops()


def facts_of(model: Autoencoder, shape_THWC: tuple[int, int, int, int]) -> dict[str, object]:
    """Return what the facts say about the model besides its training."""
    frames, height, width, colours = shape_THWC
    return {
        "codebook_size": model.codebook_sizes,
        "grids": model.grids(frames, height, width),
        "flops_per_clip": count_operations(model.settings, (colours, frames, height, width)),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Annotated[AutoencoderSettings, Kind("foreframe.autoencoders")],
    seed: int,
    compute: Compute,
    model: Path,
    facts: Path,
    curve: Path,
    epochs: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch."""
    device = computing.prepare(compute)
    environment = computing.environment(device, compute)
    runs = clips.load_split(split)
    normalizer = Normalizer.load(normalization)
    network = autoencoders.build(autoencoder)
    network.initialize(generator(seed, NAME, "weights"))
    settings = {"autoencoder": autoencoder.model_dump(mode="json"), "seed": seed}
    code = [f"stages.{NAME}", f"foreframe.autoencoders.{autoencoder.kind}"]

    def loss(frames_BTHWC: Tensor, noise: torch.Generator) -> dict[str, Tensor]:
        return network.loss(normalizer.normalize(frames_BTHWC), noise)

    with contextlib.ExitStack() as stack:
        train, validation = (
            stack.enter_context(clips.Clips(frames, runs.starts(name), runs.clip_frames))
            for name in ("train", "validation")
        )
        more = facts_of(network, train.shape[1:])
        kept = stack.enter_context(
            checkpoints(NAME, [frames, split, normalization], {**settings, **environment}, code)
        )
        result = fit(
            model=network,
            loss=loss,
            train=Samples(len(train), train.read),
            validation=Samples(len(validation), validation.read),
            training=autoencoder.training,
            seed=seed,
            purpose=NAME,
            compute=compute,
            device=device,
            checkpoints=kept,
        )
        autoencoders.save(model, network)
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
