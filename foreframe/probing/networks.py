"""The networks that read the codes of a level: linear, one hidden layer, or three convolutions.

They are given an index of each place as a number from -1 to 1, or the vector of its code. Where
indices have no order, as those of a codebook that began at random, their numbers say little to a
network; vectors do not depend on the order. Shapes: B clips, T H W the grid of the level, K codes
of D numbers each, F what a network is given of a place, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.models import SingleLoss
from foreframe.probing import ProbeSettings
from foreframe.randomness import generator
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from foreframe.training.step import Run

HIDDEN = 512
WIDTHS = (32, 64, 128)  # of the convolutions

Batch = Mapping[str, Tensor]  # "ids": int64 (B,T,H,W); "labels": int64 (B,)


@dataclass(frozen=True)
class Given:
    """What the codes tell a network: the grid (T,H,W), the codebook's size, and C.

    `codebook` has the vectors (K,D), for those networks that look them up; else it is None.
    """

    grid: tuple[int, int, int]
    codes: int
    classes: int
    codebook: Tensor | None


class CodeClassifier(SingleLoss):
    """Gives each class a score, of the codes of one level."""

    settings: ProbeSettings
    given: Given
    codebook: Tensor | None

    def __init__(self, settings: ProbeSettings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        reads, network = settings.kind.split("_")
        assert (reads == "vector") == (given.codebook is not None)
        # It is no weight, and is given: neither trained nor part of a checkpoint.
        self.register_buffer("codebook", given.codebook, persistent=False)
        features = 1 if given.codebook is None else given.codebook.shape[1]
        self.network = _network(network, features, given)

    def logits(self, ids_BTHW: Tensor) -> Tensor:
        """Return unnormalised log-probabilities (B,C) of the classes."""
        if self.codebook is None:
            # From -1 to 1; a codebook of one code is all -1.
            read = (2 * ids_BTHW / max(self.given.codes - 1, 1) - 1)[:, None]
        else:
            read = self.codebook[ids_BTHW].movedim(-1, 1)
        logits: Tensor = self.network(read)
        return logits

    def loss(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Return the cross-entropy in nats, and the share of wrong clips, both scalars."""
        logits_BC = self.logits(batch["ids"])
        wrong_B = logits_BC.argmax(dim=1) != batch["labels"]
        return {
            "loss": functional.cross_entropy(logits_BC, batch["labels"]),
            "error": wrong_B.float().mean(),
        }


class _Mean(nn.Module):
    """The mean over all places; torch's own pooling has no repeatable gradient on a GPU."""

    def forward(self, maps_BFTHW: Tensor) -> Tensor:
        return maps_BFTHW.mean(dim=(2, 3, 4))


def _network(name: str, features: int, given: Given) -> nn.Sequential:
    places = given.grid[0] * given.grid[1] * given.grid[2]
    if name == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(features * places, given.classes))
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(features * places, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, given.classes),
        )
    layers: list[nn.Module] = []
    for inputs, outputs in zip((features, *WIDTHS), WIDTHS, strict=False):
        # Within each code-frame by itself, as the autoencoders of pictures are.
        layers += [nn.Conv3d(inputs, outputs, (1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.ReLU()]
    return nn.Sequential(*layers, _Mean(), nn.Linear(WIDTHS[-1], given.classes))


def fitted(
    settings: ProbeSettings, given: Given, ids_NTHW: Tensor, labels_N: Tensor, run: Run
) -> CodeClassifier:
    """Return a fresh network that was trained on codes (N,T,H,W) of any integers, and labels (N,).

    Its weights and all else come from the run's random numbers.
    """
    network = CodeClassifier(settings, given)
    network.initialize(generator(run.seed, run.purpose, "weights"))

    def read(indices_B: Tensor) -> dict[str, Tensor]:
        return {"ids": ids_NTHW[indices_B].long(), "labels": labels_N[indices_B]}

    samples = Samples(len(labels_N), read)
    fit(network.objective(), lambda _: samples, None, settings.training.plan(), run)
    return network


def predicted(network: CodeClassifier, ids_NTHW: Tensor, size: int) -> Tensor:
    """Return the class (N,) with the highest score of each of N clips, on the CPU.

    They go through the network `size` at a time, on its device.
    """
    device = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        found = [
            network.logits(part.to(device).long()).argmax(dim=1).cpu()
            for part in ids_NTHW.split(size)
        ]
    return torch.cat(found)
