"""Static and faded rollouts: motion, contrast and sharpness of predicted frames by frame.

Xu 2022, 5.3.1 and 6.2: some rollouts follow the motion, some fade, some stand still soon after the
given frames. Here a rollout is judged by the second half of its horizon, against the same clip's
true frames.

Shapes: n clips, B clips of a batch, T predicted frames, H rows, W columns, C = 3 colours.
"""

from typing import Any

import torch
from torch import Tensor

from foreframe.analysis import columns, light
from foreframe.analysis.columns import Columns
from foreframe.metrics import motion, sharpness
from foreframe.metrics.relative import FLOOR

QUANTITIES = ("motion", "contrast", "sharpness")
# Which clips are shown, of those that were looked at: the one that ...
RULES = {
    "good": "is predicted best of those that keep half of the true motion and contrast",
    "faded": "keeps the smallest share of the true contrast",
    "static": "keeps the smallest share of the true motion",
}
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


def examples(values: Columns, quality_n: Tensor) -> dict[str, int]:
    """Return the places of a good, a faded and a static clip by `RULES`, in this order.

    `quality` is larger for better predictions, such as a PSNR. All three differ where there are
    clips enough; where none keeps half, good is the best of all.
    """
    moving_n, contrast_n = (late(values, name) for name in ("motion", "contrast"))
    alive_n = (moving_n >= 0.5) & (contrast_n >= 0.5)
    free = set(range(len(quality_n)))
    good = _extreme(torch.where(alive_n, quality_n, quality_n - 1e9), free)
    faded = _extreme(-contrast_n, free - {good})
    static = _extreme(-moving_n, free - {good, faded})
    return {"good": good, "faded": faded, "static": static}


def _extreme(values_n: Tensor, among: set[int]) -> int:
    """Return the first place of the largest value among some places, or 0 if there are none."""
    known_n = values_n.nan_to_num(nan=-torch.inf).tolist()
    return max(sorted(among), key=lambda place: known_n[place], default=0)


def _contrast(frames_BTHWC: Tensor) -> Tensor:
    return light.luma(frames_BTHWC).flatten(2).std(dim=-1, correction=0) / 255
