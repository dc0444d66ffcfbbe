"""A short training of both levels: clips become like those of the data, pairs are told apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.networks.noise import Fresh
from foreframe.predictors.cascade import Cascade
from foreframe.predictors.cascade_levels import players
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples
from tests.foreframe.predictors import cascades
from tests.foreframe.training.games import phase
from tests.foreframe.training.runs import setting

STEPS = (20, 24)


def distances(built: Cascade, x_BCTHW: Tensor) -> list[float]:
    """Return how far the mean clip of each level is from that of the data."""
    noise, found = Fresh(generator(0, "made"), 32, torch.device("cpu")), []
    built.eval()
    with torch.no_grad():
        built.ready(4, 2)
        for place in range(2):
            made = built.made(built.latents(noise, place + 1), None, 4)
            level = built.settings.levels[place]
            true = x_BCTHW[:, :, :: level.every]
            true = functional.avg_pool3d(true, (1, *(cascades.SIDE // level.size,) * 2))
            found.append((made.mean(0) - true.mean(0)).abs().mean().item())
    return found


def test_clips_become_like_those_of_the_data_and_pairs_are_told_apart(tmp_path: Path) -> None:
    phases = tuple(
        phase(steps=steps, batch_size=8, players=players(place))
        for place, steps in enumerate(STEPS)
    )
    plan = cascades.game_plan(2, phases=phases, validate_every=max(STEPS))
    upper = cascades.second(critic=cascades.critic(1, 2, 2, matching=True))
    built = cascades.fresh(cascades.settings(cascades.first(), upper, training=plan))
    x_BCTHW = cascades.clips(16)
    samples: Samples[Mapping[str, Any]] = Samples(16, lambda indices: {"x": x_BCTHW[indices]})
    before = distances(built, x_BCTHW)
    with Checkpoints(tmp_path) as checkpoints:
        result = fit(
            built.objective(), lambda _: samples, lambda _: samples, plan, setting(checkpoints)
        )
    after = distances(built, x_BCTHW)
    assert after[0] < 0.6 * before[0]
    assert after[1] < 0.4 * before[1]
    assert result.epochs["validation_mismatch"].iloc[-1] > 0.15
