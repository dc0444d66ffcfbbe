"""Static and faded rollouts: motion, contrast and sharpness of predicted frames by frame.

Xu 2022, 5.3.1 and 6.2: some rollouts follow the motion, some fade, some stand still soon after the
given frames. Here a rollout is judged by the second half of its horizon, against the same clip's
true frames.

Shapes: n clips, B clips of a batch, T predicted frames, H rows, W columns, C = 3 colours.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foreframe.evaluation import columns
from foreframe.evaluation.columns import Columns
from foreframe.findings import light
from foreframe.metrics import motion, sharpness
from foreframe.metrics.relative import FLOOR

QUANTITIES = ("motion", "contrast", "sharpness")
# As much as one value in ten that is off by one grey level: a true clip with less is at rest.
REST = FLOOR / 255


def measure(real_BTHWC: Tensor, decoded_BTHWC: Tensor, predicted_BTHWC: Tensor) -> Columns:
    """Return motion energy, contrast and sharpness of each predicted frame, float64 (B,T) each.

    All three are uint8 (B,T,H,W,C). `NAME_true` is what a perfect prediction has: the motion of the
    real frames; contrast and sharpness of those that the true codes decode to, as a rollout cannot
    be sharper than its decoder. Contrast is the standard deviation of a frame's luma, in 0..1.
    """
    moving = motion.both(real_BTHWC, predicted_BTHWC)
    sharp = sharpness.both(decoded_BTHWC, predicted_BTHWC)
    return {
        "motion_true": moving[..., 0],
        "motion": moving[..., 1],
        "contrast_true": _contrast(decoded_BTHWC),
        "contrast": _contrast(predicted_BTHWC),
        "sharpness_true": sharp[..., 0],
        "sharpness": sharp[..., 1],
    }


def late(values: Columns, quantity: str) -> Tensor:
    """Return predicted / true in the second half of the horizon of each clip: float64 (n,).

    A clip whose truth has (almost) nothing of the quantity has NaN.
    """
    horizon = values[quantity].shape[1]
    least = REST if quantity == "motion" else FLOOR
    predicted_n, true_n = (
        values[name][:, horizon // 2 :].mean(dim=1) for name in (quantity, f"{quantity}_true")
    )
    return torch.where(true_n > least, predicted_n / true_n, torch.nan)


def summarize(values: Columns, static_below: float, faded_below: float) -> dict[str, Any]:
    """Return the shares of clips that stand still, lose contrast, lose sharpness, or do none.

    Static: less than `static_below` of the true motion energy late in the horizon; faded and
    blurred: less than `faded_below` of the contrast and the sharpness. Clips that are at rest in
    truth count in none of them; `moving` is how many are left.
    """
    parts = {quantity: late(values, quantity) for quantity in QUANTITIES}
    counted_n = torch.stack([part.isfinite() for part in parts.values()]).all(dim=0)
    found: dict[str, Any] = {"clips": len(counted_n), "moving": int(counted_n.sum())}
    if not found["moving"]:
        return found
    kept = {name: part[counted_n] for name, part in parts.items()}
    kinds = {
        "static": kept["motion"] < static_below,
        "faded": kept["contrast"] < faded_below,
        "blurred": kept["sharpness"] < faded_below,
    }
    kinds["none"] = ~torch.stack(list(kinds.values())).any(dim=0)
    found |= {name: columns.share(yes_n) for name, yes_n in kinds.items()}
    found["late"] = {name: columns.mean(part) for name, part in kept.items()}
    return found


def series(values: Columns, **labels: str) -> list[dict[str, Any]]:
    """Return the rows of the table of series: every quantity, predicted and true, by frame."""
    return [row for name in values for row in columns.rows(values[name], quantity=name, **labels)]


@dataclass(frozen=True)
class Example:
    """A clip that is shown: its place, and why of those looked at it is the one that `rule`."""

    place: int
    rule: str


def examples(values: Columns, quality_n: Tensor) -> dict[str, Example]:
    """Return a good, a faded and a static clip, in this order, each by the rule that it was found.

    `quality` is larger for better predictions, such as a PSNR. All three differ where there are
    clips enough.
    """
    moving_n, contrast_n = (late(values, name) for name in ("motion", "contrast"))
    alive_n = (moving_n >= 0.5) & (contrast_n >= 0.5)
    if alive_n.any():
        rule = "is predicted best of those that keep half of the true motion and contrast"
        quality_n = quality_n.where(alive_n, -torch.inf)
    else:
        rule = "is predicted best, though none keeps half of the true motion and contrast"
    good = Example(int(quality_n.argmax()), rule)
    faded = _least(contrast_n, "contrast", {good.place})
    static = _least(moving_n, "motion", {good.place, faded.place})
    return {"good": good, "faded": faded, "static": static}


def _least(share_n: Tensor, quantity: str, taken: set[int]) -> Example:
    """Return the clip that keeps the smallest share, of those that are not shown yet."""
    shares = {place: share for place, share in enumerate(share_n.tolist()) if place not in taken}
    known = {place: share for place, share in shares.items() if math.isfinite(share)}
    if known:
        rule = f"keeps the smallest share of the true {quantity} of those not shown yet"
        return Example(min(known, key=known.__getitem__), rule)
    if shares:
        return Example(min(shares), f"comes next, as no true {quantity} is there to be kept")
    return Example(0, "is shown again, as there are no others")


def _contrast(frames_BTHWC: Tensor) -> Tensor:
    return light.luma(frames_BTHWC).flatten(2).std(dim=-1, correction=0) / 255
