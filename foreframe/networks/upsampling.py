"""A transposed convolution computed as a small convolution and a shuffle: the same sum, faster.

With kernel 2s, stride s and padding s/2 each output position sums over 2 x 2 x 2 inputs. CPUs have
good kernels for such a convolution and poor ones for a transposed convolution to few channels.
Shapes: B batch, I input and O output channels, T time, H height, W width; t h w the strides.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

Stride = tuple[int, int, int]


class Upsampling(nn.ConvTranspose3d):
    """ConvTranspose3d with kernel 2s and padding s/2; each side of `stride` s must be even."""

    def __init__(self, inputs: int, outputs: int, stride: Stride) -> None:
        t, h, w = stride
        super().__init__(inputs, outputs, (2 * t, 2 * h, 2 * w), stride, (t // 2, h // 2, w // 2))

    @torch.no_grad()
    def rescale(self) -> None:
        """Make weights drawn by torch's rule as large as those of the convolution this really is.

        The rule takes O x the whole kernel for an output's number of inputs, which is I x 8. So the
        top codes would start too faint beside the bottom's, and their commitment loss would win.
        """
        drawn = self.out_channels * math.prod(self.kernel_size)
        self.weight.mul_(math.sqrt(drawn / (self.in_channels * 8)))

    def forward(self, x_BITHW: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return (B, O, t T, h H, w W); an `output_size` is not taken."""
        assert output_size is None
        _, _, frames, height, width = x_BITHW.shape
        t, h, w = self.stride
        blocks = functional.conv3d(x_BITHW, self._kernel(), self._biases(), padding=1)
        # Each input position and one more has become a block of t x h x w outputs: lay them out.
        blocks = blocks.unflatten(1, (self.out_channels, t, h, w))
        grown = blocks.permute(0, 1, 5, 2, 6, 3, 7, 4)
        grown = grown.reshape(
            len(x_BITHW), self.out_channels, t * (frames + 1), h * (height + 1), w * (width + 1)
        )
        return (
            grown.narrow(2, t // 2, t * frames)
            .narrow(3, h // 2, h * height)
            .narrow(4, w // 2, w * width)
        )

    def _kernel(self) -> Tensor:
        """Return the weights as (O t h w, I, 2, 2, 2)."""
        t, h, w = self.stride
        taps = self.weight.reshape(self.in_channels, self.out_channels, 2, t, 2, h, 2, w)
        # A transposed convolution scatters: its later taps come from the earlier input.
        taps = taps.flip(2, 4, 6).permute(1, 3, 5, 7, 0, 2, 4, 6)
        return taps.reshape(-1, self.in_channels, 2, 2, 2)

    def _biases(self) -> Tensor:
        assert self.bias is not None
        t, h, w = self.stride
        return self.bias[:, None].expand(-1, t * h * w).reshape(-1)
