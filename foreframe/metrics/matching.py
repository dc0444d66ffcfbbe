"""Where slots are, which of them are which objects, and which modules are which moves.

As in Castrejon 2022, 8.5: a slot's place is the centroid of its mask, an object is the slot that is
nearest to it in the first frame, and a module is the move that it is picked for.

Shapes: N clips, T frames, K slots, O objects, H rows, W columns, M modules, D moves.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

MOVES = ("left", "right", "up", "down")  # of one step, by number

# What keeps the centroid of nothing finite: as much weight in every pixel.
SMALLEST = 1e-9


def centroids(weights_NKHW: Tensor) -> Tensor:
    """Return the mean place (N,K,2), x and y in pixels from 0, of weights; further axes may lead.

    Of weights that are all 0 it is the middle.
    """
    weights = weights_NKHW.double() + SMALLEST
    height, width = weights.shape[-2:]
    y_H, x_W = (torch.arange(size, device=weights.device).double() for size in (height, width))
    whole = weights.sum(dim=(-2, -1))
    x = (weights.sum(dim=-2) * x_W).sum(dim=-1) / whole
    y = (weights.sum(dim=-1) * y_H).sum(dim=-1) / whole
    return torch.stack([x, y], dim=-1)


def nearest(centroids_NK2: Tensor, places_NO2: Tensor) -> Tensor:
    """Return the slot (N,O), int64, whose centroid is nearest to each object."""
    apart_NOK = (places_NO2[:, :, None] - centroids_NK2[:, None]).norm(dim=3)
    return apart_NOK.argmin(dim=2)


def paired(one_NK2: Tensor, other_NK2: Tensor) -> Tensor:
    """Return which slot of `other` is which of `one` (N,K): distances are least in all."""
    apart_NKK = (one_NK2[:, :, None] - other_NK2[:, None]).norm(dim=3)
    return torch.tensor([assigned(-apart_KK) for apart_KK in apart_NKK])


def assigned(gains_RC: Tensor) -> list[int]:
    """Return a column for each row, no column twice, whose gains are the most in all.

    -1 where there are fewer columns than rows.
    """
    rows, columns = linear_sum_assignment(gains_RC.double().cpu().numpy(), maximize=True)
    found = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [found.get(row, -1) for row in range(len(gains_RC))]


def of_objects(values_NTK: Tensor, slots_NO: Tensor) -> Tensor:
    """Return what is known of slots for objects, (N,T,O,...) of (N,T,K,...)."""
    rows = torch.arange(len(slots_NO), device=values_NTK.device)[:, None]
    return values_NTK.transpose(1, 2)[rows, slots_NO.to(values_NTK.device)].transpose(1, 2)


def moves(places_NTO2: Tensor) -> Tensor:
    """Return the move (N,T-1,O), a number of MOVES, that leads from each frame to the next.

    -1: it is along both axes or neither.
    """
    x, y = places_NTO2.diff(dim=1).unbind(dim=-1)
    found = torch.full(x.shape, -1, device=x.device)
    found[(x < 0) & (y == 0)] = 0
    found[(x > 0) & (y == 0)] = 1
    found[(x == 0) & (y < 0)] = 2
    found[(x == 0) & (y > 0)] = 3
    return found


def counts(moves_n: Tensor, modules_n: Tensor, modules: int) -> Tensor:
    """Return how often each module was picked for each move, int64 (D,M); moves of -1 count not."""
    known = moves_n >= 0
    places = moves_n[known] * modules + modules_n[known]
    found: Tensor = torch.bincount(places.cpu(), minlength=len(MOVES) * modules)
    return found.view(len(MOVES), modules)


def agreement(counts_DM: Tensor) -> tuple[float, list[int]]:
    """Return the share of moves for which the module of that move was picked, and these modules.

    They are those, one for each move, under which the share is largest; -1 where there are too few.
    """
    modules = assigned(counts_DM)
    right = sum(int(counts_DM[move, module]) for move, module in enumerate(modules) if module >= 0)
    return right / max(1, int(counts_DM.sum())), modules
