"""Later and later frames under one distribution, against a model worked out by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import future_nll, one_step
from foreframe.networks.noise import Drawn
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws
from tests.foreframe.analyses.asked import FIRST, analysed, bits, rows, told
from tests.foreframe.predictors.test_recurrent import MEAN, SHARED, clips

COUNT, FRAMES, GIVEN = 10, 6, 2
WARM = LatentOptions(latents="sample", temperature=0.5, frames="mean")


def asked(folder: Path, frames: Tensor, samples: int = 1, **more: Any) -> Any:
    chosen = future_nll.Settings(kind="future_nll", clips=None, show=0, samples=samples)
    return analysed(folder / "a.h5", future_nll, chosen, told(), frames, given=GIVEN, **more)[0]


def test_all_frames_are_scored_around_what_followed_the_given_ones(tmp_path: Path) -> None:
    frames = clips(COUNT, FRAMES)
    found = asked(tmp_path, frames)
    wanted_NS = bits(frames[:, GIVEN:], frames[:, GIVEN - 1 : GIVEN])
    assert rows(found, "future_nll", "bits") == pytest.approx(wanted_NS.mean(dim=0).tolist())
    first, last = wanted_NS.mean(dim=0)[[0, -1]].tolist()
    values = found.values["bits"]
    assert (values["first"]["mean"], values["last"]["mean"]) == pytest.approx((first, last))
    assert values["growth"]["mean"] == pytest.approx(last - first)


def test_the_first_frame_costs_what_one_step_costs(tmp_path: Path) -> None:
    frames = clips(COUNT, FRAMES)
    chosen = one_step.Settings(kind="one_step", clips=None, show=0, events={})
    told_all, _ = analysed(tmp_path / "b.h5", one_step, chosen, told(), frames, given=GIVEN)
    wanted = told_all.values["prior"]["bits"]["first"]
    assert asked(tmp_path, frames).values["bits"]["first"] == wanted


def test_shuffled_frames_cost_what_they_did(tmp_path: Path) -> None:
    frames, order = clips(COUNT, FRAMES), [2, 0, 3, 1]
    shuffled = torch.cat([frames[:, :GIVEN], frames[:, GIVEN:][:, order]], dim=1)
    one, other = (asked(tmp_path, each, 2, options=WARM) for each in (frames, shuffled))
    plain = rows(one, "future_nll", "bits")
    assert rows(other, "future_nll", "bits") == [plain[place] for place in order]


def test_samples_are_futures_of_a_clip_and_their_mean_is_told(tmp_path: Path) -> None:
    frames, found = clips(COUNT, FRAMES), []
    for future in range(3):
        draws = Draws(0, range(FIRST, FIRST + COUNT), [future] * COUNT)
        z = Drawn(draws, "future_nll", torch.device("cpu")).normal("z", GIVEN, (1, 1, 1, 1))
        mean = frames[:, GIVEN - 1 : GIVEN] + 255 * SHARED * WARM.temperature * z
        found.append(bits(frames[:, GIVEN:], mean).mean(dim=0))
    assert found[0].tolist() != pytest.approx(found[1].tolist(), rel=0.01)
    wanted = torch.stack(found).mean(dim=0).tolist()
    told_so = rows(asked(tmp_path, frames, 3, options=WARM), "future_nll", "bits")
    assert told_so == pytest.approx(wanted, rel=1e-5)
    assert MEAN.scale == 0  # so that the other laws are of one distribution
