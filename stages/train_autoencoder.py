"""Stage train_autoencoder: fits the autoencoder to all training clips (Xu 2022, 5.1)."""

from pathlib import Path
from typing import Annotated, Any

from foreframe import autoencoders
from foreframe.autoencoders import Autoencoder, AutoencoderSettings
from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.models import layers, learning
from foreframe.running import stage

NAME = "train_autoencoder"


def facts(network: Autoencoder) -> dict[str, Any]:
    """Return what the record says of the network besides its training."""

    def call(empty: Any) -> object:
        return empty.reconstruct(network.given.clip())

    return {
        "codebook_size": network.codebook_sizes,
        "grids": network.grids(),
        "flops_per_clip": autoencoders.operations(network),
        "layers": layers.table(network, call),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Annotated[AutoencoderSettings, Kind(autoencoders.PACKAGE)],
    seed: int,
    compute: Compute,
    model: Path,
    record: Path,
) -> None:
    """Train on the training clips, validate on the validation clips after each epoch."""
    files = learning.Files(frames, split, normalization)
    task = learning.Task(NAME, autoencoder, files, lambda lesson: lesson.shape, facts)
    learning.learn(autoencoders.ROLE, task, seed=seed, compute=compute, model=model, record=record)


if __name__ == "__main__":
    stage.run(main)
