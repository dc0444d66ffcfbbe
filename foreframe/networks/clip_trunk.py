"""Layers of classifiers of clips, each of which halves the picture; the last one leaves one place.

What the classifiers of Mastropietro 2017 (5.2.2) share, so that they compare: kernels of 3x3 that
are padded by half and stride by 2, so that H becomes H/2, rounded up, and batch normalisation. A
convolution of several frames never pads time: of T frames and k in its kernel, T - k + 1 are left.

Shapes: B clips, I channels of the input and C of the output, T frames, H rows and W columns.
"""

import torch
from torch import Tensor, nn

from foreframe.networks.recomputed import Layers
from foreframe.networks.strided_conv_lstm import Strided, StridedConvLSTM

KERNEL, STRIDE, PADDING = 3, 2, 1


def halved(size: int, times: int) -> int:
    """Return how many rows, or columns, are left of so many."""
    return -(-size // STRIDE**times)


def channels_together(x_BITHW: Tensor) -> Tensor:
    """Return the same clips, with all channels of a place side by side in memory.

    Convolutions of several frames keep that order: on a CPU a step takes a quarter less time.
    """
    # Not `contiguous`, to which clips of one channel are in any order already.
    return x_BITHW.to(memory_format=torch.channels_last_3d)


def convolution(inputs: int, outputs: int, frames: int) -> Layers:
    """Return a layer (B,I,T,H,W) to (B,C,T - frames + 1,H/2,W/2), with ReLU.

    Of one frame it is the same convolution of each frame by itself, under one normalisation.
    """
    return Layers(
        nn.Conv3d(
            inputs,
            outputs,
            (frames, KERNEL, KERNEL),
            (1, STRIDE, STRIDE),
            (0, PADDING, PADDING),
            bias=False,  # the normalisation has one
        ),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


class Recurrent(nn.Module):
    """A convolutional LSTM as such a layer; `size` is that of its state."""

    def __init__(
        self, inputs: int, outputs: int, size: tuple[int, int], *, normalized: bool
    ) -> None:
        super().__init__()
        inward = Strided(inputs, outputs, KERNEL, STRIDE, PADDING)
        self.cell = StridedConvLSTM(inward, size, normalized=normalized)

    def forward(self, x_BITHW: Tensor) -> Tensor:
        """Return what is shown after each frame, (B,C,T,H/2,W/2)."""
        h_BTCHW, _ = self.cell(x_BITHW.transpose(1, 2), None)
        return h_BTCHW.transpose(1, 2)
