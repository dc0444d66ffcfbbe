"""Stage extract_latents: encodes every clip of every set once, with the trained autoencoder.

Priors learn from these codes: encoding on the fly would cost far more than storing them
(Xu 2022, 4.3). The training clips may be taken further apart than the autoencoder's. Beside the
codes stand the actions that led to a clip's frames, where the source has actions.

Shapes: N clips, T frames, A action channels, t h w the code grid of a level.
"""

import json
from pathlib import Path

import h5py
import numpy
import torch
from tqdm import tqdm

from foreframe import actions as recorded
from foreframe import autoencoders, clips, stage
from foreframe import compute as computing
from foreframe import frames as frames_file
from foreframe import latents as latents_file
from foreframe.artefacts import hdf5
from foreframe.autoencoders import Autoencoder
from foreframe.config.compute import Compute
from foreframe.config.latents import LatentSettings
from foreframe.config.split import SETS
from foreframe.normalization import Normalizer
from foreframe.priors import ACTIONS
from foreframe.training.samples import Samples, in_order

# Clips encoded at once. Constant: another number may change the last bits, so perhaps a code.
BATCH = 8


def encode_set(
    group: h5py.Group, source: clips.Clips, model: Autoencoder, normalizer: Normalizer
) -> None:
    """Write the ids of all clips of a set, a batch at a time: int16 (N,t,h,w) for each level."""
    count, frames, height, width, _ = source.shape
    hdf5.store(group, "clip_start", source.starts)
    for level, grid in model.grids(frames, height, width).items():
        hdf5.dataset(group, level, (count, *grid), numpy.int16, (1, *grid))
    device = next(model.parameters()).device
    done = 0
    with tqdm(total=count, desc=str(group.name).strip("/"), unit="clip") as bar:
        for number, frames_BTHWC in Samples(count, source.read).batches(in_order(count, BATCH)):
            latents = model.encode(normalizer.normalize(frames_BTHWC.to(device)))
            for level, ids_BTHW in latents.items():
                group[level][done : done + number] = ids_BTHW.to(torch.int16).cpu().numpy()
            done += number
            bar.update(number)


def write_actions(group: h5py.Group, source: clips.Clips, file: h5py.File) -> None:
    """Write the actions that led to the frames of all clips of a set: float32 (N,T,A)."""
    count, channels = len(source), len(recorded.names(file))
    shape = (source.length, channels)
    dataset = hdf5.dataset(group, ACTIONS, (count, *shape), numpy.float32, (1, *shape))
    for first in range(0, count, BATCH):
        part = slice(first, min(first + BATCH, count))
        dataset[part] = recorded.leading(file, source.starts[part], source.length).numpy()


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    model: Path,
    latents: LatentSettings,
    compute: Compute,
    out: Path,
) -> None:
    """Write one file with the codes of the training, validation and test clips."""
    device = computing.prepare(compute)
    runs = clips.load_split(split)
    normalizer = Normalizer.load(normalization)
    autoencoder = autoencoders.load(model).to(device)
    strides = {"train": latents.train_stride}
    attributes = {
        "levels": json.dumps(autoencoder.levels),
        "codebook_size": json.dumps(autoencoder.codebook_sizes, sort_keys=True),
    }
    with frames_file.opening(frames) as known, torch.no_grad():
        if names := recorded.names(known):
            attributes["action_names"] = json.dumps(names)
        with hdf5.creating(out, latents_file.SCHEMA, attributes) as file:
            for name in SETS:
                starts = runs.starts(name, strides.get(name))
                with clips.Clips(frames, starts, runs.clip_frames) as source:
                    group = file.create_group(name)
                    encode_set(group, source, autoencoder, normalizer)
                    if names:
                        write_actions(group, source, known)


if __name__ == "__main__":
    stage.run(main)
