"""A mean over a set that is seen in batches: float64, one item at a time, in constant memory.

Adding item by item rather than batch by batch makes the result independent of the batch size to
the last bit.
"""

import torch

from foreframe.errors import UserError


class Mean:
    """The running mean over the first axis of all batches; other axes are kept.

    Attributes:
        count: the number of items seen.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.count = 0
        self._sum = torch.zeros((), dtype=torch.float64)

    def update(self, values: torch.Tensor) -> None:
        """Add a batch of shape (items, ...); every batch has the same shape but for its first axis.

        Raises:
            UserError: the shape differs from that of earlier batches.
        """
        if self.count and values.shape[1:] != self._sum.shape:
            raise UserError(
                f"items of shape {tuple(values.shape[1:])} follow items of shape "
                f"{tuple(self._sum.shape)}: a mean needs one shape."
            )
        for item in values.detach().to("cpu", torch.float64):
            self._sum = self._sum + item
        self.count += len(values)

    def result(self) -> torch.Tensor:
        """Return the mean so far, float64, of the shape of one item.

        Raises:
            UserError: nothing was seen.
        """
        if not self.count:
            raise UserError("the mean over no items is not defined: give at least one.")
        return self._sum / self.count

    def scalar(self) -> float:
        """Return the mean over all items and axes.

        Raises:
            UserError: nothing was seen.
        """
        return float(self.result().mean())
