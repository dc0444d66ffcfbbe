"""The likelihood of true futures, asked for by shares of clips and stated of all of them together.

Shapes: N clips, B of them, T frames, K samples, C = 3 colours.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.config.protocols import LikelihoodSettings, ProtocolSettings
from foreframe.data.clips import Clips
from foreframe.evaluation import likelihood
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.shares import Share
from foreframe.evaluation.taping import blank
from foreframe.predictors import Context, LikelihoodKind, LogWeights, Prediction, Predictor
from foreframe.randomness import Draws

GROUP = "likelihood"


class _Asked(Predictor):
    """A predictor that says how probable true futures are, and is asked for no future."""

    def __init__(self, kind: LikelihoodKind) -> None:
        vars(self)["likelihood_kind"] = kind

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        raise NotImplementedError("It is asked for likelihoods alone.")


class _Noting(_Asked):
    """Keeps what another one says."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__(predictor.likelihood_kind)
        self._predictor = predictor
        self.said: list[LogWeights] = []

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        found = self._predictor.likelihood(context, future_NhHWC, draws)
        self.said.append(found)
        return found


class _Saying(_Asked):
    """Says again what was kept, of clips in their order."""

    def __init__(self, kind: LikelihoodKind, said: LogWeights, by_clip: bool) -> None:
        super().__init__(kind)
        self._said, self._by_clip, self._done = said, by_clip, 0

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        rows = slice(self._done, self._done + len(context.numbers))
        self._done = rows.stop
        values_KN = self._said.values[:, rows]
        if not self._by_clip:
            values_KN = values_KN.contiguous()
        return replace(self._said, values=values_KN)


class Blank(Clips):
    """Clips without pixels."""

    def __init__(self, count: int, length: int) -> None:
        super().__init__(Path(), numpy.zeros(count), length)

    def read(self, indices: ArrayLike) -> Tensor:
        """Return so many clips of one black pixel: uint8 (B,T,1,1,3)."""
        return blank(len(numpy.atleast_1d(numpy.asarray(indices))), self.length)


def rows(share: Share, clips: int, kind: LikelihoodKind, asked: LikelihoodSettings) -> slice:
    """Return the clips that a share asks about: whole batches of `likelihood.measure`."""
    samples = 1 if kind == "exact" else asked.samples
    return share.rows(clips, max(1, likelihood.TOGETHER // samples))


def record(
    file: hdf5.File, task: Task, clips: Clips, asked: LikelihoodSettings | None, share: Share
) -> None:
    """Write what a predictor says of the share's clips, if it is asked and can say anything.

    Raises:
        UserError: as the predictor.
    """
    kind = task.predictor.likelihood_kind
    if asked is None or kind == "none":
        return
    own = rows(share, len(clips), kind, asked)
    if own.start == own.stop:
        return
    noting = _Noting(task.predictor)
    led = None if task.actions is None else task.actions[own]
    part = replace(task, predictor=noting, numbers=task.numbers[own], actions=led)
    with Clips(clips.frames, clips.starts[own], clips.length) as source:
        likelihood.measure(part, source, asked)
    values = [said.values.cpu() for said in noting.said]
    hdf5.store(file, f"{GROUP}/values", torch.cat([each.T for each in values]).numpy())
    about: Mapping[str, Any] = {
        "dimensions": noting.said[0].dimensions,
        "grey_level": noting.said[0].grey_level,
        # How the numbers lay decides in which order they are summed.
        "by_clip": all(each.T.is_contiguous() for each in values),
    }
    for name, value in about.items():
        hdf5.store(file, f"{GROUP}/{name}", [value])


def replay(
    files: Mapping[Share, h5py.File], protocol: ProtocolSettings, clips: int, kind: LikelihoodKind
) -> dict[str, Any]:
    """Return what `likelihood.stated` says of all clips, from the files of all shares."""
    asked, futures = protocol.measures.likelihood, protocol.futures
    saying: Predictor = _Asked(kind)
    if asked is not None and kind != "none":
        kept = [file[GROUP] for file in files.values() if GROUP in file]
        values_NK = torch.cat([torch.from_numpy(each["values"][:]) for each in kept])
        about = {name: kept[0][name][0].item() for name in ("dimensions", "grey_level", "by_clip")}
        said = LogWeights(values_NK.T, int(about["dimensions"]), float(about["grey_level"]))
        saying = _Saying(kind, said, bool(about["by_clip"]))
    task = Task(saying, futures, range(clips), None)
    return likelihood.stated(task, Blank(clips, futures.frames), asked)
