"""Counts of codes: all that codebook use and the code baselines need to know of a set.

Integers, so that neither the batch size nor the order of clips can change a result.

Shapes: B clips, T code-frames, H rows, W columns; K codes of a codebook.
"""

import torch

from foreframe.errors import UserError


class CodeCounts:
    """How often each code occurs: in a clip's first code-frame, or after the same or another code.

    "After" means at the same place one code-frame earlier.

    Attributes:
        first_K: occurrences in first code-frames, int64.
        same_K: occurrences that repeat the code of the previous code-frame, int64.
        changed_K: occurrences that follow another code, int64.
    """

    def __init__(self, codebook_size: int) -> None:
        """Start with no code seen."""
        self.first_K = torch.zeros(codebook_size, dtype=torch.int64)
        self.same_K = torch.zeros(codebook_size, dtype=torch.int64)
        self.changed_K = torch.zeros(codebook_size, dtype=torch.int64)

    def update(self, codes_BTHW: torch.Tensor) -> None:
        """Add the codes of a batch of clips: integers in 0..K-1.

        Raises:
            UserError: not integers, no clip, not four axes, or a code outside 0..K-1.
        """
        self._check(codes_BTHW)
        later, earlier = codes_BTHW[:, 1:], codes_BTHW[:, :-1]
        self.first_K += self._count(codes_BTHW[:, 0])
        self.same_K += self._count(later[later == earlier])
        self.changed_K += self._count(later[later != earlier])

    def total(self) -> torch.Tensor:
        """Return the occurrences of each code, int64 (K,)."""
        return self.first_K + self.same_K + self.changed_K

    def _count(self, codes: torch.Tensor) -> torch.Tensor:
        return torch.bincount(codes.flatten().cpu(), minlength=len(self.first_K))

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
