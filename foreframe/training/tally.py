"""Running averages of what a loss reports, kept on the device so that no step waits for the host.

A scalar is averaged over the samples. A vector named `codes_LEVEL` counts how often each code was
chosen; the counts are added up and reported as the share of codes used and as their perplexity.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

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

    def clear(self) -> None:
        """Forget all."""
        self.samples, self.sums = {}, {}

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


def usage(counts_K: Tensor) -> tuple[float, float]:
    """Return the share (0 to 1) of codes with a count over 0, and the perplexity (1 to K).

    The perplexity is exp(entropy) of the counts: K when all codes are used equally often.
    """
    counts_K = counts_K.cpu().double()
    share = counts_K / counts_K.sum().clamp(min=1)
    entropy = torch.special.entr(share).sum()
    return (counts_K > 0).double().mean().item(), entropy.exp().item()
