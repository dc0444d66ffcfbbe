"""Counts of codes: all that codebook use and the code baselines need to know of a set.

Integers, so that neither the batch size nor the order of clips can change a result.

Shapes: B clips, T code-frames, H rows, W columns; K codes of a codebook.
"""

import torch

from foreframe.errors import UserError


class CodeCounts:
    """How often each code occurs: in a clip's first code-frame, and after each code.

    "After" means at the same place one code-frame earlier.

    Attributes:
        first_K: occurrences in first code-frames, int64.
        after_KK: occurrences after each code, int64: row j, column k counts k after j.
    """

    def __init__(self, codebook_size: int) -> None:
        """Start with no code seen."""
        self.first_K = torch.zeros(codebook_size, dtype=torch.int64)
        self.after_KK = torch.zeros(codebook_size, codebook_size, dtype=torch.int64)

    def update(self, codes_BTHW: torch.Tensor) -> None:
        """Add the codes of a batch of clips: integers in 0..K-1.

        Raises:
            UserError: not integers, no clip, not four axes, or a code outside 0..K-1.
        """
        self._check(codes_BTHW)
        later, earlier = codes_BTHW[:, 1:], codes_BTHW[:, :-1]
        size = len(self.first_K)
        self.first_K += _count(codes_BTHW[:, 0], size)
        pairs = earlier.long() * size + later
        self.after_KK += _count(pairs, size * size).reshape(size, size)

    def same(self) -> torch.Tensor:
        """Return the occurrences that repeat the code of the previous code-frame, int64 (K,)."""
        return self.after_KK.diagonal()

    def changed(self) -> torch.Tensor:
        """Return the occurrences that follow another code, int64 (K,)."""
        return self.after_KK.sum(dim=0) - self.same()

    def total(self) -> torch.Tensor:
        """Return the occurrences of each code, int64 (K,)."""
        return self.first_K + self.after_KK.sum(dim=0)

    def _check(self, codes_BTHW: torch.Tensor) -> None:
        if codes_BTHW.ndim != 4 or codes_BTHW.numel() == 0:
            shape = tuple(codes_BTHW.shape)
            raise UserError(f"codes must be (clips, code-frames, rows, columns), not {shape}.")
        if codes_BTHW.is_floating_point() or codes_BTHW.dtype == torch.bool:
            raise UserError(f"codes must be integers, not {codes_BTHW.dtype}.")
        low, high = int(codes_BTHW.min()), int(codes_BTHW.max())
        if low < 0 or high >= len(self.first_K):
            raise UserError(
                f"codes span {low}..{high}, outside 0..{len(self.first_K) - 1}: "
                "they belong to another codebook; extract the latents again."
            )


def _count(values: torch.Tensor, size: int) -> torch.Tensor:
    return torch.bincount(values.flatten().cpu(), minlength=size)
