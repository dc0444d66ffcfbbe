"""What becomes of one picture when it is told other labels?

All pictures of a conditional ALI have the same latents; each row and each column has labels of its
own, on top of a base (Mastropietro 2017, figure 4.7).

Shapes: R rows, K columns, H rows and W columns of pixels, C = 3 colours, Z latents.
"""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.data.labels import number
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.networks.noise import Drawn
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.ali import ALI
from foreframe.randomness import Draws

Named = dict[str, str]  # the name of a class, by label
LARGEST = 255


class Settings(AnalysisSettings):
    """Classes by name: of every label in `base`; those that are others in a row, or in a column.

    Where both name a label it is the column's. The paper's rows are four faces, such as a young
    attractive man; its columns hair, a smile, glasses, a hat.
    """

    kind: Literal["label_grid"]
    base: Named
    rows: Annotated[tuple[Named, ...], Field(min_length=1)]
    columns: Annotated[tuple[Named, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _shows_all(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but the whole grid is shown, and no clip. Set it to 0."
            )
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Store the pictures (R,K,H,W,C) of the first latents of the seed.

    `changed` is how far a picture is from the first of its row, a mean over values from 0 to 1.

    Raises:
        UserError: the predictor is told no labels, or a label or a class is not among its own.
    """
    model, options = subject.predictor, subject.options
    if not isinstance(model, ALI) or not model.settings.labels:
        raise UserError(f"{model.name} is told no labels. Give an ali that is.")
    assert isinstance(options, Latents)
    known = {name: model.given.labels[name] for name in model.settings.labels}
    cells = [
        {**settings.base, **row, **column} for row in settings.rows for column in settings.columns
    ]
    found = [{name: number(known, name, label) for name, label in cell.items()} for cell in cells]
    if missing := [name for name in known if any(name not in cell for cell in cells)]:
        raise UserError(
            f"base says nothing of {', '.join(missing)}, which {model.name} is told. Name a class "
            "of each label."
        )
    device = next(model.parameters()).device
    labels = {name: torch.tensor([cell[name] for cell in found], device=device) for name in known}
    noise = Drawn(Draws.first(subject.futures.seed, [0]), "label_grid", device)
    z_NZ = (options.temperature * model.drawn(noise)).expand(len(cells), -1)
    size = (len(settings.rows), len(settings.columns))
    frames_RKHWC = model.pictures(z_NZ, labels).unflatten(0, size)
    subject.store("frames", frames_RKHWC)
    off = (frames_RKHWC[:, 1:].double() - frames_RKHWC[:, :1].double()).abs() / LARGEST
    return Found({"changed": columns.mean(off.flatten(2).mean(dim=2).flatten())})
