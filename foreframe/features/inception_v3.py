"""Inception-v3 (Szegedy et al. 2016) in the variant that FID is built on.

Weights: `pt_inception-2015-12-05-6726825d.pth`, the port of TensorFlow's network of 2015-12-05 with
1,008 classes. It differs from the paper's and torchvision's: mean pooling leaves out the padding,
and the last module pools by maximum. Input: images in [-1, 1], resized to 299 x 299 (bilinear,
align_corners=False, no antialiasing).

Shapes: N images, C channels, H rows, W columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 299  # pixels
CLASSES = 1008
POOLED = 2048

Kernel = tuple[int, int]
Step = tuple[str, int, Kernel]  # name, channels, rows and columns of the kernel
Chain = Sequence[Step | Sequence[Step]]  # layers in a row; the last may be a fork of several

ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
WIDE, HIGH, WIDE3, HIGH3 = (1, 7), (7, 1), (1, 3), (3, 1)


class Unit(nn.Module):
    """A convolution, normalised and rectified."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, stride: int, *, pad: bool
    ) -> None:
        """Make the layer; `pad`: with zeros around, so that a stride of 1 keeps the size."""
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if pad else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Return the layer's activations (N, C, H, W)."""
        return self.bn(self.conv(x_NCHW)).relu()


class Mixed(nn.Module):
    """Branches side by side, the last of which pools.

    Attributes:
        width: channels of the output.
    """

    def __init__(self, inputs: int, chains: Sequence[Chain], pool: str, pool_width: int) -> None:
        """Make the branches; `pool` is mean, maximum, or halve (a maximum at stride 2).

        In a module that halves the size, the last layer of each branch has stride 2 and no padding.
        """
        super().__init__()
        self._pool = pool
        self._chains = chains
        self.width = pool_width or inputs
        for chain in chains:
            width = inputs
            for step in chain:
                fork = _fork(step)
                halve = pool == "halve" and step is chain[-1]
                for name, outputs, kernel in fork:
                    self.add_module(
                        name, Unit(width, outputs, kernel, 2 if halve else 1, pad=not halve)
                    )
                width = sum(outputs for _, outputs, _ in fork)
            self.width += width
        self.branch_pool = Unit(inputs, pool_width, ONE, 1, pad=True) if pool_width else None

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Return the branches' activations (N, C, H, W), one behind the other."""
        outputs = [self._chain(chain, x_NCHW) for chain in self._chains]
        pooled = self.pooled(x_NCHW)
        if self.branch_pool is not None:
            pooled = self.branch_pool(pooled)
        return torch.cat([*outputs, pooled], dim=1)

    def _chain(self, chain: Chain, x_NCHW: Tensor) -> Tensor:
        for step in chain:
            layers = [self.get_submodule(name) for name, _, _ in _fork(step)]
            x_NCHW = torch.cat([layer(x_NCHW) for layer in layers], dim=1)
        return x_NCHW

    def pooled(self, x_NCHW: Tensor) -> Tensor:
        """Return the input (N, C, H, W) as the pooling branch sees it."""
        if self._pool == "mean":
            return functional.avg_pool2d(x_NCHW, 3, 1, padding=1, count_include_pad=False)
        if self._pool == "maximum":
            return functional.max_pool2d(x_NCHW, 3, stride=1, padding=1)
        return functional.max_pool2d(x_NCHW, 3, stride=2)


def _fork(step: Step | Sequence[Step]) -> Sequence[Step]:
    """Return the layers that share an input: one, or several whose outputs are joined."""
    return [step] if isinstance(step[0], str) else step  # type: ignore[list-item, return-value]


def _a(inputs: int, pool_width: int) -> Mixed:
    chains: list[Chain] = [
        [("branch1x1", 64, ONE)],
        [("branch5x5_1", 48, ONE), ("branch5x5_2", 64, FIVE)],
        [("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)],
    ]
    return Mixed(inputs, chains, "mean", pool_width)


def _b(inputs: int) -> Mixed:
    chains: list[Chain] = [
        [("branch3x3", 384, THREE)],
        [("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)],
    ]
    return Mixed(inputs, chains, "halve", 0)


def _c(width: int) -> Mixed:
    first = [("branch7x7_1", width, ONE), ("branch7x7_2", width, WIDE), ("branch7x7_3", 192, HIGH)]
    kernels = (ONE, HIGH, WIDE, HIGH, WIDE)
    widths = (width, width, width, width, 192)
    second = [(f"branch7x7dbl_{n + 1}", widths[n], kernels[n]) for n in range(5)]
    return Mixed(768, [[("branch1x1", 192, ONE)], first, second], "mean", 192)


def _d() -> Mixed:
    kernels = (ONE, WIDE, HIGH, THREE)
    chains: list[Chain] = [
        [("branch3x3_1", 192, ONE), ("branch3x3_2", 320, THREE)],
        [(f"branch7x7x3_{n + 1}", 192, kernels[n]) for n in range(4)],
    ]
    return Mixed(768, chains, "halve", 0)


def _e(inputs: int, pool: str) -> Mixed:
    first = [("branch3x3_2a", 384, WIDE3), ("branch3x3_2b", 384, HIGH3)]
    second = [("branch3x3dbl_3a", 384, WIDE3), ("branch3x3dbl_3b", 384, HIGH3)]
    chains: list[Chain] = [
        [("branch1x1", 320, ONE)],
        [("branch3x3_1", 384, ONE), first],
        [("branch3x3dbl_1", 448, ONE), ("branch3x3dbl_2", 384, THREE), second],
    ]
    return Mixed(inputs, chains, pool, 192)


class InceptionV3(nn.Module):
    """The network, without weights of its own."""

    def __init__(self, classes: int = CLASSES) -> None:
        """Make the layers in their order."""
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, THREE, 2, pad=False)
        self.Conv2d_2a_3x3 = Unit(32, 32, THREE, 1, pad=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, THREE, 1, pad=True)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = Unit(64, 80, ONE, 1, pad=False)
        self.Conv2d_4a_3x3 = Unit(80, 192, THREE, 1, pad=False)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = _a(192, 32)
        self.Mixed_5c = _a(256, 64)
        self.Mixed_5d = _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b = _c(128)
        self.Mixed_6c = _c(160)
        self.Mixed_6d = _c(160)
        self.Mixed_6e = _c(192)
        self.Mixed_7a = _d()
        self.Mixed_7b = _e(1280, "mean")
        self.Mixed_7c = _e(2048, "maximum")
        self.fc = nn.Linear(POOLED, classes)

    def pooled(self, x_NCHW: Tensor) -> Tensor:
        """Return the activations' means over places, (N, 2048), of images in [-1, 1]."""
        for name, layer in self.named_children():
            if name != "fc":
                x_NCHW = layer(x_NCHW)
        return x_NCHW.mean(dim=(2, 3))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Return the logits (N, classes) of images in [-1, 1], without the bias.

        Salimans et al. 2016 compute the inception score from these.
        """
        return self.pooled(x_NCHW) @ self.fc.weight.T
