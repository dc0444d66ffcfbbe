"""How fast the scene turns from frame to frame, measured in pixels alone: no model is asked.

When the camera turns right, what lies ahead moves left. The upper half of two neighbouring frames
is compared at every shift (a cross-correlation, by Fourier transform); the best shift is the turn.
Phase correlation, which weighs all spatial frequencies alike, does as well on real frames, but sees
the grid of codes in decoded ones.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours, h w upper half, Y X shifts.
"""

import torch
from torch import Tensor

VARIANT = (
    "shift to the left, in pixels a frame, at which the upper halves of neighbouring frames (grey, "
    "less their mean, in a Hann window) correlate best; up to a sixth of the width, between whole "
    "pixels by a parabola"
)


def turn(frames_BTHWC: Tensor) -> Tensor:
    """Return by how many columns the scene moves left between neighbouring uint8 frames.

    Float64 (B, T - 1); positive where the view turns right.
    """
    height, width = frames_BTHWC.shape[2:4]
    half = height // 2
    grey_BThw = frames_BTHWC[:, :, :half].double().mean(dim=-1)
    found = [_shifts(clip_Thw, half // 2, max(1, width // 6)) for clip_Thw in grey_BThw]
    return -torch.stack(found)


def _shifts(grey_Thw: Tensor, down: int, across: int) -> Tensor:
    """Return the columns of the best shift, (T - 1,), within `down` rows and `across` columns."""
    correlation_NYX = _correlation(grey_Thw, down, across)
    columns = 2 * across + 1
    flat_NS = correlation_NYX.flatten(1)
    best_N = flat_NS.argmax(dim=1)
    shift_N = best_N % columns - across
    inside_N = shift_N.abs() < across
    left_N, peak_N, right_N = (
        flat_NS.gather(1, (best_N + step).clamp(0, flat_NS.shape[1] - 1)[:, None])[:, 0]
        for step in (-1, 0, 1)
    )
    bend_N = (left_N - 2 * peak_N + right_N).clamp(max=-1e-12)
    between_N = ((left_N - right_N) / (2 * bend_N)).clamp(-0.5, 0.5)
    return shift_N + torch.where(inside_N, between_N, 0.0)


def _correlation(grey_Thw: Tensor, down: int, across: int) -> Tensor:
    """Return how well each frame agrees with the one before it moved by each shift: (T - 1,Y,X)."""
    height, width = grey_Thw.shape[1:]
    windows = [
        torch.hann_window(size, periodic=False, dtype=torch.float64) for size in (height, width)
    ]
    seen_Thw = (grey_Thw - grey_Thw.mean(dim=(1, 2), keepdim=True)) * torch.outer(*windows)
    # Twice the size, so that nothing that leaves at one side comes back at the other.
    transformed = torch.fft.fft2(seen_Thw, s=(2 * height, 2 * width))
    product = transformed[1:] * transformed[:-1].conj()
    # Shift 0 comes to stand at (height, width).
    every_Nhw = torch.fft.fftshift(torch.fft.ifft2(product).real, dim=(1, 2))
    rows = slice(height - down, height + down + 1)
    return every_Nhw[:, rows, width - across : width + across + 1]
