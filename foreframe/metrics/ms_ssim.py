"""Multi-scale SSIM of each frame (Wang, Simoncelli, Bovik 2003): five scales, as in torchmetrics.

Its coarsest scale is 1/16 of the frame and must hold the window of 11 pixels, so frames of the
usual 64 or 128 pixels have no five-scale value; fewer scales would be another metric.

Shapes: B clips, T frames, N = B T, H rows, W columns, C = 3 colours.
"""

from pathlib import Path

import torch
from torch.nn import functional

from foreframe.metrics import frames
from foreframe.metrics.metric import Metric
from foreframe.metrics.ssim import WINDOW, check_size, similarity
from foreframe.metrics.ssim_padded import reflected

BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of each scale, fine to coarse: the paper's
SMALLEST = WINDOW * 2 ** (len(BETAS) - 1)  # pixels: the window fits into the coarsest scale
VARIANT = (
    "five scales, exponents 0.0448 0.2856 0.3001 0.2363 0.1333, halved by means of 2 x 2 pixels; "
    "at each scale a Gaussian window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, range 1; "
    "contrast-structure with the window inside the frame, the coarsest scale's SSIM with reflected "
    "borders; at each scale the mean over pixels and colours, 0 if negative; product over scales, "
    "then the mean over frames"
)
BETTER: frames.Better = "higher"
UNIT = "1"


def metric(_weights: Path, _device: torch.device) -> Metric:
    """Return this metric as protocols know it."""
    return Metric("ms_ssim", VARIANT, BETTER, UNIT, compare=ms_ssim)


def ms_ssim(real_BTHWC: torch.Tensor, predicted_BTHWC: torch.Tensor) -> torch.Tensor:
    """Return the five-scale SSIM of each frame, float64 (B, T), between 0 and 1.

    Wang, Simoncelli, Bovik 2003, eq. 7: prod_j cs_j^beta_j times the coarsest scale's luminance.
    Value range: uint8 0..255 or floating point 0..1 (see `frames.unit_pair`).

    Raises:
        UserError: as `frames.unit_pair`, or a side of fewer than 176 pixels.
    """
    real, predicted = (frames.images(x) for x in frames.unit_pair(real_BTHWC, predicted_BTHWC))
    check_size(real, SMALLEST, "MS-SSIM with five scales needs")
    product_N = torch.ones(len(real), dtype=real.dtype, device=real.device)
    for beta in BETAS[:-1]:
        product_N = product_N * similarity(real, predicted).structure.relu() ** beta
        real, predicted = (functional.avg_pool2d(x, 2) for x in (real, predicted))
    coarsest_N = similarity(reflected(real), reflected(predicted)).ssim.relu()
    return (product_N * coarsest_N ** BETAS[-1]).reshape(real_BTHWC.shape[:2])
