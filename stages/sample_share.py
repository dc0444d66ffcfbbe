"""Stage sample_share: the futures of some clips of a protocol, as `sample` draws those of all.

Shares are drawn side by side, on one machine or many; `join_samples` makes one file of them. Under
each choice the batches are those of `sample`, and a share has some of them, in order. The first one
has what is shown, too.

Shapes: N all clips, B some, S kept futures of each, T frames, H rows, W columns, C = 3 colours.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy

from foreframe.artefacts import hdf5
from foreframe.config.compute import Compute
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Drawing, Sampling
from foreframe.data.clips import Clips, load_split
from foreframe.evaluation.contexts import choose
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.shares import CLIPS, ORDER, SAMPLES, SIZES, Share, Shares, clips_digest
from foreframe.evaluation.survey import Survey
from foreframe.predictors import loading
from foreframe.running import compute as computing
from foreframe.running import stage
from stages.sample import attributes, batches, drawn, put, size, write_shown


class Noted:
    """A file that is being written, and the names of its datasets in the order they are made."""

    def __init__(self, file: hdf5.File) -> None:
        self._file = file
        self.names: list[str] = []

    def create_dataset(self, name: str, **settings: Any) -> h5py.Dataset:
        """Create one."""
        self.names.append(name)
        return self._file.create_dataset(name, **settings)

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def __getitem__(self, name: str) -> h5py.Dataset:
        return self._file[name]


def write(
    file: hdf5.File, task: Task, drawings: Mapping[str, Drawing], clips: Clips, share: Share
) -> list[list[str]]:
    """Write the share's clips under each drawing; return the names of its datasets, in order."""
    order = []
    for name, each, make in drawn(task, drawings):
        own, noted = share.rows(len(clips), size(each)), Noted(file)
        for rows in batches(task, name, each):
            if not own.start <= rows.start < own.stop:
                continue
            made = make(rows, clips.read(numpy.arange(rows.start, rows.stop)))
            place = slice(rows.start - own.start, rows.stop - own.start)
            for key, (values, axes) in made.items():
                put(noted, key, place, values, own.stop - own.start, axes)
            file.check()
        order.append(noted.names)
    return order


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    survey: Path,
    sampling: Sampling,
    futures: FutureSettings,
    compute: Compute,
    shares: Shares,
    out: Path,
) -> None:
    """Write what `sample` writes of the clips that are the share's; its folder is the protocol's.

    Raises:
        UserError: as `sample`, or none of `shares` is called as `out`.
        ArtefactError: the survey is of other frames.
    """
    share, protocol = Share.of(out, shares), out.parent.name
    predictor = loading.load(models, normalization, computing.prepare(compute))
    drawings = sampling.drawings(predictor.options)
    chosen = choose(load_split(split), futures, protocol)
    task = Task.of(predictor, futures, frames, chosen)
    about = {
        **share.attributes,
        SIZES: json.dumps([size(each) for _, each, _ in drawn(task, drawings)]),
        CLIPS: clips_digest(chosen),
        "protocol": protocol,
        **attributes(task, sampling, models, Survey.load(survey, split).dataset),
    }
    with (
        hdf5.creating(out, SAMPLES, about) as file,
        Clips(frames, chosen.starts, futures.frames) as clips,
    ):
        hdf5.store(file, "clip_number", chosen.numbers)
        hdf5.store(file, "clip_start", chosen.starts)
        order = write(file, task, drawings, clips, share)
        of_shown = Noted(file)
        if share.number == 0:
            write_shown(of_shown, task, drawings, clips, sampling.show)
        hdf5.store(file, ORDER, [json.dumps([*order, of_shown.names])])


if __name__ == "__main__":
    stage.run(main)
