"""VGG-16's convolutions (Simonyan and Zisserman 2015, configuration D), as torchvision names them.

Weights: torchvision's `vgg16-397923af.pth`, trained on ImageNet-1k; parameters are called
`features.N.weight` and `features.N.bias`. Input: images of any size from 16 x 16 pixels, in the
range their user declares (LPIPS: [-1, 1], shifted and scaled), no resizing.
"""

from torch import nn

from foreframe.features.taps import Taps

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
TAPS = (3, 8, 15, 22, 29)  # behind the last rectifier of each block: what LPIPS reads
FEWEST_PIXELS = 16  # a side; smaller images vanish in the pooling
# The rest of the public file, which no metric here needs.
CLASSIFIER = {
    "classifier.0.weight": (4096, 25088),
    "classifier.0.bias": (4096,),
    "classifier.3.weight": (4096, 4096),
    "classifier.3.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


def build() -> Taps:
    """Return the network without weights of its own; its activations are (N, C, H, W)."""
    layers: list[nn.Module] = []
    inputs = 3
    for block in BLOCKS:
        if layers:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        for outputs in block:
            layers += [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU()]
            inputs = outputs
    return Taps(nn.Sequential(*layers), TAPS)
