"""Stage extract_latents_shard: the codes of the clips that lie in one shard.

A clip's codes are a function of the clip alone: every batch is as wide as any other, a last one
that lacks clips is filled up with its own last clip. So `join_latents` gives the same bytes for
any number of shards. `extract_latents` leaves its last batch of each set narrow, where the last
bits before the choice of a code may be others.

Shapes: N clips, T frames, A action channels.
"""

import json
from pathlib import Path

import h5py
import numpy
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from foreframe import autoencoders
from foreframe.artefacts import hdf5
from foreframe.artefacts.digest import digest
from foreframe.autoencoders import Autoencoder
from foreframe.config.compute import Compute
from foreframe.config.latents import LatentSettings
from foreframe.config.split import SETS
from foreframe.data import actions as recorded
from foreframe.data import frames as frames_file
from foreframe.data import latents as latents_file
from foreframe.data import views
from foreframe.data.clips import Clips, windows
from foreframe.data.scaling import Scaling
from foreframe.data.shards import LATENTS, ShardRuns
from foreframe.running import compute as computing
from foreframe.running import stage
from foreframe.training.samples import Samples
from stages.extract_latents import BATCH, layout_of, write_actions


def encode(group: h5py.Group, source: Clips, model: Autoencoder, scaling: Scaling) -> None:
    """Write the latents of all clips, a full batch at a time."""
    count = len(source)
    hdf5.store(group, "clip_start", source.starts)
    layout = layout_of(model)
    for level, latent in layout.items():
        hdf5.dataset(group, level, (count, *latent.shape), latent.dtype, (1, *latent.shape))
    device = next(model.parameters()).device
    full = torch.arange(-(-count // BATCH) * BATCH).clamp(max=count - 1).split(BATCH)
    done = 0
    with tqdm(total=count, desc=str(group.name).strip("/"), unit="clip", disable=None) as bar:
        for _, frames_BTHWC in Samples(count, source.read).batches(full):
            latents = model.encode(scaling.inward(frames_BTHWC.to(device), None))
            number = min(BATCH, count - done)
            for level, values in latents.items():
                stored = values[:number].cpu().numpy().astype(layout[level].dtype)
                group[level][done : done + number] = stored
            done += number
            bar.update(number)


def main(
    *,
    frames: Path,
    runs: ShardRuns,
    normalization: Path,
    model: Path,
    latents: LatentSettings,
    compute: Compute,
    out: Path,
) -> None:
    """Write the codes of the clips in `runs`, which are those of the shard `frames`.

    Raises:
        UserError: an episode is shorter than a clip.
    """
    device = computing.prepare(compute)
    autoencoder = autoencoders.load(model).to(device)
    view = autoencoder.settings.view
    scaling = Scaling.load(view, normalization)
    with frames_file.opening(frames) as known, torch.no_grad():
        attributes: dict[str, str | int] = {
            **latents_file.attributes(layout_of(autoencoder)),
            "model": digest(model),
            "normalization": digest(normalization),
            "train_stride": latents.train_stride,
        }
        if names := recorded.names(known):
            attributes["action_names"] = json.dumps(names)
        with hdf5.creating(out, LATENTS, attributes) as file:
            for name in SETS:
                own = runs.of(name)
                if own:
                    views.refuse_short(frames, own, view.frames, "view.frames")
                stride = latents.train_stride if name == "train" else view.stride(name)
                starts: NDArray[numpy.int64] = windows(own, view.frames, stride)
                if len(starts):
                    with Clips(frames, starts, view.frames) as source:
                        group = file.create_group(name)
                        encode(group, source, autoencoder, scaling)
                        if names:
                            write_actions(group, source, known)


if __name__ == "__main__":
    stage.run(main)
