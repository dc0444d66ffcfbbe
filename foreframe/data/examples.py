"""The clips of a set as a training run takes them: dictionaries, read by number from frames.h5.

Pixels stay 8-bit until they are on the device, where `foreframe.data.scaling` makes numbers of
them. Suffixes: B clips, T frames, H height, W width, A action channels, S states.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Required, Self, TypedDict

import h5py
import numpy
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from foreframe.data import actions, labels
from foreframe.data import frames as frames_file
from foreframe.data.clips import Clips
from foreframe.data.views import View
from foreframe.errors import UserError


class Batch(TypedDict, total=False):
    """What is known of some clips.

    `x`: uint8 frames (B,T,H,W,3), or states (B,T,S) float32; `actions`: those that led to each
    frame, float32 (B,T,A); `labels`: by the label's name, int64 (B,); `partners`: a labelled clip
    for each, see `foreframe.data.partners`.
    """

    x: Required[Tensor]
    actions: Tensor
    labels: dict[str, Tensor]
    partners: "Batch"


class Examples:
    """Clips that begin at `starts`, as `view` gives them, with what else is asked for.

    Use it as a context manager, around all reading.
    """

    def __init__(
        self, clips: Clips, view: View, *, with_actions: bool, with_labels: Sequence[str]
    ) -> None:
        self.clips, self.view = clips, view
        self.with_actions, self.with_labels = with_actions, tuple(with_labels)
        self._stack = ExitStack()

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def read(self, indices: ArrayLike) -> Batch:
        """Return the clips of these numbers, in this order."""
        numbers_B = numpy.atleast_1d(numpy.asarray(indices, dtype=numpy.int64))
        starts_B = self.clips.starts[numbers_B]
        frames = self.view.of == "frames"
        batch: Batch = {"x": self.clips.read(numbers_B) if frames else self._states(starts_B)}
        if self.with_actions:
            batch["actions"] = actions.leading(self._file, starts_B, self.clips.length)
        if self.with_labels:
            batch["labels"] = labels.of_clips(self._file, self.with_labels, starts_B)
        return batch

    def _states(self, starts_B: NDArray[numpy.int64]) -> Tensor:
        rows_NS, length = self._file["states"], self.clips.length
        shape = (len(starts_B), length, rows_NS.shape[1])
        found_BTS = numpy.empty(shape, numpy.float32)
        for clip_TS, start in zip(found_BTS, starts_B.tolist(), strict=True):
            clip_TS[:] = rows_NS[start : start + length]
        return torch.from_numpy(found_BTS)

    def _refuse(self) -> None:
        asked = {"states": self.view.of == "states", "actions": self.with_actions}
        refuse_lacking(self._file, [name for name, wanted in asked.items() if wanted])
        labels.of_clips(self._file, self.with_labels, [])

    def __enter__(self) -> Self:
        """Open the file of frames.

        Raises:
            UserError: the data have no states, actions or labels, and they are asked for.
            ArtefactError: the file is missing or damaged.
        """
        path = self.clips.frames
        with ExitStack() as stack:
            self._file: h5py.File = stack.enter_context(frames_file.opening(path))
            stack.enter_context(self.clips)
            self._refuse()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._stack.close()


def refuse_lacking(file: h5py.File, names: Iterable[str]) -> None:
    """Refuse data that lack what is asked for beside the frames.

    Raises:
        UserError: names what is missing, and the cure.
    """
    for name in names:
        if name not in file:
            raise UserError(
                f"{file.filename} has no {name}: its source {file.attrs['source']} gives none. "
                f"Do without {name}, or take a source that has them."
            )
