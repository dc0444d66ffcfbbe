"""The linear heads of LPIPS v0.1 (Zhang et al. 2018): one weight for each channel of an activation.

Weights: the authors' `alex.pth` and `vgg.pth`; parameters are called `lin0.model.1.weight` and so
on, because in their program a dropout stands before each convolution.

Shapes: N images, C channels, H rows, W columns.
"""

from torch import Tensor, nn


class LpipsHeads(nn.Module):
    """One 1 x 1 convolution without bias for each activation of a backbone."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        """Make the heads for activations of so many channels."""
        super().__init__()
        for number, width in enumerate(widths):
            head = nn.Sequential(nn.Identity(), nn.Conv2d(width, 1, kernel_size=1, bias=False))
            self.add_module(f"lin{number}", nn.ModuleDict({"model": head}))

    def forward(self, differences: list[Tensor]) -> Tensor:
        """Return the weighted sum (N,) of squared differences (N, C, H, W), means over places."""
        heads = [self.get_submodule(f"lin{number}.model") for number in range(len(differences))]
        means = [
            head(x_NCHW).mean(dim=(1, 2, 3))
            for head, x_NCHW in zip(heads, differences, strict=True)
        ]
        return sum(means[1:], start=means[0])
