"""The KL of each channel: a part of the whole, counted by thresholds."""

from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.analyses import channel_kl
from foreframe.errors import UserError
from foreframe.networks.noise import Drawn
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, analysed, told
from tests.foreframe.predictors import test_recurrent
from tests.foreframe.predictors.hierarchical import CONTEXT, FRAMES, ROWS, woken
from tests.foreframe.predictors.test_hierarchical_vrnn import SAMPLED

COUNT = 9  # a batch, and one more


def settings(**changes: float) -> channel_kl.Settings:
    known: dict[str, Any] = {"active": 0.01, "full": 0.15} | changes
    return channel_kl.Settings(kind="channel_kl", clips=None, show=0, **known)


def test_channels_make_up_the_whole_and_are_counted(tmp_path: Path) -> None:
    frames = generator(0, "clips").integers(0, 256, (COUNT, FRAMES, ROWS, ROWS, 3)).to(torch.uint8)
    model = woken()
    more: dict[str, Any] = {"given": CONTEXT, "options": SAMPLED}
    _, stored = analysed(tmp_path / "a.h5", channel_kl, settings(), model, frames, **more)
    numbers = range(FIRST, FIRST + COUNT)
    noise = Drawn(Draws.first(0, numbers), "channel KL", torch.device("cpu"))
    x_BCTHW = frames.float().movedim(-1, 1) / 255
    with torch.no_grad():
        kl = model.terms(x_BCTHW, CONTEXT, noise).kl
    assert stored.keys() == {"channels_1", "channels_4", "channels_8"}
    for name, values_Z in stored.items():
        rows = int(name.removeprefix("channels_"))
        whole = kl[f"latent_{rows}"].mean().item()
        assert values_Z.sum() * rows**2 == pytest.approx(whole, rel=1e-4)
    # Between the channels of one latent, thresholds tell them apart.
    low, middle, high = sorted(stored["channels_1"].tolist())
    between = settings(active=(low + middle) / 2, full=(middle + high) / 2)
    found, _ = analysed(tmp_path / "b.h5", channel_kl, between, model, frames, **more)
    wanted = {"channels": 3, "active": 2, "full": 1, "largest": pytest.approx(high)}
    assert found.values["latent"]["1"] == wanted


def test_latents_without_channels_are_refused(tmp_path: Path) -> None:
    frames = test_recurrent.clips(2, 4)
    with pytest.raises(UserError, match=r"no latents with channels\. Give another"):
        analysed(tmp_path / "a.h5", channel_kl, settings(), told(), frames)
