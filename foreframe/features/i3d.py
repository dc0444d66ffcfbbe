"""I3D, Inception-v1 in three dimensions (Carreira and Zisserman 2017, Fig. 3), 400 classes.

Weights: DeepMind's RGB network, trained on ImageNet and Kinetics-400, in the layout of its PyTorch
conversions (`rgb_imagenet.pt`, `i3d_pretrained_400.pt`): `Mixed_3b.b1a.conv3d.weight` and so on.
Input: clips of at least 9 frames of at least 224 x 224 pixels in [-1, 1]; FVD resizes to 224 x 224
(bilinear, align_corners=False). Padding is TensorFlow's "same", which may be one wider at the end.

Shapes: B clips, C channels, T frames, H rows, W columns.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 224  # pixels
FEWEST_FRAMES = 9  # fewer leave less than the two steps that the last pooling spans
CLASSES = 400
POOLED = 1024

Triple = tuple[int, int, int]

# Widths of a module: 1x1x1; 1x1x1 then 3x3x3; 1x1x1 then 3x3x3; 1x1x1 behind a pooling.
Widths = tuple[int, int, int, int, int, int]
MIXED: dict[str, Widths] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same(x_BCTHW: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Return a tensor (B, C, T, H, W) with zeros around: n becomes ceil(n / stride) in a layer."""
    padding: list[int] = []
    for size, width, step in zip(x_BCTHW.shape[2:], kernel, stride, strict=True):
        total = max((-(-size // step) - 1) * step + width - size, 0)
        padding = [total // 2, total - total // 2, *padding]
    return functional.pad(x_BCTHW, padding)


class Unit3D(nn.Module):
    """A convolution, normalised and rectified unless it is the last one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1), *, last: bool
    ) -> None:
        """Make the layer; `last`: with a bias, neither normalised nor rectified."""
        super().__init__()
        self._kernel, self._stride = kernel, stride
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=last)
        self.bn = None if last else nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the layer's activations (B, C, T, H, W)."""
        x_BCTHW = self.conv3d(same(x_BCTHW, self._kernel, self._stride))
        return x_BCTHW if self.bn is None else self.bn(x_BCTHW).relu()


class MaxPool3D(nn.Module):
    """A maximum over windows; the zeros around change nothing, because rectifiers come before."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        """Take the maximum over `kernel`, every `stride`."""
        super().__init__()
        self._kernel, self._stride = kernel, stride

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the maxima (B, C, T, H, W)."""
        padded = same(x_BCTHW, self._kernel, self._stride)
        return functional.max_pool3d(padded, self._kernel, self._stride)


class Mixed(nn.Module):
    """An Inception module: four branches side by side."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        """Make the branches."""
        super().__init__()
        one, three = (1, 1, 1), (3, 3, 3)
        self.b0 = Unit3D(inputs, widths[0], one, last=False)
        self.b1a = Unit3D(inputs, widths[1], one, last=False)
        self.b1b = Unit3D(widths[1], widths[2], three, last=False)
        self.b2a = Unit3D(inputs, widths[3], one, last=False)
        self.b2b = Unit3D(widths[3], widths[4], three, last=False)
        self.b3a = MaxPool3D(three, one)
        self.b3b = Unit3D(inputs, widths[5], one, last=False)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the branches' activations (B, C, T, H, W), one behind the other."""
        branches = [
            self.b0(x_BCTHW),
            self.b1b(self.b1a(x_BCTHW)),
            self.b2b(self.b2a(x_BCTHW)),
            self.b3b(self.b3a(x_BCTHW)),
        ]
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """The network, without weights of its own."""

    def __init__(self) -> None:
        """Make the layers in their order."""
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(3, 64, (7, 7, 7), (2, 2, 2), last=False)
        self.MaxPool3d_2a_3x3 = MaxPool3D((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(64, 64, (1, 1, 1), last=False)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, (3, 3, 3), last=False)
        self.MaxPool3d_3a_3x3 = MaxPool3D((1, 3, 3), (1, 2, 2))
        width = 192
        for name, widths in MIXED.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool3D((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool3D((2, 2, 2), (2, 2, 2))
            self.add_module(name, Mixed(width, widths))
            width = widths[0] + widths[2] + widths[4] + widths[5]
        self.logits = Unit3D(POOLED, CLASSES, (1, 1, 1), last=True)

    def pooled(self, x_BCTHW: Tensor) -> Tensor:
        """Return the mean over time of the pooled activations, (B, 1024), of clips in [-1, 1]."""
        return self._pooled(x_BCTHW).mean(dim=2)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the mean over time of the logits, (B, 400), of clips in [-1, 1]."""
        return self.logits(self._pooled(x_BCTHW)[..., None, None]).mean(dim=(2, 3, 4))

    def _pooled(self, x_BCTHW: Tensor) -> Tensor:
        """Return means over 2 x 7 x 7 windows, over the window's places for larger frames, BCT."""
        for name, layer in self.named_children():
            if name != "logits":
                x_BCTHW = layer(x_BCTHW)
        return functional.avg_pool3d(x_BCTHW, (2, 7, 7), stride=1).mean(dim=(3, 4))
