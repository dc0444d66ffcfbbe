"""Networks of G-SWM (Lin et al. 2020): objects that are found in a frame, and that go on.

An object has attributes (its box, how near it is and what it looks like), a presence, and a latent
of its dynamics; two LSTM cells remember what is expected of it and what was seen of it. In each
step, of a shared make for all objects,

    h_p = LSTM(objects, others),  p(dynamics) = N(h_p),  p(change of attributes) = N(dynamics, h_p),
    h_q = LSTM(objects, others, a glimpse),  q likewise of h_q,

and presence goes on with a probability that is said together with the change.

Shapes: B rows, N objects, A attributes: two of size, two of place, one of depth and Z of looks; Y
numbers of dynamics, E of all of an object, C channels, H rows, W columns, G rows of a glimpse.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.networks.gaussian import Gaussian, wide
from foreframe.networks.recomputed import Layers

PLACED = 5  # attributes before the looks: two of size, two of place, depth
SMALLEST_SIZE = 0.05  # of a box, as a share of the frame
STAYS = 4.0  # logit of an object going on, before anything is learned: hardly one is lost
LOWEST = 4  # rows of a glimpse where it is a vector


class Objects(NamedTuple):
    """What is known of objects (B,N,...).

    Attributes:
        attributes: (B,N,A), as numbers without bounds.
        presence: (B,N,1), 0 to 1.
        dynamics: (B,N,Y).
        expected, expected_memory: h and c of what is expected.
        seen, seen_memory: of what was seen.
    """

    attributes: Tensor
    presence: Tensor
    dynamics: Tensor
    expected: Tensor
    expected_memory: Tensor
    seen: Tensor
    seen_memory: Tensor

    @property
    def known(self) -> Tensor:
        """All that is drawn of them, (B,N,E)."""
        return torch.cat([self.attributes, self.presence, self.dynamics], dim=2)


class Said(NamedTuple):
    """A distribution of attributes, or of their change, and of presence: logits (B,N,1)."""

    attributes: Gaussian
    presence: Tensor

    @classmethod
    def of(cls, raw_BNX: Tensor) -> "Said":
        """Return what a network says in 2 A + 1 numbers."""
        return cls(Gaussian.of(raw_BNX[..., :-1], dim=2), wide(raw_BNX[..., -1:]))


def boxes(attributes_BNA: Tensor) -> Tensor:
    """Return boxes (B,N,4): sizes from SMALLEST_SIZE to 1, and places within -1 and 1."""
    size_BN2, place_BN2, _ = attributes_BNA.split([2, 2, attributes_BNA.shape[2] - 4], dim=2)
    return torch.cat(
        [SMALLEST_SIZE + (1 - SMALLEST_SIZE) * size_BN2.sigmoid(), place_BN2.tanh()], dim=2
    )


def bernoulli_divergence(logits: Tensor, other: Tensor) -> Tensor:
    """Return KL(Bernoulli(logits) || Bernoulli(other)) in each dimension (B,...), in nats."""
    yes = functional.logsigmoid(logits) - functional.logsigmoid(other)
    no = functional.logsigmoid(-logits) - functional.logsigmoid(-other)
    return logits.sigmoid() * yes + (-logits).sigmoid() * no


class Others(nn.Module):
    """What an object is told of all others: a mean over them of what a network says of pairs."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.pairs = perceptron(2 * inputs, hidden, hidden + 1)

    def forward(self, known_BNE: Tensor, presence_BN1: Tensor) -> Tensor:
        """Return (B,N,hidden); of an object that is alone 0."""
        count = known_BNE.shape[1]
        own = known_BNE[:, :, None].expand(-1, -1, count, -1)
        other = known_BNE[:, None].expand(-1, count, -1, -1)
        said_BNNX = self.pairs(torch.cat([own, other], dim=3))
        alike = torch.eye(count, device=known_BNE.device, dtype=torch.bool)[None]
        heard = presence_BN1.transpose(1, 2) * said_BNNX[..., 0].sigmoid().masked_fill(alike, 0.0)
        whole = heard.sum(dim=2, keepdim=True)
        shares_BNN = heard / torch.where(whole > 0, whole, 1)
        told_BNX: Tensor = (shares_BNN[..., None] * said_BNNX[..., 1:]).sum(dim=2)
        return told_BNX


class Course(nn.Module):
    """What is expected, or seen: a cell, dynamics, and the change of attributes."""

    def __init__(self, inputs: int, hidden: int, attributes: int, dynamics: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(inputs, hidden)
        self.dynamics = perceptron(hidden, hidden, 2 * dynamics)
        self.change = perceptron(hidden + dynamics, hidden, 2 * attributes + 1)

    def remember(self, told_BNX: Tensor, h_BNH: Tensor, c_BNH: Tensor) -> tuple[Tensor, Tensor]:
        """Return h and c (B,N,hidden) after a step."""
        rows = told_BNX.shape[:2]
        flat = [each.flatten(0, 1) for each in (told_BNX, h_BNH, c_BNH)]
        h, c = self.cell(flat[0], (flat[1], flat[2]))
        return h.unflatten(0, rows), c.unflatten(0, rows)

    def moved(self, h_BNH: Tensor) -> Gaussian:
        """Return the distribution of dynamics (B,N,Y)."""
        return Gaussian.of(self.dynamics(h_BNH), dim=2)

    def said(self, h_BNH: Tensor, dynamics_BNY: Tensor) -> Said:
        """Return that of the change of attributes, and of going on."""
        said = Said.of(self.change(torch.cat([h_BNH, dynamics_BNY], dim=2)))
        return said._replace(presence=said.presence + STAYS)


def glimpse_encoder(channels: int, side: int, width: int, outputs: int) -> Layers:
    """Return layers from glimpses (B,C,G,G) to vectors (B,outputs)."""
    layers: list[nn.Module] = []
    while side > LOWEST:
        layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.ReLU()]
        channels, side = width, side // 2
    return Layers(*layers, nn.Flatten(), nn.Linear(channels * side**2, outputs), nn.ReLU())


def glimpse_decoder(inputs: int, side: int, width: int, channels: int) -> Layers:
    """Return layers from looks (B,Z) to glimpses (B,C,G,G) whose values are within 0 and 1."""
    layers: list[nn.Module] = [
        nn.Linear(inputs, width * LOWEST**2),
        nn.ReLU(),
        nn.Unflatten(1, (width, LOWEST, LOWEST)),
    ]
    for _ in range((side // LOWEST).bit_length() - 1):
        layers += [nn.ConvTranspose2d(width, width, 4, 2, 1), nn.ReLU()]
    return Layers(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Sigmoid())


def cells(channels: int, halvings: int, width: int, outputs: int) -> Layers:
    """Return layers from frames (B,C,H,W) to what each cell of their grid says, (B,outputs,...)."""
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.ReLU()]
        channels = width
    layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    return Layers(*layers, nn.Conv2d(width, outputs, 1))


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return two linear layers with a ReLU between them."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
