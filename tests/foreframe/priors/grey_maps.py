"""Small maps of codes to learn, and small generators of them with their whole settings."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from foreframe.config.training import Phase, Plan
from foreframe.networks.growing import Network
from foreframe.priors import Codes, Given, dcgan, progressive_gan
from foreframe.randomness import Draws, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Objective
from foreframe.training.result import Result
from foreframe.training.samples import Samples
from tests.foreframe.training import games, runs

CODES = Codes((1, 8, 8), 16)
ABOVE = Codes((1, 4, 4), 8)
ALONE, PAIRED = Given(CODES, {}, None), Given(CODES, {"top": ABOVE}, None)
GIVEN_NOTHING = torch.zeros(5, 0, 8, 8, dtype=torch.int64)


def pair(count: int, name: str = "maps") -> dict[str, Tensor]:
    """Return maps (count,1,8,8) that fall from the left, and (count,1,4,4) that say from where."""
    numbers = generator(0, name)
    start = numbers.integers(8, 15, (count, 1, 1, 1))
    noise = numbers.integers(0, 2, (count, 1, 8, 8))
    below = (start - torch.arange(8)).expand(count, 1, 8, 8)
    return {"bottom": below + noise, "top": (start - 8).expand(count, 1, 4, 4).clone()}


def samples(count: int, name: str = "maps") -> Samples[dict[str, Tensor]]:
    data = pair(count, name)
    return Samples(count, lambda indices: {key: value[indices] for key, value in data.items()})


def plan(*phases: Phase, **changes: Any) -> Plan:
    rates = {"generator": 0.004, "critic": 0.004}
    players = {
        name: games.adam(learning_rate=rate, betas=(0.0, 0.99)) for name, rate in rates.items()
    }
    known: dict[str, Any] = {"phases": phases, "players": players, "average": 0.9, "log_every": 1}
    return games.plan(**{**known, **changes})


def two_phases(steps: int = 4) -> Plan:
    return plan(
        games.phase(steps=steps, batch_size=8),
        games.phase(steps=steps, batch_size=5, restart_optimizers=True),
    )


def network(**changes: Any) -> Network:
    known: dict[str, Any] = {"noise": 6, "channels": (16, 8), "residual_layers": 2}
    known |= {"attention": 8, "condition": None, "equalised": True, "deviation_group": 4}
    return Network(**{**known, **changes})


def growing(**changes: Any) -> progressive_gan.Settings:
    known: dict[str, Any] = {"kind": "progressive_gan", "level": "bottom", "condition_on": ()}
    known |= {"actions": "none", "training": two_phases(), "dequantise": True}
    known |= {"network": network(), "fade": 0.5, "penalty": 10.0, "drift": 0.001}
    return progressive_gan.Settings(**{**known, **changes})


def paired(**changes: Any) -> progressive_gan.Settings:
    told = network(condition={"channels": 4, "layers": 2})
    return growing(**{"condition_on": ("top",), "network": told, **changes})


def plain(**changes: Any) -> dcgan.Settings:
    known: dict[str, Any] = {"kind": "dcgan", "level": "bottom", "condition_on": ()}
    training = plan(games.phase(steps=4, batch_size=8))
    known |= {"actions": "none", "training": training, "dequantise": False}
    return dcgan.Settings(**{**known, "noise": 6, "channels": (16,), **changes})


def fresh(
    settings: progressive_gan.Settings | dcgan.Settings, seed: int = 0
) -> progressive_gan.ProgressiveGan | dcgan.DCGan:
    """Return an untrained prior with its starting weights."""
    given = PAIRED if settings.condition_on else ALONE
    module = progressive_gan if isinstance(settings, progressive_gan.Settings) else dcgan
    prior: progressive_gan.ProgressiveGan | dcgan.DCGan = module.build(settings, given)
    prior.initialize(generator(seed, "weights"))
    return prior


def loud(model: nn.Module) -> None:
    """Draw every parameter, so that what begins as zero has an effect too."""
    numbers = generator(3, "loud")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(numbers.uniform(parameter.shape, -1, 1))


def train(objective: Objective[Any], plan: Plan, checkpoints: Checkpoints, seed: int = 0) -> Result:
    return fit(
        objective,
        lambda phase: samples(32),
        lambda phase: samples(9, "validation"),
        plan,
        runs.setting(checkpoints, seed),
    )


def outcome(prior: Any, result: Result) -> Mapping[str, bytes]:
    """Return the bytes of all weights, buffers, averages and tables that a training leaves."""
    parts = {"model": prior, **{str(i): one for i, one in enumerate(result.averaged)}}
    tensors = {
        f"{name}/{key}": value.numpy().tobytes()
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }
    tables = {"curve": result.curve, "epochs": result.epochs}
    return tensors | {name: table.to_csv().encode() for name, table in tables.items()}


def drawn(prior: Any, draws: Draws, top: Tensor | None = None) -> Tensor:
    """Return sampled codes (B,1,8,8)."""
    latents = {} if top is None else {"top": top}
    given = GIVEN_NOTHING[:1].expand(len(draws), -1, -1, -1)
    codes: Tensor = prior.sample(given, latents, draws, 0)
    return codes
