"""Digests of what single operations give: whether this CPU rounds as the one of the committed list.

At the portable level (`running.instructions`) every x86-64 CPU with AVX2 should give the same bits.
`foreframe doctor` computes the operations that the networks and metrics are made of, forwards and
backwards, and compares them with the list beside this file, so that a CPU that differs is told
before anything is trained, with the operation's name.

    python -m workflow.operations  # writes the list anew, for another version of torch

Inputs are random but made of integers alone, so they are the same whatever computes.
"""

import hashlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

from foreframe.artefacts import facts
from foreframe.config.compute import Compute
from foreframe.config.training import BETAS, EPSILON, Adam, OptimizerSettings, RMSprop
from foreframe.errors import ArtefactError
from foreframe.randomness import numpy_generator
from foreframe.roots import root
from foreframe.running import compute
from foreframe.training.optimization import Mover

COMMITTED = Path(__file__).with_suffix(".json")
SCHEMA = "operations"
COMPUTE = Compute(device="cpu", instructions="portable", threads=2, precision="float32")

_SHARED: dict[str, Any] = {
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "clip": 1.0,
    "schedule": "constant",
    "warmup_steps": 0,
}
OPTIMIZERS: tuple[OptimizerSettings, ...] = (
    Adam(kind="adam", betas=BETAS, epsilon=EPSILON, **_SHARED),
    Adam(kind="adamw", betas=BETAS, epsilon=EPSILON, **_SHARED),
    RMSprop(kind="rmsprop", smoothing=0.99, momentum=0.5, epsilon=EPSILON, **_SHARED),
)
NUMPY = {
    "exp": numpy.exp, "log": numpy.log, "log1p": numpy.log1p, "sin": numpy.sin, "cos": numpy.cos,
    "sqrt": numpy.sqrt,
}  # fmt: skip

Operation = Callable[..., Tensor]
Size = tuple[int, ...]


def _elementwise() -> Iterator[tuple[str, Operation, list[Size]]]:
    functions: dict[str, Operation] = {
        "exp": torch.exp,
        "sin": torch.sin,
        "cos": torch.cos,
        "erf": torch.erf,
        "expm1": torch.expm1,
        "atan2": lambda x: torch.atan2(x, x.roll(1)),
        "hypot": lambda x: torch.hypot(x, x.roll(1)),
        "log": lambda x: (x.square() + 0.1).log(),
        "log2": lambda x: (x.square() + 0.1).log2(),
        "log10": lambda x: (x.square() + 0.1).log10(),
        "log1p": lambda x: x.square().log1p(),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "elu": functional.elu,
        "gelu": functional.gelu,
        "softplus": functional.softplus,
        "root": lambda x: root(x.square() + 0.1),
        "softmax": lambda x: x.softmax(-1),
        "softmax of rows": lambda x: x.softmax(0),
        "log_softmax": lambda x: x.log_softmax(-1),
        "logsumexp": lambda x: x.logsumexp(-1),
        "sum": lambda x: x.sum(),
        "sum of rows": lambda x: x.sum(0),
        "mean": lambda x: x.mean(-1),
        "var": lambda x: x.var(-1),
        "std": lambda x: x.std(-1),
        "norm": lambda x: x.norm(),
        "norm of rows": lambda x: x.norm(dim=-1),
        "cumsum": lambda x: x.cumsum(-1),
        "layer_norm": lambda x: functional.layer_norm(x, (1031,)),
        "bilinear": lambda x: functional.interpolate(x[None, None], (96, 700), mode="bilinear"),
    }
    for name, function in functions.items():
        yield name, function, [(64, 1031)]
    yield "cross_entropy", lambda x: functional.cross_entropy(x, torch.arange(64)), [(64, 1031)]
    places = torch.arange(4096).remainder(97)
    yield "embedding", lambda w: functional.embedding(places, w), [(97, 64)]
    yield "index_add", lambda x: torch.zeros(97, 64).index_add(0, places, x), [(4096, 64)]


def _products() -> Iterator[tuple[str, Operation, list[Size]]]:
    yield "matmul", torch.matmul, [(512, 384), (384, 512)]
    yield "matmul, small", torch.matmul, [(48, 48), (48, 48)]
    yield "matmul, one row", torch.matmul, [(1, 512), (512, 512)]
    yield "bmm", torch.bmm, [(8, 255, 16), (8, 16, 255)]
    direct = partial(torch.cdist, compute_mode="donot_use_mm_for_euclid_dist")
    yield "cdist", direct, [(96, 48), (40, 48)]
    yield "linear", functional.linear, [(256, 384), (512, 384), (512,)]
    attention: Operation = functional.scaled_dot_product_attention
    yield "attention", attention, [(2, 4, 96, 32)] * 3
    yield "causal attention", partial(attention, is_causal=True), [(2, 4, 96, 32)] * 3


