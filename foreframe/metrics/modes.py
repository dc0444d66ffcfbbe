"""How many components of a mixture a set of points has found (Mastropietro 2017, 4.4.5).

Components of equal weight and deviation: the most responsible one is that of the nearest mean. A
component counts as found once one point is nearest to it, however far; so how many points are
further away than a component reaches is said as well.

Shapes: N points, D dimensions, M components.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.roots import root

REACH = 3.0  # deviations


@dataclass(frozen=True)
class Modes:
    """What points found.

    Attributes:
        component: (N,) of the nearest mean of each.
        far: (N,) whether it is further than `REACH` deviations from it.
        counts: (M,) how many points each component has.
    """

    component: Tensor
    far: Tensor
    counts: Tensor

    @property
    def found(self) -> int:
        """How many components have a point."""
        return int((self.counts > 0).sum())


def modes(points_ND: Tensor, means_MD: Tensor, deviation: float) -> Modes:
    """Return which component each point belongs to, and how many are found.

    Raises:
        UserError: a point is not finite.
    """
    if not points_ND.isfinite().all():
        raise UserError("some points are not finite, and belong to no component. Train it anew.")
    away_NMD = points_ND.double()[:, None] - means_MD.double()
    distance_N, component_N = root(away_NMD.square().sum(dim=2)).min(dim=1)
    counts_M = torch.bincount(component_N, minlength=len(means_MD))
    return Modes(component_N, distance_N > REACH * deviation, counts_M)
