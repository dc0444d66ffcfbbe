"""Costs of levels: as another counter has them, and how they grow with clips and windows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch

from foreframe.analyses import level_costs
from foreframe.errors import UserError
from foreframe.predictors.cascade import Cascade
from tests.foreframe.analyses.asked import analysed
from tests.foreframe.analyses.test_keeping import LEVELS, TRUE
from tests.foreframe.predictors import cascades
from tests.foreframe.predictors.cascades import FRAMES
from workflow import passes

LENGTHS, WINDOWS = (8, 12, 16), (2, 4)
ROWS = 2


def settings(**changes: Any) -> level_costs.Settings:
    known: dict[str, Any] = {"kind": "level_costs", "clips": 1, "show": 0, "rows": ROWS}
    return level_costs.Settings(**(known | {"frames": LENGTHS, "windows": WINDOWS} | changes))


def asked(folder: Path, model: Any, **changes: Any) -> Any:
    chosen = settings(**changes)
    more: dict[str, Any] = {"given": 0, "options": cascades.WHOLE}
    return analysed(folder / "a.h5", level_costs, chosen, model, TRUE, **more)


@pytest.mark.parametrize("levels", LEVELS)
def test_a_level_that_sees_windows_costs_as_much_however_long_clips_are(
    levels: str, tmp_path: Path
) -> None:
    model = cascades.model(*LEVELS[levels])
    found = asked(tmp_path, model, windows=())[0].values
    assert list(found["lengths"]) == [str(each) for each in LENGTHS]
    for place, level in enumerate(model.settings.levels):
        for quantity in ("kept", "operations"):
            few, more, most = (
                row[f"level_{place + 1}"][quantity] for row in found["lengths"].values()
            )
            if level.window is not None and quantity == "kept":
                assert few == more == most
            else:
                # Beside what is the same for all, such as weights over their singular values.
                assert most - more == pytest.approx(more - few, rel=0.02)
                assert more - few > 0
    if levels == "one":
        assert found["windows"] == {}


@pytest.mark.parametrize("levels", LEVELS)
def test_kept_and_operations_are_those_of_another_counter(levels: str, tmp_path: Path) -> None:
    model = cascades.ready(cascades.told(*LEVELS[levels]))
    found = asked(tmp_path, model, frames=(FRAMES, 16), windows=())[0].values["lengths"]
    batch = {"x": cascades.clips(ROWS), "labels": {"way": torch.zeros(ROWS, dtype=torch.int64)}}
    counted = passes.taken(model.train().objective(), batch)
    own = [each for name, each in found[str(FRAMES)].items() if name != level_costs.WHOLE]
    operations = ROWS * sum(each["operations"] for each in own)
    assert (operations, max(each["kept"] for each in own)) == counted


def test_a_wider_window_costs_more_and_longer_clips_fit_where_a_single_level_does(
    tmp_path: Path,
) -> None:
    model = cascades.model()
    found, arrays = asked(tmp_path, model)
    one, two = (found.values["windows"][str(window)] for window in WINDOWS)
    assert one == found.values["lengths"]["16"]["level_2"]
    assert one["kept"] < two["kept"] < 2 * one["kept"]
    numpy.testing.assert_array_equal(arrays["windows"], WINDOWS)
    assert arrays["window_kept"].tolist() == pytest.approx(
        [one["kept"] / 2**20, two["kept"] / 2**20]
    )
    numpy.testing.assert_array_equal(arrays["lengths"], LENGTHS)
    budget = found.values["lengths"]["16"]["whole"]["kept"]
    most = round(found.values["reach"]) // 2 * 2
    for frames, fits in ((most - 2, True), (most + 2, False)):
        longer = asked(tmp_path, model, frames=(frames - 2, frames), windows=())[0].values
        assert (longer["lengths"][str(frames)]["level_1"]["kept"] <= budget) == fits


def test_a_single_level_is_what_a_cascade_is_compared_with(tmp_path: Path) -> None:
    last = LEVELS["two"][-1]
    alone: Cascade = cascades.model(level_costs.single(last))
    cascade, own = (
        asked(tmp_path, model, frames=(4, 8), windows=())[0].values["lengths"]
        for model in (cascades.model(), alone)
    )
    assert all(cascade[each]["whole"] == own[each]["level_1"] for each in own)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": (9, 16)}, r"Of clips of 9 frames: view.frames is 9, but level 1 has every 2"),
        ({"windows": (2, 13)}, r"Of clips of 16 frames: window of level 2 is 13, but clips of"),
    ],
)
def test_what_no_level_could_make_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        asked(tmp_path, cascades.model(), **changes)
    with pytest.raises(UserError, match=r"Other has no levels to be counted. Name a cascade"):
        asked(tmp_path, SimpleNamespace(name="Other"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"show": 1}, "show is 1, but costs are counted"),
        ({"frames": (16, 8)}, "frames are not in order of size"),
        ({"windows": (2, 2)}, "windows are not in order of size, each once"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        settings(**changes)
