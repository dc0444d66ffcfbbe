"""AlexNet's convolutions (Krizhevsky 2014, "one weird trick"), named as torchvision names them.

Weights: torchvision's `alexnet-owt-7be5be79.pth`, trained on ImageNet-1k; parameters are called
`features.N.weight` and `features.N.bias`. Input: images of any size from 31 x 31 pixels, in the
range their user declares (LPIPS: [-1, 1], shifted and scaled), no resizing.
"""

from torch import nn

from foreframe.features.taps import Taps

TAPS = (1, 4, 7, 9, 11)  # behind each rectifier: what LPIPS reads
FEWEST_PIXELS = 31  # a side; smaller images vanish in the pooling
# The rest of the public file, which no metric here needs.
CLASSIFIER = {
    "classifier.1.weight": (4096, 9216),
    "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096),
    "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


def build() -> Taps:
    """Return the network without weights of its own; its activations are (N, C, H, W)."""
    layers: list[nn.Module] = [
        *_layer(3, 64, kernel=11, stride=4, padding=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        *_layer(64, 192, kernel=5, stride=1, padding=2),
        nn.MaxPool2d(kernel_size=3, stride=2),
        *_layer(192, 384, kernel=3, stride=1, padding=1),
        *_layer(384, 256, kernel=3, stride=1, padding=1),
        *_layer(256, 256, kernel=3, stride=1, padding=1),
    ]
    return Taps(nn.Sequential(*layers), TAPS)


def _layer(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()]
