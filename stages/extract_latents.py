"""Stage extract_latents: encodes every clip of every set once, with the trained autoencoder.

Priors learn from these codes: encoding on the fly would cost far more than storing them
(Xu 2022, 4.3). The training clips may be taken further apart than the autoencoder's. Beside the
codes stand the actions that led to a clip's frames, where the source has actions.

Shapes: N clips, T frames, A action channels, t h w the code grid of a level.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy
import torch
from tqdm import tqdm

from foreframe import autoencoders
from foreframe.artefacts import hdf5
from foreframe.autoencoders import Autoencoder
from foreframe.config.compute import Compute
from foreframe.config.latents import LatentSettings
from foreframe.config.split import SETS
from foreframe.data import actions as recorded
from foreframe.data import clips
from foreframe.data import frames as frames_file
from foreframe.data import latents as latents_file
from foreframe.data.latents import CodeGrid, Latent
from foreframe.data.scaling import Scaling
from foreframe.priors import ACTIONS
from foreframe.running import compute as computing
from foreframe.running import stage
from foreframe.training.samples import Samples

# Clips encoded at once. Constant: another number may change the last bits, so perhaps a code.
BATCH = 8


def layout_of(model: Autoencoder) -> dict[str, Latent]:
    """Return what each level is."""
    sizes = model.codebook_sizes
    return {level: CodeGrid(shape=grid, size=sizes[level]) for level, grid in model.grids().items()}


def encode_set(
    group: h5py.Group,
    source: clips.Clips,
    model: Autoencoder,
    scaling: Scaling,
    layout: Mapping[str, Latent],
) -> None:
    """Write the latents of all clips of a set, each level as `layout` says.

    They are a function of the clip alone: every batch is as wide as any other, a last one that
    lacks clips is filled up with its own last clip.
    """
    count = len(source)
    hdf5.store(group, "clip_start", source.starts)
    for level, latent in layout.items():
        hdf5.dataset(group, level, (count, *latent.shape), latent.dtype, (1, *latent.shape))
    device = next(model.parameters()).device
    full = torch.arange(-(-count // BATCH) * BATCH).clamp(max=count - 1).split(BATCH)
    done = 0
    with tqdm(total=count, desc=str(group.name).strip("/"), unit="clip") as bar:
        for _, frames_BTHWC in Samples(count, source.read).batches(full):
            latents = model.encode(scaling.inward(frames_BTHWC.to(device), None))
            number = min(BATCH, count - done)
            for level, values in latents.items():
                stored = values[:number].cpu().numpy().astype(layout[level].dtype)
                group[level][done : done + number] = stored
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
    autoencoder = autoencoders.load(model).to(device)
    view = autoencoder.settings.view
    scaling = Scaling.load(view, normalization)
    strides = {"train": latents.train_stride}
    with frames_file.opening(frames) as known, torch.no_grad():
        layout = layout_of(autoencoder)
        attributes = latents_file.attributes(layout)
        if names := recorded.names(known):
            attributes["action_names"] = json.dumps(names)
        with hdf5.creating(out, latents_file.SCHEMA, attributes) as file:
            for name in SETS:
                with view.clips(frames, runs, name, stride=strides.get(name)) as source:
                    group = file.create_group(name)
                    encode_set(group, source, autoencoder, scaling, layout)
                    if names:
                        write_actions(group, source, known)


if __name__ == "__main__":
    stage.run(main)
