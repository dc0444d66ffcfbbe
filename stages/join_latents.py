"""Stage join_latents: the codes of all shards as one file, as `extract_latents` writes it.

Clips stand in the order of the shards, and begin where they do in the joined frames.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5
from foreframe.config.split import SETS
from foreframe.data import latents as latents_file
from foreframe.data.shards import LATENTS, SCHEMA, path_of
from foreframe.errors import ArtefactError, UserError
from foreframe.priors import ACTIONS
from foreframe.running import stage
from stages.extract_latents import BATCH

ACTION_NAMES = "action_names"
# What the codes of all shards have in common.
SHARED = (latents_file.ATTRIBUTE, "model", "normalization", "train_stride", ACTION_NAMES)


def shared(files: Sequence[Path]) -> dict[str, Any]:
    """Return what the codes of all shards have in common.

    Raises:
        ArtefactError: two shards were encoded by other models or from other clips.
    """
    found: dict[str, Any] = {}
    for path in files:
        with hdf5.opening(path, LATENTS) as file:
            own = {name: file.attrs[name] for name in SHARED if name in file.attrs}
        found = found or own
        for name in SHARED:
            if own.get(name) != found.get(name):
                raise ArtefactError(
                    f"{path} was not encoded as {files[0]}: they differ in {name}. {facts.CURE}"
                )
    return found


def starts(files: Mapping[Path, int], set_name: str) -> NDArray[numpy.int64]:
    """Return the first frame of each clip of a set in the joined frames; `files` has the shards'.

    Raises:
        UserError: there is no clip.
    """
    found: list[NDArray[numpy.int64]] = []
    for path, first in files.items():
        with hdf5.opening(path, LATENTS) as file:
            if set_name in file:
                found.append(file[set_name]["clip_start"][:] + first)
    if not found:
        raise UserError(
            f"The {set_name} set has no clip in any shard. Lower view.frames, or collect longer or "
            "more episodes."
        )
    return numpy.concatenate(found)


def batches(
    files: Mapping[Path, int], set_name: str, names: Sequence[str]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the rows of some datasets of a set, as many at a time as `extract_latents` writes."""
    held: dict[str, NDArray[Any]] = {}
    for path in files:
        with hdf5.opening(path, LATENTS) as file:
            group: h5py.Group = file.get(set_name, {})
            for first in range(0, len(group.get("clip_start", ())), BATCH):
                rows = {name: group[name][first : first + BATCH] for name in names}
                held = {
                    name: numpy.concatenate([held[name], rows[name]]) if held else rows[name]
                    for name in names
                }
                if len(held[names[0]]) >= BATCH:
                    yield {name: values[:BATCH] for name, values in held.items()}
                    held = {name: values[BATCH:] for name, values in held.items()}
    if held and len(held[names[0]]):
        yield held


def write(group: h5py.Group, count: int, found: Iterator[Mapping[str, NDArray[Any]]]) -> None:
    """Write the rows of datasets that have `count`, a clip to a chunk."""
    done = 0
    for rows in found:
        number = 0
        for name, values in rows.items():
            if name not in group:
                shape = values.shape[1:]
                hdf5.dataset(group, name, (count, *shape), values.dtype, (1, *shape))
        for name, values in rows.items():
            number = len(values)
            group[name][done : done + number] = values
        done += number


def main(*, folder: Path, runs: Path, out: Path) -> None:
    """Write the codes of the shards in `folder`, which `runs` names in order, to `out`.

    Raises:
        UserError: a set has no clip.
        ArtefactError: a shard is missing, or was not encoded as the others.
    """
    known = facts.read(runs, SCHEMA)
    files = {path_of(folder, name): int(known["starts"][name]) for name in known["order"]}
    alike = shared(list(files))
    levels = list(json.loads(alike[latents_file.ATTRIBUTE]))
    attributes = {
        name: alike[name] for name in (latents_file.ATTRIBUTE, ACTION_NAMES) if name in alike
    }
    with hdf5.creating(out, latents_file.SCHEMA, attributes) as file:
        for name in SETS:
            group = file.create_group(name)
            begins = starts(files, name)
            hdf5.store(group, "clip_start", begins)
            write(group, len(begins), batches(files, name, levels))
            if ACTION_NAMES in alike:
                write(group, len(begins), batches(files, name, [ACTIONS]))


if __name__ == "__main__":
    stage.run(main)
