"""Steps of one position, recorded once and replayed: on a GPU a step then costs no launches.

A step of the top prior is some hundred tiny kernels, which take less time than it takes to ask for
them. As a CUDA graph they are asked for once. For that a step must be the same for every position:
the position is a number on the device that each step counts on, and attention looks at all keys,
with those that are not earlier masked. On a CPU the same steps are simply taken one by one.
"""

from collections.abc import Callable

import torch

from foreframe.priors.engines import Step


def one_by_one(take: Callable[[Step], None], start: int, count: int, device: torch.device) -> None:
    """Take a step for each position from `start` to `count` - 1, on a GPU from a recording."""
    position = torch.tensor([start], device=device)

    def following() -> None:
        take(Step(position, count - 1))
        position.add_(1)

    steps = count - start
    if device.type == "cuda" and steps > 1:
        _warm_up(following, device)
        graph = torch.cuda.CUDAGraph()
        # Recording runs nothing: the position stays as the warm-up left it.
        with torch.cuda.graph(graph):
            following()
        for _ in range(steps - 1):
            graph.replay()
    else:
        for _ in range(steps):
            following()


def _warm_up(step: Callable[[], None], device: torch.device) -> None:
    """Take the first step on a stream of its own, where libraries are set up unrecorded."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream(device).wait_stream(stream)
