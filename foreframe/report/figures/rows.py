"""Stored clips as the rows of a strip: futures after what was given of them, or whole clips."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy

from foreframe.artefacts import hdf5
from foreframe.report.strips import Frames, Row

REAL = "real"  # is shown with the frames that were given; futures begin after those
COPY = "copy_last_frame"  # a row that is not stored: the last given frame, repeated


@dataclass(frozen=True)
class Clips:
    """Arrays by name, (n,T,H,W,3) or, of futures alone, (n,h,H,W,3); frames (n,t,...) before."""

    arrays: Mapping[str, Frames]
    before: Frames
    context: int | None
    frames: int

    def row(self, name: str, number: int, label: str) -> Row:
        """Return a row of a strip."""
        frames = self.arrays[name][number]
        if self.context is None or len(frames) == self.frames:
            return Row(label, frames)
        if name == REAL:
            return Row(label, self._whole(frames, number))
        return Row(label, frames, self.context + 1)

    def panel(self, name: str, number: int, label: str) -> Row:
        """Return a row as a panel that plays: all of the clip, under a label of one line."""
        row = self.row(name, number, label.replace("-\n", "").replace("\n", " "))
        return row if row.first == 1 else Row(row.label, self._whole(row.frames, number))

    def _whole(self, frames: Frames, number: int) -> Frames:
        return numpy.concatenate([self.before[number, : self.context], frames])


def read(file: hdf5.Reader, names: set[str], context: int | None, pictures: bool = False) -> Clips:
    """Return the arrays of these names; of several futures of a clip the first, or `NAME 2`.

    Of `pictures`, clips of one frame, all are one clip (1,n,...); where a picture has a row of them
    (n,S,1,...), that is a clip.
    """
    arrays: dict[str, Frames] = {}
    for name in sorted(names - {COPY}):
        stored, _, future = name.partition(" ")
        found = file[stored][:]
        if pictures:
            arrays[name] = coloured(found[:, :, 0] if found.ndim == 6 else found[None, :, 0])
        else:
            arrays[name] = found[:, int(future or 1) - 1] if found.ndim == 6 else found
    lengths = [array.shape[1] for array in arrays.values()]
    if "context" in file:  # given frames stand apart
        before = file["context"][:]
        frames = before.shape[1] + max(lengths)
    elif context is not None and REAL in file:
        before = file[REAL][:]
        frames = before.shape[1]
    else:
        before = next(array for array in arrays.values() if array.shape[1] == max(lengths))
        frames = max(lengths)
    if COPY in names:
        assert context is not None, COPY
        arrays[COPY] = before[:, context - 1 : context].repeat(frames - context, axis=1)
    return Clips(arrays, before, context, frames)


def coloured(frames: Frames) -> Frames:
    """Return grey frames (n,T,H,W) in three equal colours; others as they are."""
    return frames[..., None].repeat(3, axis=-1) if frames.ndim == 4 else frames
