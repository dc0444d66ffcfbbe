"""Deterministic mode is on after `prepare`, for every stage, and nothing softens it."""

import ast
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.randomness import Numbers, generator
from foreframe.running import compute
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.samples import Samples
from tests.foreframe.training import runs
from tests.needs import needs_gpu
from tests.smoke import ROOT
from tests.test_house_rules import calls, places, shipped, trees

CPU = Compute(device="cpu", instructions="portable", threads=1, precision="float32")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave torch as it was found."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(mode=False)
    torch.set_num_threads(threads)


def write_twice(device: torch.device) -> None:
    """Put two numbers into one place: which of them stays is nobody's promise."""
    zeros = torch.zeros(3, device=device)
    zeros.put_(torch.tensor([0, 0], device=device), torch.tensor([1.0, 2.0], device=device))


def test_an_operation_without_a_deterministic_kernel_raises() -> None:
    # Other tests of the same process have called `prepare` as well.
    torch.use_deterministic_algorithms(mode=False)
    write_twice(torch.device("cpu"))
    device = compute.prepare(CPU)
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        write_twice(device)


def volume() -> Tensor:
    """Return a batch of one clip on the GPU, (1, 1, 8, 8, 8), that wants a gradient."""
    return torch.rand(1, 1, 8, 8, 8, device="cuda", requires_grad=True)


# The usual ways to make a clip smaller, none of which has a deterministic gradient.
OPERATIONS: dict[str, Callable[[], Tensor]] = {
    "average pooling": lambda: functional.avg_pool3d(volume(), 2),
    "adaptive pooling": lambda: functional.adaptive_avg_pool3d(volume(), 2),
    "largest of a neighbourhood": lambda: functional.max_pool3d(volume(), 2),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_on_a_gpu_a_gradient_without_a_deterministic_kernel_raises(name: str) -> None:
    needs_gpu()
    compute.prepare(CPU.model_copy(update={"device": "cuda"}))
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        OPERATIONS[name]().sum().backward()


def test_a_gpu_that_is_not_there_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"compute\.device is cuda"):
        compute.prepare(CPU.model_copy(update={"device": "cuda"}))
    assert compute.prepare(CPU.model_copy(update={"device": "auto"})).type == "cpu"


def test_the_environment_that_is_written_down_is_the_one_in_use() -> None:
    device = compute.prepare(CPU)
    found = compute.environment(device, CPU)
    assert (found["deterministic"], found["threads"], found["device"]) == (True, 1, "cpu")


SWITCHES = ("use_deterministic_algorithms", "set_deterministic_debug_mode", "fill_uninitialized")


def test_nothing_but_prepare_touches_the_mode() -> None:
    wrong = []
    for name, tree in shipped().items():
        switched = [
            node
            for text, node in calls(tree)
            if text.rpartition(".")[2] in SWITCHES
            or any(keyword.arg == "warn_only" for keyword in node.keywords)
        ]
        if name == "foreframe/running/compute.py":
            assert [ast.unparse(node) for node in switched] == [
                "torch.set_deterministic_debug_mode('error')"
            ]
        elif not name.startswith("benchmarks/"):  # one of which measures what the mode costs
            wrong += places(name, switched)
        if "warn_only" in (ROOT / name).read_text(encoding="utf-8"):
            wrong.append(f"{name} names warn_only")
    assert wrong == []


def uses_networks(tree: ast.AST) -> bool:
    """Tell whether a stage is given the section `compute`, which is what `prepare` takes."""
    return any(isinstance(node, ast.arg) and node.arg == "compute" for node in ast.walk(tree))


def test_every_stage_with_networks_prepares_first() -> None:
    # Those that train a model of some role hand everything to `learning.learn`.
    stages = {name: tree for name, tree in trees("stages/").items() if uses_networks(tree)}
    assert stages
    for name, tree in stages.items():
        assert {text.rpartition(".")[2] for text, _ in calls(tree)} & {"prepare", "learn"}, name
    learning = ast.parse((ROOT / "foreframe/models/learning.py").read_text(encoding="utf-8"))
    assert "computing.prepare" in {text for text, _ in calls(learning)}


def train(device: torch.device, checkpoints: Checkpoints) -> tuple[list[float], dict[str, Tensor]]:
    """Train a small convolutional network; return the loss of every step, and its weights."""
    network = Network().to(device)
    clips_BCTHW = generator(0, "clips").uniform((12, 3, 4, 16, 16))
    result = runs.run(
        network,
        checkpoints,
        train=Samples(12, lambda indices: clips_BCTHW[indices]),
        validation=Samples(4, lambda indices: clips_BCTHW[indices]),
        training=runs.training(epochs=4, log_every=1),
        compute=CPU.model_copy(update={"device": device.type}),
    )
    weights = {name: value.cpu() for name, value in network.state_dict().items()}
    return result.curve["loss"].tolist(), weights


class Network(torch.nn.Module):
    """Strided and transposed convolutions and a codebook's sums, as in the autoencoder."""

    def __init__(self) -> None:
        super().__init__()
        self.down = torch.nn.Conv3d(3, 8, 4, stride=2, padding=1)
        self.up = torch.nn.ConvTranspose3d(8, 3, 4, stride=2, padding=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(generator(0, "weights").uniform(parameter.shape, -0.1, 0.1))

    def loss(self, clips_BCTHW: Tensor, noise: Numbers) -> dict[str, Tensor]:
        """Return the mean squared error, and how often each channel is the largest."""
        hidden = functional.relu(self.down(clips_BCTHW))
        chosen = hidden.movedim(1, -1).flatten(0, -2).argmax(-1)
        ones = torch.ones(len(chosen), device=chosen.device)
        counts = torch.zeros(8, device=chosen.device).index_add_(0, chosen, ones)
        error = self.up(hidden) - clips_BCTHW
        return {"loss": error.square().mean(), "codes_top": counts}


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_same_training_twice_gives_equal_losses_and_weights(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if kind == "cuda":
        needs_gpu()
    device = compute.prepare(CPU.model_copy(update={"device": kind}))
    (losses, weights), (again, others) = (
        train(device, Checkpoints(tmp_path_factory.mktemp("checkpoints"))) for _ in range(2)
    )
    assert len(losses) == 12 and losses[-1] < losses[0]
    assert losses == again
    assert all(torch.equal(weights[name], others[name]) for name in weights)
