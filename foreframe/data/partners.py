"""Few labelled examples beside many without: each row of a training batch has a labelled partner.

Row i of the training set has the partner `labelled[i mod L]`. The loop shuffles rows, so partners
come shuffled too, each equally often in an epoch but for one time. Labels of other examples are
looked at to choose the labelled ones, as many of each class, and never given to a model.

Suffixes: B clips, N those of the training set, L labelled ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from numpy.typing import ArrayLike
from pydantic import Field
from torch import Tensor

from foreframe.config.base import Strict
from foreframe.data.examples import Batch, Examples
from foreframe.errors import UserError


class Labelled(Strict):
    """Which training clips have a label: the first ones of each class from clip `first` on."""

    label: str
    labelled: Annotated[int, Field(ge=1)]  # of each class; 100 to 800
    first: Annotated[int, Field(ge=0)]  # 4000 times the number of the run


def chosen(labels_N: Tensor, classes: Sequence[str], asked: Labelled) -> Tensor:
    """Return the numbers (L,) of the labelled clips, in their order; `classes` names the label's.

    Raises:
        UserError: there are too few of a class.
    """
    found = []
    for number, name in enumerate(classes):
        of_class = (labels_N[asked.first :] == number).nonzero().flatten() + asked.first
        if len(of_class) < asked.labelled:
            raise UserError(
                f"supervision.labelled is {asked.labelled}, but from clip {asked.first} on the "
                f"training set has {len(of_class)} of the class {name} of {asked.label}. Lower "
                "supervision.labelled or supervision.first, or collect more."
            )
        found.append(of_class[: asked.labelled])
    return torch.cat(found).sort().values


@dataclass(frozen=True)
class Paired:
    """Examples with partners: clips without the label, the same with it, and who has one (L,)."""

    examples: Examples
    partners: Examples
    labelled: Tensor

    def read(self, indices: ArrayLike) -> Batch:
        """Return the clips of these numbers, in this order, with a partner of each."""
        numbers_B = torch.atleast_1d(torch.as_tensor(indices))
        batch = self.examples.read(numbers_B)
        batch["partners"] = self.partners.read(self.labelled[numbers_B % len(self.labelled)])
        return batch
