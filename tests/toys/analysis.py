"""How bright futures are, beside the frames that are true."""

from typing import Literal

import torch

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.evaluation import columns
from foreframe.predictors import Context
from foreframe.randomness import Draws


class Settings(AnalysisSettings):
    """Nothing of its own."""

    kind: Literal["toy"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the brightness of both, and by frame what is too bright; store futures."""
    given, seed, drawn, real = subject.futures.context, subject.futures.seed, [], []
    for places in subject.batches():
        numbers = [subject.numbers[place] for place in places]
        clips_BTHWC = subject.clips.read(places)
        context = Context(clips_BTHWC[:, :given], numbers)
        draws = Draws.first(seed, numbers)
        horizon = subject.futures.horizon
        found = subject.predictor.predict(context, horizon, subject.options, draws)
        drawn.append(found.frames)
        real.append(clips_BTHWC[:, given:])
    frames_NhHWC = torch.cat(drawn)
    subject.store("future", frames_NhHWC[: settings.show])
    own_Nh, true_Nh = (
        each.double().flatten(2).mean(dim=2) for each in (frames_NhHWC, torch.cat(real))
    )
    series = columns.rows(own_Nh - true_Nh, samples="model", predictor="toy", quantity="excess")
    brightness = {
        name: columns.mean(each.mean(dim=1)) for name, each in (("own", own_Nh), ("true", true_Nh))
    }
    return Found({"brightness": brightness}, series)
