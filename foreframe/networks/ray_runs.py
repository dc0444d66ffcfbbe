"""Which points of which rays lie in which box, laid out so that nothing else is computed.

A ray passes a box in one run of points. The rays that pass it are packed to the left, and so are
the points of each run: every field then has as many points as the one with the most, M rays of S
points, instead of all R rays of P points. Going there and back are gathers, and so are their
gradients, each the other's: nothing is scattered and nothing added up in an order that a device
chooses.

Shapes: N fields, R rays of P points, M packed rays of S points.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


@dataclass(frozen=True)
class Packing:
    """Between L places of a row and Q < L packed ones, of which not all may be taken.

    Attributes:
        taken: the place (N,Q) of each packed one, int64.
        kept: whether it is one, bool (N,Q): the others only fill up.
        where: the packed one (N,L) of each place, int64.
        held: whether a place has one, bool (N,L).
    """

    taken: Tensor
    kept: Tensor
    where: Tensor
    held: Tensor

    def pack(self, values_NL: Tensor) -> Tensor:
        """Return the values (N,Q) at the places that are taken, 0 in what fills up."""
        found: Tensor = _Pack.apply(values_NL, self)  # type: ignore[no-untyped-call]
        return found

    def spread(self, values_NQ: Tensor) -> Tensor:
        """Return packed values at their places (N,L), or (N,L,C) of (N,Q,C); 0 elsewhere."""
        found: Tensor = _Spread.apply(values_NQ, self)  # type: ignore[no-untyped-call]
        return found


def _gathered(values: Tensor, places: Tensor, valid: Tensor) -> Tensor:
    if values.ndim == places.ndim:
        return values.gather(1, places) * valid
    wide = places[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, wide) * valid[..., None]


class _Pack(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, packing: Packing) -> Tensor:
        ctx.packing = packing
        return _gathered(values, packing.taken, packing.kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        packing: Packing = ctx.packing
        return _gathered(gradient, packing.where, packing.held), None


class _Spread(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, packing: Packing) -> Tensor:
        ctx.packing = packing
        return _gathered(values, packing.where, packing.held)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        packing: Packing = ctx.packing
        return _gathered(gradient, packing.taken, packing.kept), None


@dataclass(frozen=True)
class Runs:
    """The points of rays that lie in boxes.

    Attributes:
        rays: packs R rays to M.
        points: packs R P points to M S.
        size: M and S.
    """

    rays: Packing
    points: Packing
    size: tuple[int, int]


@torch.no_grad()
def runs(inside_NRP: Tensor, *, skip: bool) -> Runs:
    """Return the runs of points inside; without `skip` all rays and points are taken.

    Where tensors have no numbers (the meta device) nothing can be skipped.
    """
    fields, rays, points = inside_NRP.shape
    counts_NR = inside_NRP.sum(dim=2)
    passing_NR = counts_NR > 0
    if not (skip and fields) or inside_NRP.is_meta:
        return _all(inside_NRP, passing_NR)
    most_rays = max(1, int(passing_NR.sum(dim=1).max()))
    most_points = max(1, int(counts_NR.max()))
    packed = passing_NR.cumsum(dim=1)  # of whole numbers, so exact
    asked_M = torch.arange(1, most_rays + 1, device=packed.device)
    ray_NM = torch.searchsorted(packed, asked_M.expand(fields, -1).contiguous())
    kept_NM = asked_M <= packed[:, -1:]
    ray_NM = ray_NM.clamp_max(rays - 1)
    rank_NR = (packed - 1).clamp_min(0)
    of_rays = Packing(ray_NM, kept_NM, rank_NR, passing_NR)
    # The largest value's first place: where the run begins.
    first_NR = inside_NRP.to(torch.uint8).argmax(dim=2)
    step_S = torch.arange(most_points, device=packed.device)
    at_NMS = first_NR.gather(1, ray_NM)[..., None] + step_S
    count_NM = counts_NR.gather(1, ray_NM)
    kept_NMS = kept_NM[..., None] & (step_S < count_NM[..., None])
    taken_NMS = ray_NM[..., None] * points + at_NMS.clamp_max(points - 1)
    place_P = torch.arange(points, device=packed.device)
    where_NRP = rank_NR[..., None] * most_points + (place_P - first_NR[..., None])
    of_points = Packing(
        taken_NMS.flatten(1),
        kept_NMS.flatten(1),
        where_NRP.clamp(0, most_rays * most_points - 1).flatten(1),
        inside_NRP.flatten(1),
    )
    return Runs(of_rays, of_points, (most_rays, most_points))


def _all(inside_NRP: Tensor, passing_NR: Tensor) -> Runs:
    _, rays, points = inside_NRP.shape
    inside_NL = inside_NRP.flatten(1)
    found = []
    for held in (passing_NR, inside_NL):
        every = torch.arange(held.shape[1], device=held.device).expand_as(held)
        found.append(Packing(every, held, every, held))
    return Runs(found[0], found[1], (rays, points))
