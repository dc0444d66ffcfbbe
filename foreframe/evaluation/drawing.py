"""A protocol's futures as a predictor draws them, for the file of samples and for measuring alike.

A future is a function of the weights, the seed, the clip and its number among the clip's futures:
those that no file keeps are drawn again, and are the same.

Shapes: n clips, N of them, T frames of a clip, H rows, W columns, C = 3 colours, A action channels.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.artefacts import facts
from foreframe.artefacts.digest import digest
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Drawing
from foreframe.data import actions as recorded
from foreframe.evaluation.contexts import Continued
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws

BOUND = "reconstruction"  # of the true clips: no future can be expected to be better


@dataclass(frozen=True)
class Task:
    """What is continued, and by whom; `numbers` are those of the n clips within their set."""

    predictor: Predictor
    settings: FutureSettings
    numbers: Sequence[int]
    actions: Tensor | None  # (n,T,A) that led to the clips' frames, if the predictor takes them
    # The last context that was continued, by its rows: what it tells serves all of its futures.
    _begun: dict[tuple[int, int], Context] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls, predictor: Predictor, settings: FutureSettings, frames: Path, chosen: Continued
    ) -> "Task":
        """Return the task of continuing some clips of a file of frames."""
        led = None
        if predictor.takes_actions:
            led = recorded.read(frames, chosen.starts, settings.frames)
        return cls(predictor, settings, chosen.numbers.tolist(), led)

    def context(self, rows: slice, real_NTHWC: Tensor) -> Context:
        """Return what is given of some clips, whose true frames are `real_NTHWC`."""
        return Context(
            real_NTHWC[:, : self.settings.context],
            self.numbers[rows],
            None if self.actions is None else self.actions[rows],
            whole=real_NTHWC if self.settings.context_encoding == "full_clip" else None,
        )

    def count(self, drawing: Drawing) -> int:
        """Return how many futures a clip has."""
        return self.settings.samples if drawing.varies else 1

    def predict(
        self, rows: slice, real_NTHWC: Tensor, drawing: Drawing, futures: range
    ) -> Prediction:
        """Return some futures of some clips, those of a clip in a row."""
        if (place := (rows.start, rows.stop)) not in self._begun:
            self._begun.clear()
            self._begun[place] = self.context(rows, real_NTHWC)
        return predict(
            self.predictor,
            self._begun[place],
            self.settings.horizon,
            drawing,
            Draws.each(self.settings.seed, self.numbers[rows], futures),
        )


def predict(
    predictor: Predictor, context: Context, horizon: int, drawing: Drawing, draws: Draws
) -> Prediction:
    """Return the futures that `draws` names.

    One that is the mean of K is that of the K futures whose numbers begin at K times its own,
    rounded (halves upwards), and has no codes. All K of each are held at once.
    """
    count = drawing.averaged
    if count == 1:
        return predictor.predict(context, horizon, drawing.options, draws)
    each = Draws(
        draws.seed,
        [clip for clip in draws.clips for _ in range(count)],
        [count * future + number for future in draws.futures for number in range(count)],
    )
    drawn = predictor.predict(context, horizon, drawing.options, each).frames
    total = drawn.unflatten(0, (-1, count)).sum(dim=1, dtype=torch.int64)
    return Prediction(((2 * total + count) // (2 * count)).to(torch.uint8))


def settings_digests(predictor: Predictor, drawings: Mapping[str, Drawing]) -> dict[str, str]:
    """Return, by row of a table, a digest of all that was chosen about it; not weights and seed."""
    chosen: dict[str, Any] = {
        name: {**predictor.chosen(each.options), "averaged": each.averaged}
        for name, each in drawings.items()
    }
    chosen[BOUND] = predictor.chosen(None)
    return {
        name: hashlib.sha256(facts.canonical(values)).hexdigest() for name, values in chosen.items()
    }


def weights_digest(paths: Sequence[Path]) -> str:
    """Return a digest of trained networks: two trainings of equal settings differ in it."""
    return hashlib.sha256(" ".join(sorted(map(digest, paths))).encode()).hexdigest()
