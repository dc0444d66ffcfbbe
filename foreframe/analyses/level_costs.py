"""What longer clips and wider windows cost each level of a cascade, counted and not timed.

A step of training is the two turns of a level's critics and the one of its generator. `kept` are
the bytes that the turn that needs most keeps for its way back, each memory once and weights left
out; `operations` are the floating-point operations of all its forward passes for one clip, a
multiply-add is two. Beside the levels stands `whole`: one that makes all of a clip at once, of the
last level's widths, with a recurrence and without a matching critic, as DVD-GAN is (Castrejon et
al. 2022, figure 6.3 and table 6.6). A level that is trained on windows costs as much for any clip.

Shapes: B rows, C channels, T frames, H rows and W columns of them, K lengths or windows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.predictors import cascade_levels
from foreframe.predictors.cascade import Cascade
from foreframe.predictors.cascade_levels import Level
from foreframe.randomness import generator
from foreframe.training.objective import Moment

MIB = 2**20
WHOLE = "whole"

Count = Annotated[int, Field(ge=1)]


class Settings(AnalysisSettings):
    """Lengths of clips in frames, windows of the last level, and the rows of a batch.

    Windows are measured of the longest clips; without levels above the first there are none.
    """

    kind: Literal["level_costs"]
    frames: Annotated[tuple[Count, ...], Field(min_length=2)]
    windows: tuple[Count, ...]
    rows: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but costs are counted, and no clip is shown. Set it to 0."
            )
        for name in ("frames", "windows"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise ValueError(f"{name} are not in order of size, each once. Sort them.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return `kept` and `operations` of `level_1`, ... and `whole`, by length and by window.

    `reach` are the frames of the longest clip of which no level keeps more than `whole` does of the
    longest one that is measured, along a straight line through the last two lengths; none where all
    levels see windows. Stored are `lengths` and `windows` (K) and, of each name, `_kept` in MiB and
    `_operations` in 10^9.

    Raises:
        UserError: the predictor is no cascade, or its levels cannot make such clips or see such
            windows.
    """
    model = subject.predictor
    if not isinstance(model, Cascade):
        raise UserError(f"{model.name} has no levels to be counted. Name a cascade.")
    levels, longest = model.settings.levels, settings.frames[-1]
    by_length = {
        str(frames): {
            **_of_levels(model, levels, frames, settings.rows, range(len(levels))),
            WHOLE: _of_levels(model, [single(levels[-1])], frames, settings.rows, [0])["level_1"],
        }
        for frames in settings.frames
    }
    name, last = f"level_{len(levels)}", len(levels) - 1
    by_window = {}
    for window in settings.windows if last else ():
        upper = levels[-1].model_copy(update={"window": window})
        found = _of_levels(model, [*levels[:-1], upper], longest, settings.rows, [last])
        by_window[str(window)] = found[name]
    _store(subject, settings.frames, by_length)
    if by_window:
        _store(
            subject, settings.windows, {key: {"window": each} for key, each in by_window.items()}
        )
    return Found({"lengths": by_length, "windows": by_window, "reach": reach(by_length)})


def single(last: Level) -> Level:
    """Return a level that makes at once all that the last one of a cascade ends with."""
    generating = last.generator.model_copy(update={"temporal": "gru"})
    judging = last.critic.model_copy(update={"matching": False})
    changes = {"every": 1, "window": None, "generator": generating, "critic": judging}
    return last.model_copy(update=changes)


def reach(by_length: dict[str, dict[str, dict[str, float]]]) -> float | None:
    """Return how long clips may be of which no level keeps more than `whole` of the longest."""
    (before, one), (longest, two) = list(by_length.items())[-2:]
    budget, found = two[WHOLE]["kept"], list[float]()
    for name in two:
        slope = (two[name]["kept"] - one[name]["kept"]) / (int(longest) - int(before))
        if name != WHOLE and slope > 0:
            found.append(int(longest) + (budget - two[name]["kept"]) / slope)
    return min(found, default=None)


def _of_levels(
    model: Cascade, levels: Sequence[Level], frames: int, rows: int, places: Iterable[int]
) -> dict[str, dict[str, float]]:
    """Return what a step of the levels at some places takes, of clips of so many frames."""
    try:
        cascade_levels.check(levels, frames)
    except ValueError as error:
        raise UserError(f"Of clips of {frames} frames: {error}") from None
    view = model.settings.view.model_copy(update={"frames": frames})
    settings = model.settings.model_copy(update={"levels": tuple(levels), "view": view})
    given = replace(model.given, shape=replace(model.given.shape, frames=frames))
    device = next(model.parameters()).device
    # No weight is drawn: what is kept and computed is the same whatever the numbers are.
    built = Cascade(settings, given).to(device).train()
    shape = given.shape
    x_BCTHW = torch.zeros(rows, shape.channels, frames, shape.height, shape.width, device=device)
    label_B = torch.zeros(rows, dtype=torch.int64, device=device)
    batch = {"x": x_BCTHW, "labels": dict.fromkeys(settings.labels, label_B)}
    return {f"level_{place + 1}": _step(built, batch, place) for place in places}


def _step(model: Cascade, batch: dict[str, Any], place: int) -> dict[str, float]:
    """Return the most bytes that a turn keeps, and the operations for a clip of all of them."""
    game, kept, operations = model.objective(), 0, 0
    for turn in game.turns:
        if turn[0] not in cascade_levels.players(place):
            continue
        saved = Kept(model)
        moment = Moment(0, 1, place, 0, 1, generator(0, "level_costs"))
        with torch.enable_grad(), FlopCounterMode(display=False) as counter, saved:
            game.losses(batch, moment, turn)
        kept, operations = max(kept, saved.bytes), operations + counter.get_total_flops()
    return {"kept": kept, "operations": operations / len(batch["x"])}


def _store(
    subject: Subject, places: Sequence[int], rows: dict[str, dict[str, dict[str, float]]]
) -> None:
    """Store the numbers of each name over lengths, or over windows where there is but that."""
    names = list(next(iter(rows.values())))
    subject.store("windows" if names == ["window"] else "lengths", torch.tensor(places))
    for name in names:
        for quantity, unit in (("kept", MIB), ("operations", 1e9)):
            values = [row[name][quantity] / unit for row in rows.values()]
            subject.store(f"{name}_{quantity}", torch.tensor(values))


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts the bytes that a forward pass keeps for the way back, without a model's own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(self._note, lambda kept: kept)
        self._own = {_memory(each) for each in (*model.parameters(), *model.buffers())}
        self._seen: dict[int, Tensor] = {}  # held, so that no memory is given away meanwhile

    @property
    def bytes(self) -> int:
        """What was kept so far."""
        return sum(each.untyped_storage().nbytes() for each in self._seen.values())

    def _note(self, tensor: Tensor) -> Tensor:
        if (place := _memory(tensor)) not in self._own:
            self._seen.setdefault(place, tensor)
        return tensor


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
