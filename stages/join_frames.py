"""Stage join_frames: the shards of a data set as one file of frames.

Its bytes are those that `collect` would have written in one go, however many shards there are.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from foreframe.data import actions, labels, writing
from foreframe.data import frames as frames_file
from foreframe.data import shards as shard_files
from foreframe.data.shards import Found, Shards
from foreframe.data.writing import Layout
from foreframe.kinds import Kind
from foreframe.running import stage
from foreframe.sources import SourceSettings
from stages.collect import CHUNK


def layout(found: Iterable[Found]) -> Layout:
    """Return what the frames of all shards have in common."""
    first, *_ = known = list(found)
    longest = max(max(each.lengths) for each in known)
    with frames_file.opening(first.path) as file:
        _, height, width, _ = file["frames"].shape
        return Layout(
            height=height,
            width=width,
            frame_interval=float(file.attrs["frame_interval"]),
            source=file.attrs["source"],
            actions=actions.names(file),
            states=tuple(json.loads(file.attrs["state_names"])),
            labels=labels.classes(file),
            chunk=min(CHUNK, longest),
        )


def main(
    *,
    folder: Path,
    shards: Shards,
    source: Annotated[SourceSettings, Kind("foreframe.sources")],
    seed: int,
    out: Path,
) -> None:
    """Write the episodes of `shards`, which lie in `folder` under their names, to `out`.

    Raises:
        UserError: shards do not follow each other.
        ArtefactError: a shard is missing, or of another source, seed or episodes.
    """
    found = shard_files.find(folder, shards, source, seed).values()
    total = sum(len(each.lengths) for each in found)
    with (
        writing.creating(out, layout(found)) as writer,
        tqdm(total=total, unit=" episodes", desc="join", disable=None) as bar,
    ):
        for each in found:
            with frames_file.opening(each.path) as file:
                for episode in shard_files.episodes(file, total):
                    for _ in writer.add(episode):
                        pass
                    bar.update()


if __name__ == "__main__":
    stage.run(main)
