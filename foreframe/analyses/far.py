"""How futures go on beyond the frames that a recording has: do they stand still, or blur, far out?

Futures need no truth to be drawn, only to be compared with it: after the given frames of a clip a
predictor goes on for as long as it is asked, past the end of the true ones (Glissov and Konradsen
2021, figures 9.10, 10.1, 10.2 and A.16). What is drawn far out is compared with what was drawn
first.

Shapes: N clips, B of a batch, t given frames, R true ones after these, h drawn ones, H rows, W
columns, C = 3 colours.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.config import reading
from foreframe.config.sampling import Name, Options
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import motion, sharpness
from foreframe.metrics.relative import FLOOR
from foreframe.predictors import Context
from foreframe.randomness import Draws

CONTEXT, REAL = "context", "real"
SHOWN = "shown"  # as the sampling's choice that reports show
ENDS = 5  # drawn frames at either end that are compared
# What is measured, with the floor that keeps its ratios finite, as the metrics have them.
AMOUNTS = {"motion": (motion.both, FLOOR / 255), "sharpness": (sharpness.both, FLOOR)}


class Settings(AnalysisSettings):
    """`frames` of a clip, given and drawn ones.

    `others` are further ways to draw, by name: what of the sampling's shown choice is another.
    """

    kind: Literal["far"]
    frames: Annotated[int, Field(ge=2, le=4096)]
    others: dict[Name, dict[str, Any]]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := sorted({CONTEXT, REAL, SHOWN} & self.others.keys()):
            raise ValueError(f"others.{taken[0]}: this name is taken. Choose another one.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return motion and sharpness by frame, and their `change` from the first frames to the last.

    In octaves: -1 is half as much. Of the clips that are shown the given frames (n,t,H,W,C), the
    true ones after them (n,R,H,W,C) and a future (n,h,H,W,C) of each way to draw are stored; R ends
    where the protocol's clips do. `real` has a change only where it goes on to the last frame.

    Raises:
        UserError: so few frames are drawn that both ends are one, or the predictor does not know
            one of the ways, or cannot continue the clips.
    """
    given = subject.futures.context
    if settings.frames < given + 2 * ENDS:
        raise UserError(
            f"the analysis draws to frame {settings.frames}, but the first {ENDS} frames after "
            f"{given} given ones are compared with the last {ENDS}. Raise frames to "
            f"{given + 2 * ENDS} or more."
        )
    ways, parts, kept = _ways(subject, settings), [], []
    for places in subject.batches():
        clips = _clips(subject, settings.frames, places, ways)
        parts.append(_measured(clips))
        if places[0] < settings.show:
            kept.append(clips)
    for name, frames in columns.join(kept).items() if kept else ():
        subject.store(name, frames[: settings.show])
    series: list[dict[str, Any]] = []
    change: dict[str, dict[str, Any]] = {}
    for name, values_Nn in columns.join(parts).items():
        whose, quantity = name.split("/")
        series += columns.rows(values_Nn, samples="model", predictor=whose, quantity=quantity)
        if values_Nn.shape[1] == settings.frames - given:
            octaves_N = _octaves(values_Nn, AMOUNTS[quantity][1])
            change.setdefault(whose, {})[quantity] = columns.mean(octaves_N)
    return Found({"change": change, "ends": ENDS}, series)


def _ways(subject: Subject, settings: Settings) -> dict[str, Options]:
    """Return the options of every future of a clip, by name.

    Raises:
        UserError: the predictor does not know them.
    """
    own, ways = subject.options.model_dump(), {SHOWN: subject.options}
    for name, changes in settings.others.items():
        ways[name] = reading.validate(type(subject.options), own | changes, f"others.{name}")
    return ways


def _clips(
    subject: Subject, frames: int, places: list[int], ways: Mapping[str, Options]
) -> dict[str, Tensor]:
    """Return frames of some clips: those given, the true ones after these, and each future."""
    given, numbers = subject.futures.context, [subject.numbers[place] for place in places]
    real_BTHWC = subject.clips.read(places)[:, :frames]
    context = Context(real_BTHWC[:, :given], numbers)
    draws = Draws.first(subject.futures.seed, numbers)
    return {
        CONTEXT: context.frames,
        REAL: real_BTHWC[:, given:],
        **{
            name: subject.predictor.predict(context, frames - given, options, draws).frames
            for name, options in ways.items()
        },
    }


def _measured(clips: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return how much of each quantity every frame after the given ones has, float64 (B,n)."""
    return {
        f"{name}/{quantity}": both(frames_BnHWC, frames_BnHWC)[..., 0]
        for name, frames_BnHWC in clips.items()
        for quantity, (both, _) in AMOUNTS.items()
        if name != CONTEXT
    }


def _octaves(values_Nn: Tensor, floor: float) -> Tensor:
    """Return log2((p + f) / (r + f)) (N,), p the mean of a clip's last frames, r of its first."""
    first_N, last_N = values_Nn[:, :ENDS].mean(dim=1), values_Nn[:, -ENDS:].mean(dim=1)
    return ((last_N + floor) / (first_N + floor)).log2()
