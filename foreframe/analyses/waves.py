"""How a model of sequences of numbers goes on with what it is given, beside how they went on.

Of the sine waves of Glissov and Konradsen 2021 (figures A.1 and A.2): patches are joined to one
line. The error of a perfect guess is that of the noise in the data.

Shapes: N sequences, B of a batch, T patches, t given ones, S points of a patch.
"""

from typing import Literal

import torch

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.networks.noise import Drawn
from foreframe.predictors.sequence_vae import SequenceVAE
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws
from foreframe.roots import root


class Settings(AnalysisSettings):
    """Nothing else to choose."""

    kind: Literal["waves"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the root mean square error; store the lines of the sequences that are shown.

    Raises:
        UserError: the predictor is not of sequences of numbers.
    """
    model, options, given = subject.predictor, subject.options, subject.futures.context
    if not isinstance(model, SequenceVAE) or not isinstance(options, LatentOptions):
        raise UserError(f"{model.name} is no model of sequences of numbers. Give a sequence_vae.")
    device, errors = next(model.parameters()).device, []
    for places in subject.batches():
        numbers = [subject.numbers[place] for place in places]
        x_BTS = subject.states[places].to(device)
        noise = Drawn(Draws.first(subject.futures.seed, numbers), "waves", device)
        made_BhS = model.extend(x_BTS[:, :given], subject.futures.horizon, options, noise)
        errors.append((made_BhS - x_BTS[:, given:]).double().square().flatten(1).mean(dim=1))
        for row, place in enumerate(places):
            if place < settings.show:
                subject.store(f"real_{place + 1}", x_BTS[row].flatten())
                both = torch.cat([x_BTS[row, :given], made_BhS[row]])
                subject.store(f"continued_{place + 1}", both.flatten())
    return Found({"error": columns.mean(root(torch.cat(errors)).cpu())})
