"""A small probe that reads the simulator's state off frames: does a predicted future drive right?

Ridge regression (Hoerl and Kennard 1970) from fixed random convolution features of two neighbouring
frames to what the source knew of the scene, in closed form, fitted on real training frames alone.
Its own error on real frames stands beside every number: below that nothing can be told.

Shapes: B clips, T frames, H rows, W columns, C = 3 colours; N pairs of neighbouring frames, F
features, S states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from foreframe.artefacts import tensors
from foreframe.errors import ArtefactError
from foreframe.randomness import generator
from foreframe.roots import root

SCHEMA = "state_probe"
VARIANT = (
    "ridge regression from 128 random 5 x 5 filters (stride 2, rectified, averaged over a 4 x 4 "
    "grid) of two neighbouring frames, fitted on the training frames; root mean squared error "
    "against the source's own states"
)
FILTERS, SIDE, STRIDE, GRID = 128, 5, 2, 4
# Relative to standardised features; on 64 x 64 pixels 0.01 and 0.1 differ little.
RIDGE = 0.03
# A feature that hardly changes over the training frames must not be blown up.
FLOOR = 1e-6


@dataclass(frozen=True)
class StateProbe:
    """A fitted probe; without states it is empty, and reads nothing.

    Attributes:
        names: the names of the S states.
        weight: what a unit of each feature adds to each state, float64 (F, S).
        bias: float64 (S,).
    """

    names: tuple[str, ...]
    weight: Tensor  # (F, S)
    bias: Tensor  # (S,)

    def read(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the states in frames 1..T-1 of clips, float64 (B, T - 1, S); frames are uint8."""
        read = [features(clip_THWC) @ self.weight + self.bias for clip_THWC in frames_BTHWC]
        return torch.stack(read)

    def save(self, path: Path) -> None:
        """Write the probe to a safetensors file."""
        values = {"weight": self.weight, "bias": self.bias}
        tensors.write(path, values, SCHEMA, {"names": list(self.names)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a probe.

        Raises:
            ArtefactError: the file is missing, damaged or no probe.
        """
        values, header = tensors.read(path, SCHEMA)
        names = tuple(header["names"])
        if values["weight"].shape != (FILTERS * GRID**2, len(names)):
            raise ArtefactError(f"{path} is damaged: it has not one column for each state.")
        return cls(names, values["weight"], values["bias"])


# The probe of a source that knows nothing but its pixels.
EMPTY = StateProbe(
    (),
    torch.zeros(FILTERS * GRID**2, 0, dtype=torch.float64),
    torch.zeros(0, dtype=torch.float64),
)


def features(frames_THWC: Tensor) -> Tensor:
    """Return the features of each frame and the one before it, float64 (T - 1, F), on the CPU.

    `frames_THWC` is uint8.
    """
    images_TCHW = frames_THWC.permute(0, 3, 1, 2).float() / 255 - 0.5
    pairs_NCHW = torch.cat([images_TCHW[:-1], images_TCHW[1:]], dim=1)
    maps = torch.nn.functional.conv2d(pairs_NCHW, _filters(), stride=STRIDE).relu()
    return torch.nn.functional.adaptive_avg_pool2d(maps, GRID).flatten(start_dim=1).double()


def _filters() -> Tensor:
    """Return the filters, float32 (FILTERS, 2 C, SIDE, SIDE): blind to brightness, of length 1."""
    drawn = generator(0, "state probe").normal((FILTERS, 6, SIDE, SIDE))
    drawn -= drawn.mean(dim=(1, 2, 3), keepdim=True)
    return drawn / drawn.flatten(start_dim=1).norm(dim=1)[:, None, None, None]


class Fit:
    """Collects what the regression needs, in constant memory; then solves it."""

    def __init__(self, names: Sequence[str]) -> None:
        """Start with no frame seen."""
        size, count = FILTERS * GRID**2 + 1, len(names)
        self.names = tuple(names)
        # The last feature is 1: its row holds the sums of the others.
        self._products = torch.zeros(size, size, dtype=torch.float64)
        self._targets = torch.zeros(size, count, dtype=torch.float64)

    def update(self, frames_THWC: Tensor, states_TS: Tensor) -> None:
        """Add T neighbouring uint8 frames and their states; the first frame has none before it."""
        features_NF = features(frames_THWC)
        ones_N1 = features_NF.new_ones(len(features_NF), 1)
        rows = torch.cat([features_NF, ones_N1], dim=1)
        self._products += rows.T @ rows
        self._targets += rows.T @ states_TS[1:].double()

    def result(self) -> StateProbe:
        """Return the probe that has the least ridge error on what was seen."""
        count = self._products[-1, -1]
        mean_F, target_S = self._products[-1, :-1] / count, self._targets[-1] / count
        covariance_FF = self._products[:-1, :-1] / count - torch.outer(mean_F, mean_F)
        scale_F = root(covariance_FF.diagonal().clamp(min=0)).clamp(min=FLOOR)
        ridge = RIDGE * torch.eye(len(scale_F), dtype=torch.float64)
        left_FF = covariance_FF / torch.outer(scale_F, scale_F) + ridge
        right_FS = self._targets[:-1] / count - torch.outer(mean_F, target_S)
        solved_FS = torch.linalg.solve(left_FF, right_FS / scale_F[:, None])
        weight_FS = solved_FS / scale_F[:, None]
        return StateProbe(self.names, weight_FS, target_S - mean_F @ weight_FS)


def root_mean_square(read_BTS: Tensor, true_BTS: Tensor) -> Tensor:
    """Return the error of each state over all clips and frames, float64 (S,), in its own unit."""
    return root((read_BTS - true_BTS.double()).square().mean(dim=(0, 1)))
