"""How much of a codebook a set of clips uses: codes used and dead, and perplexity.

Shapes: K codes of a codebook.
"""

from dataclasses import dataclass

import torch

from foreframe.errors import UserError


@dataclass(frozen=True)
class CodebookUse:
    """The use of one codebook by a set."""

    size: int  # K
    used: int  # codes that occur at least once
    usage: float  # used / size, in 0..1
    dead: int  # codes that never occur
    perplexity: float  # e^entropy of the code frequencies, in 1..K


def codebook_use(counts_K: torch.Tensor) -> CodebookUse:
    """Return the use of a codebook whose codes occur `counts_K` times.

    Perplexity is exp(-sum_k f_k ln f_k) with f_k = n_k / sum n (van den Oord et al. 2017).

    Raises:
        UserError: no code occurs.
    """
    total = int(counts_K.sum())
    if total == 0:
        raise UserError("the use of a codebook is not defined for a set without codes.")
    frequencies = counts_K[counts_K > 0].double() / total
    used = len(frequencies)
    return CodebookUse(
        size=len(counts_K),
        used=used,
        usage=used / len(counts_K),
        dead=len(counts_K) - used,
        perplexity=float((-(frequencies * frequencies.log()).sum()).exp()),
    )
