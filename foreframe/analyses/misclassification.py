"""How many pictures does a critic that learnt classes from few labels take for another class?

The class is the likeliest of the K real ones, with latents drawn from the encoder (Mastropietro
2017, tables 4.1 and 4.2).

Shapes: N clips, B of a batch, K classes.
"""

from typing import Literal

import torch

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.embedding import classes, pictures
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.predictors.ali import ALI


class Settings(AnalysisSettings):
    """Nothing else to choose: the label is the one that was learnt."""

    kind: Literal["misclassification"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the share of clips whose class is missed.

    Raises:
        UserError: the predictor has learnt no classes, or the clips lack the label.
    """
    model = subject.predictor
    if not isinstance(model, ALI) or model.settings.supervision is None:
        raise UserError(f"{model.name} has learnt no classes. Give an ali with a supervision.")
    label_N = classes(subject, model.settings.supervision.label)
    found = []
    for places in subject.batches():
        numbers = [subject.numbers[place] for place in places]
        log_BK = model.classify(pictures(subject, places), numbers, subject.futures.seed)
        found.append(log_BK.argmax(dim=1).cpu() != label_N[places])
    wrong_N = torch.cat(found)
    return Found({"error": columns.share(wrong_N)}, per_clip={"error": wrong_N.double()})