def _convolutions() -> Iterator[tuple[str, Operation, list[Size]]]:
    plane, block = (4, 32, 32, 32), (2, 32, 8, 16, 16)
    yield "conv2d 3x3", partial(functional.conv2d, padding=1), [plane, (64, 32, 3, 3), (64,)]
    yield "conv2d 1x1", functional.conv2d, [plane, (64, 32, 1, 1), (64,)]
    yield (
        "conv2d 4x4, stride 2",
        partial(functional.conv2d, padding=1, stride=2),
        [(4, 3, 64, 64), (32, 3, 4, 4), (32,)],
    )
    yield (
        "conv2d of one",
        partial(functional.conv2d, padding=1),
        [(1, 12, 16, 16), (12, 12, 3, 3), (12,)],
    )
    transposed = partial(functional.conv_transpose2d, padding=1, stride=2)
    yield "conv_transpose2d", transposed, [plane, (32, 16, 4, 4), (16,)]
    yield "conv3d 3x3x3", partial(functional.conv3d, padding=1), [block, (64, 32, 3, 3, 3), (64,)]
    yield (
        "conv3d 1x3x3",
        partial(functional.conv3d, padding=(0, 1, 1)),
        [block, (16, 32, 1, 3, 3), (16,)],
    )
    yield "conv3d 2x2x2", partial(functional.conv3d, padding=1), [block, (64, 32, 2, 2, 2), (64,)]
    yield "conv3d 1x1x1", functional.conv3d, [block, (64, 32, 1, 1, 1), (64,)]
    strided = partial(functional.conv3d, padding=(1, 2, 2), stride=(2, 4, 4))
    yield "conv3d 4x8x8, stride 2x4x4", strided, [(2, 3, 16, 32, 32), (32, 3, 4, 8, 8), (32,)]
    transposed = partial(functional.conv_transpose3d, padding=1, stride=2)
    yield "conv_transpose3d", transposed, [block, (32, 16, 4, 4, 4), (16,)]
    affine = [plane, (32,), (32,)]
    yield "group_norm", lambda x, w, b: functional.group_norm(x, 8, w, b), affine
    yield (
        "batch_norm",
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        affine,
    )


def _trained(settings: OptimizerSettings) -> Tensor:
    """Return a weight after steps of an optimiser along given gradients."""
    weight = nn.Parameter(_drawn("weight", (257, 33)))
    mover = Mover(settings)
    mover.take([weight], restart=False)
    for step in range(5):
        norm = mover.adopt([_drawn("gradient", (257, 33), step)])
        mover.follow(norm, 0.01, 0.01)
    return weight.detach()


def _alone() -> Iterator[tuple[str, Tensor]]:
    """Yield what has no gradient here: decompositions, optimisers, and NumPy's own."""
    square = _drawn("square", (64, 64)).double() / 3  # so that float64 has something to round
    spread = square @ square.T / 64 + torch.eye(64, dtype=torch.float64)
    yield "matmul, float64", spread
    yield "eigvalsh", torch.linalg.eigvalsh(spread)
    yield "cholesky", torch.linalg.cholesky(spread)
    yield "solve", torch.linalg.solve(spread, square)
    lower = square.tril(-1) / 64 + torch.eye(64, dtype=torch.float64)
    yield (
        "solve_triangular",
        torch.linalg.solve_triangular(lower, square, upper=False, unitriangular=True),
    )
    yield "svdvals", torch.linalg.svdvals(square)
    yield "eigenvectors", torch.linalg.eigh(spread).eigenvectors
    yield "fft2", torch.view_as_real(torch.fft.fft2(square))
    for settings in OPTIMIZERS:
        yield settings.kind, _trained(settings)
    values = _drawn("values", (4099,)).numpy()
    for name, function in NUMPY.items():
        yield f"NumPy's {name}", torch.from_numpy(function(numpy.abs(values)))
        wide = numpy.abs(values).astype(numpy.float64)
        yield f"NumPy's {name}, float64", torch.from_numpy(function(wide))
    yield "NumPy's matmul", torch.from_numpy(square.numpy() @ square.numpy())


GROUPS = {"elementwise": _elementwise, "products": _products, "convolutions": _convolutions}
ALONE = "alone"


def digests(groups: Collection[str] = (*GROUPS, ALONE)) -> dict[str, str]:
    """Return the digest of every operation's result, and of every gradient, by its name.

    Raises:
        UserError: this process does not compute at the portable level.
    """
    compute.prepare(COMPUTE)
    found: dict[str, str] = {}
    for group in (GROUPS[name] for name in GROUPS if name in groups):
        for name, operation, sizes in group():
            inputs = [_drawn(name, size, number) for number, size in enumerate(sizes)]
            result = operation(*(each.requires_grad_() for each in inputs))
            found[name] = _digest(result)
            gradients = torch.autograd.grad(result, inputs, _drawn(name, tuple(result.shape), "up"))
            for number, gradient in enumerate(gradients):
                found[f"{name}, gradient {number + 1}"] = _digest(gradient)
    alone = _alone() if ALONE in groups else ()
    return found | {name: _digest(result) for name, result in alone}


def differing(found: Mapping[str, str]) -> list[str]:
    """Return the operations whose digests are not those of the committed list.

    Raises:
        ArtefactError: the list is of another version of torch.
    """
    known = facts.read(COMMITTED, SCHEMA)
    if known["torch"] != torch.__version__.partition("+")[0]:
        raise ArtefactError(
            f"{COMMITTED.name} is of torch {known['torch']}, this is {torch.__version__}."
        )
    return sorted(
        name for name in known["digests"].keys() | found.keys()
        if known["digests"].get(name) != found.get(name)
    )  # fmt: skip


def _drawn(name: str, size: Size, *position: str | int) -> Tensor:
    """Return multiples of 2^-12 from -2 to 2: no float is rounded on the way."""
    drawn = numpy_generator(0, "operations", name, *position).integers(-(2**13), 2**13 + 1, size)
    return torch.from_numpy(drawn).to(torch.float32) / 2**12


def _digest(values: Tensor) -> str:
    return hashlib.sha256(values.detach().contiguous().numpy().tobytes()).hexdigest()[:12]


def main() -> None:
    """Write the list that this CPU gives; its names in the order of the digests' computation."""
    content = {"torch": torch.__version__.partition("+")[0], "digests": digests()}
    facts.write(COMMITTED, SCHEMA, content)
    sys.stdout.write(f"{COMMITTED}: {len(content['digests'])} digests\n")


if __name__ == "__main__":
    main()
