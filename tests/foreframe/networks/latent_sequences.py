"""Small VRNNs and SRNNs of all kinds, and sequences for them."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe.networks import initialization
from foreframe.networks.latent_sequence import Design, LatentSequence
from foreframe.networks.noise import Drawn
from foreframe.randomness import Draws, generator

PATCHES, POINTS, HIDDEN, LATENT, WIDTH = 5, 6, 7, 3, 8
GRAPHS = ("vrnn", "srnn")
SWITCHES = ("smoothing", "residual_posterior", "learned_start")
# The 16 of the published table.
EVERY = [
    {"graph": graph, **dict(zip(SWITCHES, values, strict=True))}
    for graph in GRAPHS
    for values in itertools.product((False, True), repeat=3)
]
every = pytest.mark.parametrize(
    "changes",
    EVERY,
    ids=["-".join([str(each["graph"]), *filter(each.get, SWITCHES)]) for each in EVERY],
)


def network(**changes: Any) -> LatentSequence:
    """Return one with its starting weights."""
    known: dict[str, Any] = {"graph": "srnn", **dict.fromkeys(SWITCHES, False)}
    known |= {"points": POINTS, "latent": LATENT, "hidden": HIDDEN, "width": WIDTH}
    found = LatentSequence(Design(**(known | changes)))
    initialization.initialize(found, generator(0, "weights"))
    return found


def lengths(network: nn.Module) -> list[Tensor]:
    """Return the length of every weight, layer by layer, as weight normalisation has it."""
    return [each for name, each in network.named_parameters() if name.endswith("original0")]


@torch.no_grad()
def lively(found: LatentSequence) -> LatentSequence:
    """Lengthen the weights, and draw the start, so that everything matters to the result."""
    for length in lengths(found):
        length.mul_(2)
    for first in found.parameters(recurse=False):
        first.copy_(generator(0, "start").normal(first.shape))
    return found


def sequences(count: int = 2, patches: int = PATCHES, points: int = POINTS) -> Tensor:
    """Return patches of noise."""
    return generator(0, "sequences").normal((count, patches, points))


def noise(count: int, use: str = "test") -> Drawn:
    """Return numbers that are the same whenever they are asked for."""
    return Drawn(Draws.first(0, range(count)), use, torch.device("cpu"))
