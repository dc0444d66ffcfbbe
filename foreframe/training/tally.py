"""Running averages of what a loss reports, kept on the device so that no step waits for the host.

A scalar is averaged over the samples. A vector named `codes_LEVEL` counts how often each code was
chosen; the counts are added up and reported as the share of codes used and as their perplexity.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from foreframe.training.sharding import Shards, tree_sum

COUNTS = "codes_"


class Tally:
    """Sums over any number of batches of scalars, weighted by samples, and of code counts.

    samples: those that each name was added for; not every turn of a step reports every name.
    """

    def __init__(self) -> None:
        self.samples: dict[str, int] = {}
        self.sums: dict[str, Tensor] = {}

    def add(self, values: Mapping[str, Tensor], samples: int) -> None:
        """Add one batch's scalars, which are means over its `samples`, and counts of shape (K,)."""
        for name, value in values.items():
            # float64, so that the sum over an epoch keeps every digit of its parts.
            addend = value.detach().double() * (1 if name.startswith(COUNTS) else samples)
            self.sums[name] = self.sums[name] + addend if name in self.sums else addend
            self.samples[name] = self.samples.get(name, 0) + samples

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sums of both."""
        both = Tally()
        for one in (self, other):
            for name, value in one.sums.items():
                both.sums[name] = both.sums[name] + value if name in both.sums else value
                both.samples[name] = both.samples.get(name, 0) + one.samples[name]
        return both

    def averages(self) -> dict[str, float]:
        """Return the mean of each scalar, and `usage_LEVEL` and `perplexity_LEVEL` for counts."""
        result: dict[str, float] = {}
        for name, total in self.sums.items():
            if name.startswith(COUNTS):
                level = name.removeprefix(COUNTS)
                result[f"usage_{level}"], result[f"perplexity_{level}"] = usage(total)
            else:
                result[name] = total.item() / self.samples[name]
        return result


class Tallies:
    """A tally of each shard that this process computes, by the shard's number."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self.of = {number: Tally() for number in shards.own}

    def clear(self) -> None:
        """Forget all."""
        self.of = {number: Tally() for number in self._shards.own}

    def all(self) -> dict[int, Tally]:
        """Return the tallies of all shards, from all processes."""
        if self._shards.crew.count == 1:
            return self.of
        own = {number: Tally() for number in self.of}
        for number, tally in self.of.items():
            own[number].samples, own[number].sums = tally.samples, at_home(tally.sums)
        return {key: each for part in self._shards.crew.each(own) for key, each in part.items()}

    def averages(self) -> dict[str, float]:
        """Return the averages over all shards; see `Tally.averages`."""
        every: Tally = tree_sum([tally for _, tally in sorted(self.all().items())])
        return every.averages()


def at_home(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors by name on the CPU, shaped as they are, to be sent to other processes."""
    return {name: value.cpu() for name, value in values.items()}


def usage(counts_K: Tensor) -> tuple[float, float]:
    """Return the share (0 to 1) of codes with a count over 0, and the perplexity (1 to K).

    The perplexity is exp(entropy) of the counts: K when all codes are used equally often.
    """
    counts_K = counts_K.cpu().double()
    share = counts_K / counts_K.sum().clamp(min=1)
    entropy = torch.special.entr(share).sum()
    return (counts_K > 0).double().mean().item(), entropy.exp().item()
