"""An autoencoder of grey pictures that can be worked out by hand, and pictures to ask it about.

Codes are grey levels: the bottom's of blocks of 4 x 4 pixels, the top's of 8 x 8, and the decoder
adds both with a weight each. Shapes: N clips of one frame, H rows, W columns.
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import torch
from torch import Tensor, nn

from foreframe.artefacts import hdf5
from foreframe.autoencoders import vqvae2
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.models import Shape
from foreframe.questions.subject import Answer, Subject
from foreframe.sources.drawn_scenes import Scenes
from tests.foreframe.autoencoders import test_vqvae2
from tests.foreframe.data import seen

SIDE, LEVELS = 32, 256
VIEW = seen.view(frames=1, train_stride=1, evaluation_stride=1, channels="grey", scaling="unit")
CPU = torch.device("cpu")


class Sum(nn.Module):
    """What the decoder makes of the top's and the bottom's grey level."""

    def __init__(self, top: float, bottom: float, off: float) -> None:
        super().__init__()
        self.top, self.bottom, self.off = top, bottom, off

    def forward(self, both_B2THW: Tensor) -> Tensor:
        grey = self.top * both_B2THW[:, :1] + self.bottom * both_B2THW[:, 1:] + self.off
        return grey.repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)


def model(
    top: float = 0.0,
    bottom: float = 1.0,
    *,
    off: float = 0.0,
    order: Tensor | None = None,
    side: int = SIDE,
) -> vqvae2.VQVAE2:
    """Return the autoencoder; `order` says which grey level each index is of, else its own."""
    settings = test_vqvae2.settings(
        view=VIEW,
        code_dim=1,
        width=2,
        residual_width=1,
        codebook_sizes={"top": LEVELS, "bottom": LEVELS},
    )
    found = vqvae2.build(settings, Shape(1, 1, side, side))
    found.bottom_encoder = nn.AvgPool3d((1, 4, 4))
    found.top_encoder = nn.AvgPool3d((1, 2, 2))
    found.top_projection = found.bottom_projection = nn.Identity()
    found.top_decoder = None
    found.top_upsampling = nn.Upsample(scale_factor=(1, 2, 2))
    found.decoder = Sum(top, bottom, off)
    grey_K = torch.arange(LEVELS) if order is None else order
    for level in found.levels:
        found.codebook(level).copy_(grey_K[:, None] / (LEVELS - 1))
    return found.eval()


def flat(*greys: int, side: int = SIDE) -> Tensor:
    """Return pictures uint8 (N,1,H,W,3) of one grey level each."""
    rows = torch.tensor(greys, dtype=torch.uint8)
    return rows[:, None, None, None, None].expand(-1, 1, side, side, 3).contiguous()


def blocks(grey_NHW: Tensor) -> Tensor:
    """Return pictures uint8 (N,1,H,W,3) of blocks of 4 x 4 pixels of a grey level each."""
    pixels = grey_NHW.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    return pixels.to(torch.uint8)[:, None, :, :, None].expand(-1, -1, -1, -1, 3).contiguous()


class Held:
    """Clips that lie in memory; the first frame of each has a number."""

    def __init__(self, frames_NTHWC: Tensor, first: int) -> None:
        self.frames = frames_NTHWC
        self.starts = range(first, first + len(frames_NTHWC))

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, places: Sequence[int]) -> Tensor:
        return self.frames[list(places)]


@torch.no_grad()
def asked(
    path: Path,
    module: ModuleType,
    chosen: dict[str, Any],
    network: Any,
    test_NTHWC: Tensor,
    *,
    train: Tensor | None = None,
    seed: int = 0,
    scenes: Scenes | None = None,
) -> tuple[Answer, dict[str, Any]]:
    """Return the answer of a question's kind, and the arrays that it stored."""
    settings = module.Settings(kind=module.__name__.rpartition(".")[2], clips=None, **chosen)
    sets: Any = {"train": Held(test_NTHWC if train is None else train, 0)}
    sets["test"] = Held(test_NTHWC, 1000)
    scaling = Scaling(VIEW, Normalizer([0.5] * 3, [0.5] * 3))
    with hdf5.creating(path, "analysis", {}) as file:
        subject = Subject(network, scaling, sets, seed, CPU, file, Path("no weights"), scenes)
        answer = module.answer(subject, settings)
    with hdf5.opening(path, "analysis") as file:
        names: list[str] = []
        file.visit(names.append)
        return answer, {
            name: torch.from_numpy(file[name][:])
            for name in names
            if isinstance(file[name], h5py.Dataset)
        }
