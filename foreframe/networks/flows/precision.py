"""A flow computes in float32 itself, whatever precision the rest of a network is given.

In bfloat16 or TF32 a layer and its inverse would miss each other by a thousandth, and errors grow
from step to step.
"""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Turn autocast and TF32 off; afterwards they are as before."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = False
    try:
        with _without_autocast(device):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def _without_autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    # The meta device, which works out shapes only, knows no autocast.
    if not torch.amp.is_autocast_available(device.type):
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)
