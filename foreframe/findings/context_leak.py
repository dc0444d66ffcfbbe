"""The leak of `full_clip`: how much of the future the given codes know when the whole clip is seen.

The encoder is not causal, so codes of the first frames that are cut out of a whole clip's hold
information about later ones; Xu 2022 conditions on such codes. Here the same clips are continued
from both kinds of codes.

Shapes: n clips, T predicted frames or code-frames, H W code grid.
"""

from typing import Any

from torch import Tensor

from foreframe.evaluation import columns


def differing(full_nTHW: Tensor, alone_nTHW: Tensor) -> Tensor:
    """Return the share of given codes that differ, by clip and code-frame: float64 (n,T)."""
    return (full_nTHW != alone_nTHW).double().flatten(2).mean(dim=2)


def summarize(full_nT: Tensor, alone_nT: Tensor) -> dict[str, Any]:
    """Return by how many dB the PSNR of futures from whole clips' codes is higher, by frame.

    Both are the PSNR of the same clips and predicted frames, of `full_clip` and `context_only`.
    """
    frames = zip(full_nT.unbind(dim=1), alone_nT.unbind(dim=1), strict=True)
    return {
        "full_clip": columns.mean(full_nT.mean(dim=1)),
        "context_only": columns.mean(alone_nT.mean(dim=1)),
        "gain": columns.difference(full_nT.mean(dim=1), alone_nT.mean(dim=1)),
        "gain_by_frame": [columns.difference(full, alone) for full, alone in frames],
    }


def summarize_codes(differing_nT: Tensor) -> list[dict[str, Any]]:
    """Return the share of codes that differ for each given code-frame."""
    return [columns.mean(values_n) for values_n in differing_nT.unbind(dim=1)]
