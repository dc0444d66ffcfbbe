"""Structural similarity of each frame (Wang et al. 2004), by torchmetrics, without padded borders.

The map is cropped to where the window lies inside the frame, as in the paper's own program and in
scikit-image; torchmetrics alone averages over reflected borders too, which gives other numbers.

Shapes: B clips, T frames, N = B T, H rows, W columns, C = 3 colours.
"""

import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from foreframe.errors import UserError
from foreframe.metrics import frames

SIGMA = 1.5  # of the Gaussian window, in pixels
WINDOW = 11  # pixels a side: 3.5 sigma to each side of the centre
BORDER = WINDOW // 2
VARIANT = (
    "Gaussian window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, range 1, population "
    "covariance, window inside the frame only, mean over colours, then the mean over frames"
)


def ssim(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the SSIM of each frame, float64 (B, T), between -1 and 1.

    Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13, on each colour apart.
    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or frames smaller than the window.
    """
    real, predicted = (_images(x) for x in frames.unit_pair(real_BTHWC, predicted_BTHWC))
    if min(real.shape[-2:]) < WINDOW:
        height, width = real.shape[-2:]
        raise UserError(
            f"frames of {height} x {width} pixels are smaller than the SSIM window of "
            f"{WINDOW} x {WINDOW}: use larger frames."
        )
    _, map_NCHW = structural_similarity_index_measure(
        predicted,
        real,
        gaussian_kernel=True,
        sigma=SIGMA,
        reduction="none",
        data_range=1.0,
        k1=0.01,
        k2=0.03,
        return_full_image=True,
    )
    inside = map_NCHW[..., BORDER:-BORDER, BORDER:-BORDER]
    return inside.mean(dim=(1, 2, 3)).reshape(real_BTHWC.shape[:2])


def _images(frames_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return frames as a batch of images (N, C, H, W)."""
    return frames_BTHWC.flatten(end_dim=1).permute(0, 3, 1, 2)
