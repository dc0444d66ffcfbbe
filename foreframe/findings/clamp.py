"""The missing clamp: what wrapping round instead of clamping does to reconstructions.

Xu 2022, 6.1 finds random-looking specks in bright and dark places. The clips published with it were
turned into 8 bits without a clamp, so values beyond the range wrap round: 256 becomes 0. Both forms
are made here from the same reconstructions.

Shapes: n clips, B clips of a batch, T frames, H rows, W columns, C = 3 colours.
"""

from typing import Any

import torch
from torch import Tensor

from foreframe.data.normalization import Normalizer
from foreframe.evaluation import columns
from foreframe.evaluation.columns import Columns
from foreframe.metrics.psnr import psnr

LARGE = 150  # grey levels; an error above it is a speck
BRIGHT, DARK = (
    192,
    16,
)  # a wrapped bright place: at least BRIGHT in truth, below DARK in the picture
PALE, INK = 240, 64  # a wrapped dark place: at most INK in truth, at least PALE in the picture


def levels(clips_BCTHW: Tensor, normalizer: Normalizer) -> Tensor:
    """Return normalized clips as rounded grey levels (B,T,H,W,C), in and beyond 0..255."""
    mean, std = (
        part.to(clips_BCTHW.device) for part in (normalizer.mean_C111, normalizer.std_C111)
    )
    values = ((clips_BCTHW.float() * std + mean) * 255).round()
    return values.movedim(1, -1)


def clamped(levels_BTHWC: Tensor) -> Tensor:
    """Return uint8 frames (B,T,H,W,C) with values beyond 0..255 moved to the nearer end."""
    return levels_BTHWC.clamp(0, 255).to(torch.uint8)


def wrapped(levels_BTHWC: Tensor) -> Tensor:
    """Return uint8 frames (B,T,H,W,C) with values beyond 0..255 wrapped round: 256 becomes 0."""
    return levels_BTHWC.remainder(256).to(torch.uint8)


def measure(real_BTHWC: Tensor, levels_BTHWC: Tensor) -> Columns:
    """Return how many values wrap and how many large errors that makes: float64 (B,) each."""
    real, pictures = real_BTHWC.double(), wrapped(levels_BTHWC)
    shown = pictures.double()
    beyond = (levels_BTHWC < 0) | (levels_BTHWC > 255)
    large = (shown - real).abs() > LARGE
    from_bright = large & (real >= BRIGHT) & (shown < DARK)
    from_dark = large & (real <= INK) & (shown >= PALE)
    counts = {
        "values": torch.ones_like(large),
        "above": levels_BTHWC > 255,
        "below": levels_BTHWC < 0,
        "large": large,
        "large_beyond": large & beyond,
        "large_from_bright": from_bright,
        "large_from_dark": from_dark,
        "large_clamped": (clamped(levels_BTHWC).double() - real).abs() > LARGE,
    }
    return {
        **{name: flags.double().flatten(1).sum(dim=1) for name, flags in counts.items()},
        "psnr_clamped": psnr(real_BTHWC, clamped(levels_BTHWC)).mean(dim=1),
        "psnr_wrapped": psnr(real_BTHWC, pictures).mean(dim=1),
    }


def summarize(values: Columns) -> dict[str, Any]:
    """Return the share of values that leave the range and the share of large errors they explain.

    `explained` counts large errors at values that wrapped, over all clips; it is None where the
    wrapped pictures have no large error.
    """
    beyond = (values["above"] + values["below"]) / values["values"]
    large = float(values["large"].sum())

    def of_large(name: str) -> float | None:
        return float(values[name].sum()) / large if large else None

    return {
        "beyond": columns.mean(beyond),
        "above": columns.mean(values["above"] / values["values"]),
        "below": columns.mean(values["below"] / values["values"]),
        "large_errors": int(large),
        "large_errors_clamped": int(values["large_clamped"].sum()),
        "explained": of_large("large_beyond"),
        "from_bright": of_large("large_from_bright"),
        "from_dark": of_large("large_from_dark"),
        "psnr_clamped": columns.mean(values["psnr_clamped"]),
        "psnr_wrapped": columns.mean(values["psnr_wrapped"]),
        "psnr_lost": columns.difference(values["psnr_clamped"], values["psnr_wrapped"]),
    }
