"""Clips beside those that they are made of: models that keep to them by a rule, or not at all."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.analyses import keeping
from foreframe.artefacts import hdf5
from foreframe.errors import UserError
from foreframe.predictors.cascade import Cascade, Clips
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import analysed, rows, subject
from tests.foreframe.predictors import cascades
from tests.foreframe.predictors.cascades import FRAMES, SIDE, WHOLE

COUNT = 11
SHAPE = (COUNT, FRAMES, SIDE, SIDE, 3)
TRUE = generator(0, "true").integers(0, 256, SHAPE).to(torch.uint8)


def settings(**changes: Any) -> keeping.Settings:
    known: dict[str, Any] = {"kind": "keeping", "clips": None, "show": 0}
    return keeping.Settings(**(known | changes))


def asked(folder: Path, model: Any, true: Tensor = TRUE, show: int = 0) -> Any:
    more: dict[str, Any] = {"given": 0, "options": WHOLE}
    return analysed(folder / "a.h5", keeping, settings(show=show), model, true, **more)


LEVELS = {
    "one": (cascades.level(),),
    "two": (cascades.first(), cascades.second()),
    "three": (
        cascades.first(every=4, size=4, generator=cascades.net(2, temporal="gru")),
        cascades.second(every=2, size=8, generator=cascades.net(2), window=1),
        cascades.second(window=2),
    ),
}


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("horizon", [FRAMES, 2 * FRAMES, 5])
@pytest.mark.parametrize("levels", LEVELS)
def test_clips_are_the_predicted_ones_and_made_of_those_below(
    levels: str, horizon: int, told: bool
) -> None:
    if levels == "one" and horizon > FRAMES:
        return  # its steps are joined by convolutions, and it does not go on
    chosen = (cascades.told if told else cascades.settings)(*LEVELS[levels])
    model, draws = cascades.ready(chosen), Draws.each(0, range(COUNT), range(1))
    labels = {"way": torch.arange(COUNT) % 3} if told else {}
    with torch.no_grad():
        made, below = keeping.both(model, labels, horizon, WHOLE, draws)
    context = cascades.nothing(tuple(range(COUNT)), **labels)
    assert torch.equal(made, model.predict(context, horizon, WHOLE, draws).frames)
    assert (below is None) == (levels == "one")
    if below is not None:
        frames = max(FRAMES, horizon) // chosen.levels[-2].every
        assert below.shape[:4] == (COUNT, frames, *2 * (chosen.levels[-2].size,))


def test_frames_drift_by_what_their_values_have_to_be_moved() -> None:
    first = generator(0, "x").integers(0, 100, (2, 1, 8, 8, 3)).to(torch.uint8)
    order = generator(0, "order").permutation(64)
    shuffled = first.flatten(2, 3)[:, :, order].unflatten(2, (8, 8))
    brighter, half = first + 51, first.clone()
    half[..., 0] += 51
    found = keeping.drift(torch.cat([first, shuffled, brighter, half], dim=1))
    wanted = torch.tensor([0, 0, 51 / 255, 51 / 255 / 3]).double()
    torch.testing.assert_close(found, wanted.expand(2, 4))


class Enlarging(Cascade):
    """Its last level repeats the clip below, or goes by straight lines from frame to frame."""

    mode = "nearest"

    def raised(
        self, place: int, z_BZ: Tensor, label_B: Any, low_BCtHW: Tensor | None, first: int
    ) -> Tensor:
        made = super().raised(place, z_BZ, label_B, low_BCtHW, first)
        if low_BCtHW is None:
            return made
        return functional.interpolate(low_BCtHW, size=made.shape[2:], mode=self.mode)


class Straight(Enlarging):
    mode = "trilinear"


class Deaf(Enlarging):
    """Its last level makes the same of any clip below."""

    def raised(self, *given: Any) -> Tensor:
        found = super().raised(*given)
        return found if given[0] == 0 else torch.zeros_like(found)


def enlarging(kind: type[Cascade]) -> Cascade:
    chosen = cascades.settings()
    built = kind(chosen, cascades.given())
    built.load_state_dict(cascades.ready(chosen).state_dict())
    return cascades.scaled(built.eval())


def test_who_repeats_what_is_below_keeps_to_it_and_who_does_not_look_does_not(
    tmp_path: Path,
) -> None:
    found, arrays = asked(tmp_path, enlarging(Enlarging), show=2)
    assert found.values["away"]["mean"] == pytest.approx(0, abs=1e-12)
    assert found.values["kept"]["mean"] == pytest.approx(found.values["other"]["mean"])
    assert found.values["kept"]["low"] > 0
    numpy.testing.assert_array_equal(arrays["made"], arrays["below"])
    numpy.testing.assert_array_equal(arrays["real"], TRUE[:2])
    # The clip below drifts as much as its frames that are shown twice.
    assert rows(found, "below", "drift")[-1] == pytest.approx(rows(found, "model", "drift")[-1])
    assert found.values["tied"]["mean"] == pytest.approx(1)
    deaf, _ = asked(tmp_path, enlarging(Deaf))
    assert deaf.values["kept"]["mean"] == pytest.approx(0, abs=1e-12)
    assert deaf.values["away"]["mean"] > 0 and deaf.values["tied"]["mean"] == 0
    assert torch.equal(deaf.per_clip["drift"], torch.zeros(COUNT).double())


def test_what_is_enlarged_is_no_finer_and_noise_is(tmp_path: Path) -> None:
    found, _ = asked(tmp_path, enlarging(Straight))
    assert found.values["detail"]["mean"] == pytest.approx(0, abs=0.05)
    assert found.values["true_detail"]["low"] > 2


class Stopping(Enlarging):
    """Its clips turn over in every frame of their first half, and then stand still."""

    def raised(self, *given: Any) -> Tensor:
        found = super().raised(*given)
        if given[0] == 0:
            return found
        steps = torch.arange(found.shape[2])
        moved = (steps % 2) * (steps < len(steps) // 2)
        return moved[:, None, None].float().expand_as(found)


def test_clips_that_come_to_a_standstill_slow_down_by_all_their_motion(tmp_path: Path) -> None:
    found, _ = asked(tmp_path, enlarging(Stopping))
    # From 0 to 1 of values from -1 to 1, in all changes between frames of the first half.
    assert found.values["slowing"]["mean"] == pytest.approx(0.5, abs=0.01)


def test_a_single_level_drifts_and_has_nothing_to_keep_to(tmp_path: Path) -> None:
    model = cascades.ready(cascades.settings(*LEVELS["one"]))
    found, arrays = asked(tmp_path, model, show=1)
    assert found.values.keys() == {"drift", "real_drift", "beyond", "slowing"}
    assert found.per_clip.keys() == {"drift"} and arrays.keys() == {"real", "made"}
    difference = found.values["drift"]["mean"] - found.values["real_drift"]["mean"]
    assert found.values["beyond"]["mean"] == pytest.approx(difference)
    assert rows(found, "real", "drift")[0] == rows(found, "model", "drift")[0] == 0


@pytest.mark.parametrize(
    ("model", "options", "changes", "words"),
    [
        (cascades.model(), Clips(temperature=1.0, clips="window"), {}, "a sampling whose clips"),
        (SimpleNamespace(name="Other"), WHOLE, {}, "Other is asked how it keeps"),
        (
            cascades.model(),
            WHOLE,
            {"given": 2},
            "11 clips of 6 frames after 2.*Set its context to 0",
        ),
        (
            cascades.model(),
            WHOLE,
            {"true": TRUE[:1]},
            "1 clips of 8 frames after 0.*take more clips",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    model: Any, options: Any, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    known: dict[str, Any] = {"given": 0, "true": TRUE} | changes
    with hdf5.creating(tmp_path / "a.h5", "analysis", {}) as file:
        true = known.pop("true")
        about = subject(file, model, true, options=options, **known)
        with pytest.raises(UserError, match=words):
            keeping.analyse(about, settings())
