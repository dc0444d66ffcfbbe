"""What comes back of pictures that are encoded and decoded?

Latents are drawn from what the encoder says (Mastropietro 2017, figures 4.2 to 4.5). Nothing in ALI
asks for pictures to come back; a flow gives them back as they were.

Shapes: N clips, B of a batch, H rows, W columns, C = 3 colours.
"""

from typing import Literal

import torch

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.embedding import latents, model, pictures
from foreframe.analyses.subject import Found, Subject
from foreframe.evaluation import columns

LARGEST = 255


class Settings(AnalysisSettings):
    """`show` pictures are stored beside what comes back of them."""

    kind: Literal["reconstruction"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the mean squared error of pictures whose values are from 0 to 1; store some.

    Raises:
        UserError: the predictor has no latents of pictures.
    """
    errors, real, again = [], [], []
    for places in subject.batches():
        frames_BHWC = pictures(subject, places)
        found_BHWC = model(subject).decoded(latents(subject, frames_BHWC, places))
        off_BHWC = (found_BHWC.double() - frames_BHWC.double()) / LARGEST
        errors.append(off_BHWC.square().flatten(1).mean(dim=1))
        if places[0] < settings.show:
            real.append(frames_BHWC)
            again.append(found_BHWC)
    if settings.show:
        subject.store("real", torch.cat(real)[: settings.show])
        subject.store("reconstructed", torch.cat(again)[: settings.show])
    error_N = torch.cat(errors)
    return Found({"mse": columns.mean(error_N)}, per_clip={"mse": error_N})
