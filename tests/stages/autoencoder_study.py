"""A tiny study of moving stripes for the stages train_autoencoder and extract_latents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch

from foreframe.artefacts import hdf5
from foreframe.config.compute import Compute
from foreframe.data import normalization
from foreframe.data.clips import SplitRuns, save_split
from stages import train_autoencoder
from tests.foreframe.autoencoders import small

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
FRAMES, SIZE = 8, 16
INPUTS = {"frames": "frames.h5", "split": "split.json", "normalization": "normalization.json"}
OUTPUTS = {
    "model": "autoencoder.safetensors",
    "record": "autoencoder.json",
}
TRAINING = {**small.TRAINING, "epochs": 3}


@dataclass(frozen=True)
class Study:
    """The folder of the study; `inputs` and `outputs` are the arguments of the training stage."""

    folder: Path

    @property
    def inputs(self) -> dict[str, Path]:
        return {name: self.folder / file for name, file in INPUTS.items()}

    @property
    def outputs(self) -> dict[str, Path]:
        return {name: self.folder / file for name, file in OUTPUTS.items()}

    def train(self, seed: int = 0, training: dict[str, Any] = TRAINING) -> dict[str, bytes]:
        """Run the stage; return the bytes of each output."""
        train_autoencoder.main(
            **self.inputs,
            **self.outputs,
            autoencoder=small.settings(small.SMALL, training=training),
            seed=seed,
            compute=COMPUTE,
        )
        return {name: path.read_bytes() for name, path in self.outputs.items()}


def make(folder: Path) -> Study:
    """Write frames of two episodes, a split and its normalization."""
    study = Study(folder)
    stripes_BCTHW = small.moving_stripes(2, frames=40, size=SIZE)
    frames = ((stripes_BCTHW + 1) * 127).to(torch.uint8).permute(0, 2, 3, 4, 1).flatten(0, 1)
    attributes = {"frame_interval": 0.1, "source": "stripes", "action_names": "[]"}
    with hdf5.creating(study.inputs["frames"], "frames", attributes) as file:
        hdf5.store(file, "frames", frames.numpy(), chunks=(FRAMES, SIZE, SIZE, 3))
        hdf5.store(file, "episode_start", numpy.array([0, 40]))
        hdf5.store(file, "episode_length", numpy.array([40, 40]))
        hdf5.store(file, "episode_origin", ["seed 0", "seed 1"])
    runs = SplitRuns(((0, 40), (40, 50)), ((50, 65),), ((65, 80),))
    save_split(study.inputs["split"], runs)
    train = frames[:50].numpy()
    normalization.save(study.inputs["normalization"], normalization.measure([train]))
    return study
