"""Stage join_samples: the futures of all shares as one file, as `sample` writes it.

Its bytes are those that `sample` would have written, however many shares there are: datasets come
about in the same order, batch by batch.

Shapes: N all clips, S kept futures of each.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py

from foreframe.artefacts import hdf5
from foreframe.evaluation import shares as share_files
from foreframe.evaluation.shares import CLIPS, ORDER, SAMPLES, SIZES, Share, Shares
from foreframe.running import stage
from stages.sample import SCHEMA


def copied(
    files: Mapping[Share, hdf5.Reader], clips: int, size: int
) -> Iterator[tuple[slice, h5py.File, slice]]:
    """Yield the batches of all clips in order: their rows, whose file has them, and where."""
    for share, file in files.items():
        own = share.rows(clips, size)
        for rows in share_files.batches(own.stop - own.start, size):
            yield slice(own.start + rows.start, own.start + rows.stop), file, rows


def copy(
    out: hdf5.File, name: str, rows: slice, source: h5py.Dataset, own: slice, count: int
) -> None:
    """Write some rows of a dataset that has `count`; chunks are as the share has them."""
    if name not in out:
        hdf5.dataset(out, name, (count, *source.shape[1:]), source.dtype, source.chunks)
    out[name][rows] = source[own]


def main(*, folder: Path, shares: Shares, out: Path) -> None:
    """Write the futures of `shares`, which lie in `folder` under their names, to `out`.

    Raises:
        ArtefactError: a share is missing, damaged, or of another protocol, predictor or data set.
    """
    with share_files.opening(folder, shares, SAMPLES) as files:
        first, *_ = files.values()
        about = share_files.whole(first)
        sizes = json.loads(about.pop(SIZES))
        del about[CLIPS]
        *order, of_shown = share_files.text(first, ORDER)
        starts = first["clip_start"][:]
        with hdf5.creating(out, SCHEMA, about) as joined:
            hdf5.store(joined, "clip_number", first["clip_number"][:])
            hdf5.store(joined, "clip_start", starts)
            for size, names in zip(sizes, order, strict=True):
                for rows, file, own in copied(files, len(starts), size):
                    for name in names:
                        copy(joined, name, rows, file[name], own, len(starts))
                    joined.check()
            for name in of_shown:
                values = first[name]
                copy(joined, name, slice(None), values, slice(None), len(values))


if __name__ == "__main__":
    stage.run(main)
