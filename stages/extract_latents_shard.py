"""Stage extract_latents_shard: the codes of the clips that lie in one shard.

They are those that `extract_latents` gives, as a clip's codes are a function of the clip alone; so
`join_latents` gives the same bytes for any number of shards.
"""

import json
from pathlib import Path

import numpy
import torch
from numpy.typing import NDArray

from foreframe import autoencoders
from foreframe.artefacts import hdf5
from foreframe.artefacts.digest import digest
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
from stages.extract_latents import encode_set, layout_of, write_actions


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
        layout = layout_of(autoencoder)
        attributes: dict[str, str | int] = {
            **latents_file.attributes(layout),
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
                        encode_set(group, source, autoencoder, scaling, layout)
                        if names:
                            write_actions(group, source, known)


if __name__ == "__main__":
    stage.run(main)
