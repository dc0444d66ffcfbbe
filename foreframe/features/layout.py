"""The layout of a network's weights: exactly the names and shapes that a file must have.

Counters of training batches are left out everywhere: older files lack them and nothing reads them.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from foreframe.errors import ArtefactError

Layout = Mapping[str, tuple[int, ...]]
COUNTER = "num_batches_tracked"
SHOWN = 3  # names in a message


def of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a network's weights; it may stand on the meta device."""
    state = model.state_dict()
    return {name: tuple(state[name].shape) for name in state if not name.endswith(COUNTER)}


def check(tensors: Mapping[str, Tensor], expected: Layout, what: str) -> None:
    """Refuse weights (of any shape) whose names and shapes are not those expected.

    Raises:
        ArtefactError: they differ; the message names `what` and the first differences.
    """
    found = {name: tuple(tensors[name].shape) for name in tensors if not name.endswith(COUNTER)}
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is unknown" for name in found if name not in expected]
    problems += [
        f"{name} is {found[name]}, not {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise ArtefactError(f"{what} has another layout: {'; '.join(problems[:SHOWN])}{more}.")


def load(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Put weights (of any shape) into a network and fix it for evaluation.

    Raises:
        ArtefactError: their names or shapes are not those of the network.
    """
    check(tensors, of(model), what)
    model.load_state_dict(tensors, strict=False)
    model.eval().requires_grad_(requires_grad=False)
