"""How errors spread: one wrong code, and what greedy sampling makes of it later and elsewhere.

Xu 2022, 6.3: one spot blurs, and the error grows mostly to the right and downwards, because codes
are sampled in raster order. Here true codes are given up to a position, where one code is replaced;
the rest is sampled greedily, with and without the replacement.

Shapes: B clips, T H W code grid, N = T*H*W positions in raster order, M = N + 1 (see
`foreframe.priors.engines`), K codes; (dt, dy, dx) steps from the position.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation import columns
from foreframe.findings.task import ARGMAX
from foreframe.priors import AutoregressivePrior, Grid
from foreframe.priors.choosing import pick
from foreframe.priors.sampling import batch_size, fastest
from foreframe.randomness import generator

Place = tuple[int, int, int]  # code-frame, row, column


def position(place: Place, grid: Grid) -> int:
    """Return the place's number in raster order."""
    frame, row, column = place
    return (frame * grid[1] + row) * grid[2] + column


def corrupt(codes_BTHW: Tensor, place: Place, size: int, seed: int) -> Tensor:
    """Return codes (B,T,H,W) with the one at `place` replaced by another one of 0..size-1."""
    step_B = generator(seed, "corrupted code").integers(1, size, (len(codes_BTHW),))
    result = codes_BTHW.clone()
    index = (slice(None), *place)
    result[index] = (result[index] + step_B.to(result.device)) % size
    return result


def continue_greedily(
    prior: AutoregressivePrior, codes_BTHW: Tensor, start: int, condition: Tensor | None
) -> Tensor:
    """Return codes (B,T,H,W) whose first `start`, in raster order, are kept; the rest is argmax."""
    codes_BM = torch.cat(
        [codes_BTHW.flatten(1), codes_BTHW.new_full((len(codes_BTHW), 1), prior.codebook_size)],
        dim=1,
    )
    with torch.inference_mode():
        engine = fastest(prior)(prior, codes_BM, start, condition)
        for step in engine.schedule():
            codes_BM.index_copy_(1, step.positions, pick(engine.logits(step), ARGMAX, None))
    return codes_BM[:, :-1].unflatten(1, prior.grid).clone()


def changed(
    prior: AutoregressivePrior,
    codes_BTHW: Tensor,
    latents: Mapping[str, Tensor],
    place: Place,
    seed: int,
) -> Tensor:
    """Return which codes (B,T,H,W) differ between the two continuations after `place`.

    At `place` itself every clip differs, by construction; before it none does.
    """
    start = position(place, prior.grid) + 1
    wrong_BTHW = corrupt(codes_BTHW, place, prior.codebook_size, seed)
    size = batch_size(prior, fastest(prior))
    parts = []
    for rows in torch.arange(len(codes_BTHW)).split(size):
        with torch.inference_mode():
            condition = prior.condition({level: ids[rows] for level, ids in latents.items()})
        plain = continue_greedily(prior, codes_BTHW[rows], start, condition)
        other = continue_greedily(prior, wrong_BTHW[rows], start, condition)
        parts.append(plain != other)
    return torch.cat(parts)


def around(values_BTHW: Tensor, place: Place) -> Tensor:
    """Return a window around `place`, from its frame on: (B, T-t, 2y+1, 2x+1).

    It reaches equally far left and right, and up and down, so that sides can be compared.
    """
    frame, row, column = place
    _, _, height, width = values_BTHW.shape
    y, x = min(row, height - 1 - row), min(column, width - 1 - column)
    return values_BTHW[:, frame:, row - y : row + y + 1, column - x : column + x + 1]


def sides(window_Btyx: Tensor) -> dict[str, Tensor]:
    """Return the share of changed codes right, left, below and above the position: (B,) each.

    The columns (rows) through the position belong to no side.
    """
    values = window_Btyx.double()
    y, x = values.shape[2] // 2, values.shape[3] // 2
    parts = {
        "right": values[..., x + 1 :],
        "left": values[..., :x],
        "below": values[:, :, y + 1 :],
        "above": values[:, :, :y],
    }
    return {name: part.flatten(1).mean(dim=1) for name, part in parts.items() if part.numel()}


def by_distance(changed_BTHW: Tensor, place: Place) -> Tensor:
    """Return the share of changed codes by raster distance, in rows' worth of codes: (B, rows).

    The first is over the W positions right after `place`; an unfilled last row is left out.
    """
    width = changed_BTHW.shape[3]
    grid: Any = changed_BTHW.shape[1:]
    after = changed_BTHW.double().flatten(1)[:, position(place, grid) + 1 :]
    rows = after.shape[1] // width
    return after[:, : rows * width].unflatten(1, (rows, width)).mean(dim=2)


def summarize(changed_BTHW: Tensor, place: Place) -> dict[str, Any]:
    """Return how many codes change after the position, and on which sides of it."""
    grid: Any = changed_BTHW.shape[1:]
    where = position(place, grid)
    flat = changed_BTHW.double().flatten(1)
    window = around(changed_BTHW, place)
    found: dict[str, Any] = {
        "place": list(place),
        "grid": list(grid),
        "changed_before": int(flat[:, :where].sum()),
        "changed_after": columns.mean(flat[:, where + 1 :].mean(dim=1)),
        "clips_unaffected": columns.share(flat[:, where + 1 :].sum(dim=1) == 0),
    }
    for name, frames in {"same_code_frame": window[:, :1], "later": window[:, 1:]}.items():
        if frames.numel():
            by_side = sides(frames)
            found[name] = {side: columns.mean(values) for side, values in by_side.items()}
            found[name] |= _leans(by_side)
    return found


def _leans(by_side: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        f"{first}_minus_{second}": columns.difference(by_side[first], by_side[second])
        for first, second in (("right", "left"), ("below", "above"))
        if first in by_side and second in by_side
    }
