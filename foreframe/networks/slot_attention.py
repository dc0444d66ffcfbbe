"""Slot Attention (Locatello et al. 2020): a set of features becomes a set of K slots.

With normalised features n, keys k = K n, values v = V n, and slots s drawn from one learned
Gaussian, each iteration is

    a = softmax over slots of (k . Q LN(s)) / sqrt(D),  w = a / sum over features of a,
    s = GRU(sum over features of w v, s),  s = s + MLP(LN(s)).

Slots compete for features, and are interchangeable: in another order they end as the same slots in
that order. A background slot (Castrejon 2022, 10.3) competes too, but begins from a Gaussian of its
own, so it alone can be told apart.

Shapes: B rows, N features of F numbers, K slots of D numbers.
"""

import math

import torch
from torch import Tensor, nn

from foreframe.networks.recomputed import Recomputed
from foreframe.randomness import Numbers

# What keeps the weights of a slot that nothing attends to finite.
SMALLEST = 1e-8


class SlotAttention(Recomputed):
    """K = `slots` slots of `dim` numbers, and one more, the last, if there is a `background`.

    `inputs` are the numbers of a feature, `hidden` the width of the perceptron.
    """

    def __init__(
        self, inputs: int, slots: int, dim: int, iterations: int, hidden: int, background: bool
    ) -> None:
        super().__init__()
        self.slots, self.dim, self.iterations = slots, dim, iterations
        self.objects = _Beginning(dim)
        self.background = _Beginning(dim) if background else None
        self.features_norm, self.slots_norm = nn.LayerNorm(inputs), nn.LayerNorm(dim)
        self.key = nn.Linear(inputs, dim, bias=False)
        self.value = nn.Linear(inputs, dim, bias=False)
        self.query = nn.Linear(dim, dim, bias=False)
        self.cell = nn.GRUCell(dim, dim)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim)
        )

    @property
    def count(self) -> int:
        """K, with the background's slot."""
        return self.slots + (self.background is not None)

    def forward(self, features_BNF: Tensor, numbers_BKD: Tensor) -> tuple[Tensor, Tensor]:
        """Return slots (B,K,D) and the masks (B,K,N) of the last iteration, which add up to 1 in K.

        `numbers_BKD` are the standard normal numbers of the slots' beginnings.
        """
        assert numbers_BKD.shape[1:] == (self.count, self.dim), numbers_BKD.shape
        features_BNF = self.features_norm(features_BNF)
        keys_BND, values_BND = self.key(features_BNF), self.value(features_BNF)
        slots_BKD = self._first(numbers_BKD)
        for _ in range(self.iterations):
            queries_BKD = self.query(self.slots_norm(slots_BKD))
            masks_BKN, weights_BKN = competing(queries_BKD, keys_BND)
            updates_BKD = weights_BKN @ values_BND
            slots_BKD = self.cell(updates_BKD.flatten(0, 1), slots_BKD.flatten(0, 1))
            slots_BKD = slots_BKD.unflatten(0, updates_BKD.shape[:2])
            slots_BKD = slots_BKD + self.perceptron(slots_BKD)
        return slots_BKD, masks_BKN

    def _first(self, numbers_BKD: Tensor) -> Tensor:
        if self.background is None:
            first_BKD: Tensor = self.objects(numbers_BKD)
            return first_BKD
        objects_BKD, background_B1D = numbers_BKD.split([self.slots, 1], dim=1)
        return torch.cat([self.objects(objects_BKD), self.background(background_B1D)], dim=1)


class _Beginning(nn.Module):
    """The Gaussian that slots begin from."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mean_D = nn.Parameter(torch.empty(dim))
        self.log_deviation_D = nn.Parameter(torch.empty(dim))

    def draw(self, numbers: Numbers) -> None:
        """Fill both evenly within sqrt(6 / (D + 1)) of 0: Glorot's rule for one row."""
        bound = math.sqrt(6 / (len(self.mean_D) + 1))
        for parameter in (self.mean_D, self.log_deviation_D):
            parameter.copy_(numbers.uniform(parameter.shape, -bound, bound))

    def forward(self, numbers_BKD: Tensor) -> Tensor:
        """Return slots (B,K,D) of standard normal numbers."""
        return self.mean_D + self.log_deviation_D.exp() * numbers_BKD


def competing(queries_BKD: Tensor, keys_BND: Tensor) -> tuple[Tensor, Tensor]:
    """Return whose each feature is (B,K,N), 1 in all over K, and weights (B,K,N), 1 over N.

    The weights are those shares over what a slot has in all, so that it takes a mean of features.
    """
    scores_BKN = queries_BKD @ keys_BND.transpose(1, 2) / math.sqrt(keys_BND.shape[2])
    masks_BKN = scores_BKN.softmax(dim=1)
    weights_BKN = masks_BKN + SMALLEST
    return masks_BKN, weights_BKN / weights_BKN.sum(dim=2, keepdim=True)
