"""What lies between two pictures among the latents of a flow?

Along the straight line from the latents of one to those of the other, step by step, pictures are
decoded (Kingma and Dhariwal 2018, section 6; Glissov and Konradsen 2021, figure 2.1). What is half
way shows whether the flow learnt more than pixels: a mean of these would be two faded pictures.

Shapes: P pairs of pictures, S steps, H rows, W columns, C = 3 colours.
"""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.embedding import classes, flow, pictures
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns

Class = Annotated[int, Field(ge=0)]


class Settings(AnalysisSettings):
    """From a picture of the class `first` of a label to one of `second`, in so many pictures.

    Both ends are among the steps; `show` is how many pairs there are, of the classes' first clips.
    """

    kind: Literal["latent_interpolation"]
    label: str
    first: Class
    second: Class
    steps: Annotated[int, Field(ge=3)]

    @model_validator(mode="after")
    def _shows_pairs(self) -> Self:
        if not self.show:
            raise ValueError("show is 0, but it is how many pairs are interpolated. Set it to 1.")
        if self.first == self.second:
            raise ValueError(f"first and second are both {self.first}. Name two classes.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Store the pictures (P,S,H,W,C); return whether both ends come back as they were.

    `ends_differ` is the share of their values that do not: the flow's rounding, or its failure to
    be inverted.

    Raises:
        UserError: the predictor has no latents of pictures, or the clips lack such a label, or
            enough of a class.
    """
    places = zip(
        _places(subject, settings, settings.first),
        _places(subject, settings, settings.second),
        strict=True,
    )
    shares_S = torch.linspace(0, 1, settings.steps)
    found, differ = [], []
    for pair in places:
        ends_2HWC = pictures(subject, list(pair))
        found.append(between(subject, ends_2HWC, list(pair), shares_S))
        differ.append((found[-1][[0, -1]] != ends_2HWC).double().mean())
    subject.store("frames", torch.stack(found))
    return Found({"ends_differ": columns.mean(torch.stack(differ)), "pairs": len(found)})


def between(subject: Subject, ends_2HWC: Tensor, places: list[int], shares_S: Tensor) -> Tensor:
    """Return the pictures (S,H,W,C) whose latents are these shares of the way along."""
    model = flow(subject)
    numbers = [subject.numbers[place] for place in places]
    latents = model.latents(ends_2HWC, numbers, subject.futures.seed)
    share_S111 = shares_S[:, None, None, None].to(latents[0])
    return model.decoded([torch.lerp(each[:1], each[1:], share_S111) for each in latents])


def _places(subject: Subject, settings: Settings, wanted: int) -> list[int]:
    """Return the places of the first clips of a class, as many as there are pairs."""
    labels_N = classes(subject, settings.label)
    found: list[int] = (labels_N == wanted).nonzero().flatten()[: settings.show].tolist()
    if len(found) < settings.show:
        raise UserError(
            f"show is {settings.show}, but of the class {wanted} of {settings.label} there are "
            f"{len(found)} clips. Lower show, take more clips, or name another class."
        )
    return found
