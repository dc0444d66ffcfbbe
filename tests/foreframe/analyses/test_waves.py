"""How sequences go on, beside how they went on: a model misses them by errors that are known."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import waves
from foreframe.analyses.subject import Found
from foreframe.errors import UserError
from foreframe.networks.noise import Drawn
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws
from tests.foreframe.analyses.asked import FIRST, analysed, told
from tests.foreframe.networks.latent_sequences import PATCHES, sequences
from tests.foreframe.predictors.test_sequence_vae import DRAWN, MEAN, model

COUNT, GIVEN = 10, 2  # more sequences than a batch


def asked(
    path: Path, x_NTS: Tensor, chosen: Any, options: LatentOptions = MEAN, show: int = 0
) -> tuple[Found, dict[str, Tensor]]:
    frames = torch.zeros(*x_NTS.shape[:2], 1, 1, 3, dtype=torch.uint8)
    states = {str(place): values_NT for place, values_NT in enumerate(x_NTS.unbind(dim=2))}
    asks = waves.Settings(kind="waves", clips=None, show=show)
    more: dict[str, Any] = {"given": GIVEN, "options": options, "states": states}
    found, stored = analysed(path, waves, asks, chosen, frames, **more)
    return found, {name: torch.from_numpy(each) for name, each in stored.items()}


@pytest.mark.parametrize("options", [MEAN, DRAWN], ids=["mean", "drawn"])
def test_the_error_is_that_of_a_continuation_and_its_lines_are_stored(
    options: LatentOptions, tmp_path: Path
) -> None:
    continuing, x_NTS, show = model(), sequences(COUNT), 9
    draws = Draws.first(0, range(FIRST, FIRST + COUNT))
    noise = Drawn(draws, "waves", torch.device("cpu"))
    made_NhS = continuing.extend(x_NTS[:, :GIVEN], PATCHES - GIVEN, options, noise)
    missed_N = torch.arange(COUNT) / 4
    x_NTS[:, GIVEN:] = made_NhS + missed_N[:, None, None] * torch.tensor([1, -1] * 3)
    found, stored = asked(tmp_path / "a.h5", x_NTS, continuing, options, show)
    # The mean over sequences, each of which has one error at all of its points.
    assert found.values["error"]["mean"] == pytest.approx(missed_N.mean().item(), abs=1e-5)
    assert found.values["error"]["clips"] == COUNT
    names = {f"{line}_{place + 1}" for line in ("real", "continued") for place in range(show)}
    assert stored.keys() == names
    lines_NP = torch.cat([x_NTS[:, :GIVEN], made_NhS], dim=1).flatten(1)
    for place in range(show):
        assert torch.equal(stored[f"real_{place + 1}"], x_NTS[place].flatten())
        torch.testing.assert_close(stored[f"continued_{place + 1}"], lines_NP[place])


def test_a_predictor_of_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Told is no model of sequences of numbers\. Give a"):
        asked(tmp_path / "a.h5", sequences(COUNT), told())
