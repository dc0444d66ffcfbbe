"""What lies between two pictures among the latents of a model?

Along the straight line from the latents of one to those of the other, step by step, pictures are
decoded (Kingma and Dhariwal 2018, section 6; Mastropietro 2017, figure 4.6; Glissov and Konradsen
2021, figure 2.1). What is half way shows whether the model learnt more than pixels: a mean of these
would be two faded pictures.

Shapes: P pairs of pictures, S steps, H rows, W columns, C = 3 colours.
"""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.embedding import classes, latents, model, pictures
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns

Class = Annotated[int, Field(ge=0)]


class Settings(AnalysisSettings):
    """From a picture of the class `first` of a label to one of `second`, in so many pictures.

    Both ends are among the steps; `show` is how many pairs there are, of the classes' first clips.
    Without a label pairs are clips that follow each other: the first two, the next two.
    """

    kind: Literal["latent_interpolation"]
    label: str | None
    first: Class | None
    second: Class | None
    steps: Annotated[int, Field(ge=3)]

    @model_validator(mode="after")
    def _shows_pairs(self) -> Self:
        if not self.show:
            raise ValueError("show is 0, but it is how many pairs are interpolated. Set it to 1.")
        if len({self.label is None, self.first is None, self.second is None}) > 1:
            raise ValueError(
                "label, first and second say together which classes are paired. Give all three, "
                "or set all to null."
            )
        if self.first is not None and self.first == self.second:
            raise ValueError(f"first and second are both {self.first}. Name two classes.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Store the pictures (P,S,H,W,C) and the true ones at their `ends` (P,2,H,W,C).

    `ends_differ` is the share of values that do not come back as they were: of a flow its rounding,
    or its failure to be inverted; of another model what it does not reconstruct.

    Raises:
        UserError: the predictor has no latents of pictures, or the clips lack such a label, or
            enough of a class.
    """
    shares_S = torch.linspace(0, 1, settings.steps)
    found, ends, differ = [], [], []
    for pair in _pairs(subject, settings):
        ends.append(pictures(subject, pair))
        found.append(between(subject, ends[-1], pair, shares_S))
        differ.append((found[-1][[0, -1]] != ends[-1]).double().mean())
    subject.store("frames", torch.stack(found))
    subject.store("ends", torch.stack(ends))
    return Found({"ends_differ": columns.mean(torch.stack(differ)), "pairs": len(found)})


def between(subject: Subject, ends_2HWC: Tensor, places: list[int], shares_S: Tensor) -> Tensor:
    """Return the pictures (S,H,W,C) whose latents are these shares of the way along."""
    found = [_along(part, shares_S) for part in latents(subject, ends_2HWC, places)]
    return model(subject).decoded(found)


def _along(ends_2: Tensor, shares_S: Tensor) -> Tensor:
    """Return (S,...) between the two rows of a part of latents."""
    shares = shares_S.view(-1, *[1] * (ends_2.ndim - 1)).to(ends_2)
    return torch.lerp(ends_2[:1], ends_2[1:], shares)


def _pairs(subject: Subject, settings: Settings) -> list[list[int]]:
    """Return the places of both pictures of each pair."""
    if settings.label is None:
        if 2 * settings.show > len(subject):
            raise UserError(
                f"show is {settings.show} pairs, but there are {len(subject)} clips. Lower show, "
                "or take more clips."
            )
        return [[2 * pair, 2 * pair + 1] for pair in range(settings.show)]
    assert settings.first is not None and settings.second is not None
    labels_N = classes(subject, settings.label)
    ends = [
        _places(labels_N, settings, settings.label, wanted)
        for wanted in (settings.first, settings.second)
    ]
    return [list(pair) for pair in zip(*ends, strict=True)]


def _places(labels_N: Tensor, settings: Settings, label: str, wanted: int) -> list[int]:
    """Return the places of the first clips of a class, as many as there are pairs."""
    found: list[int] = (labels_N == wanted).nonzero().flatten()[: settings.show].tolist()
    if len(found) < settings.show:
        raise UserError(
            f"show is {settings.show}, but of the class {wanted} of {label} there are "
            f"{len(found)} clips. Lower show, take more clips, or name another class."
        )
    return found
