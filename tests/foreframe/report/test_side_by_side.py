"""Futures of several models under one true clip: the right frames in the right rows."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy
import pytest
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5
from foreframe.errors import UserError
from foreframe.report import desk, strips
from foreframe.report.desk import Desk, Picture
from tests import report_artefacts

CONTEXT, HORIZON, SIZE, CLIPS = 2, 3, 8, 3
FIGURE: dict[str, Any] = {
    "kind": "side_by_side",
    "alt": "Clip {number}, in words for those who cannot see it.",
    "protocol": "near",
    "rows": {"one/drawn": "One", "other/certain": "Other"},
    "clips": 2,
}


def frames(seed: int, futures: int = 1) -> NDArray[Any]:
    random = numpy.random.Generator(numpy.random.Philox(seed))
    return random.integers(0, 256, (CLIPS, futures, HORIZON, SIZE, SIZE, 3), numpy.uint8)


GIVEN = frames(0)[:, 0, :CONTEXT]
REAL, ONE, OTHER = frames(1)[:, 0], frames(2, futures=2), frames(3)


def there(folder: Path, other_real: NDArray[Any] = REAL, external: bool = False) -> Desk:
    for run, choice, real, futures in (
        ("one", "drawn", REAL, ONE),
        ("other", "certain", other_real, OTHER),
    ):
        place = folder / "data/study/samples" / run
        place.mkdir(parents=True)
        attributes = {"context": CONTEXT, "horizon": HORIZON, "operations": "{}"}
        with hdf5.creating(place / "near.h5", "samples", attributes) as file:
            hdf5.store(file, "context", GIVEN)
            hdf5.store(file, "real", real)
            hdf5.store(file.create_group(choice), "frames", futures)
    sections = {"report": {"title": "t", "author": "a", "protocol": None}}
    results = [folder / "data/study", *([folder / "data/external"] if external else [])]
    return report_artefacts.desk(folder, results, sections)


def cell(picture: Picture, line: int, column: int) -> NDArray[Any]:
    """Return the frame (H,W,C) that a strip shows in a row and column."""
    factor = strips.factor_for(SIZE, strips.CELL)
    step = SIZE * factor + strips.GAP
    top = 2 * strips.TEXT + line * (step + strips.EDGE)
    left = strips.LABELS + column * step
    pixels = numpy.asarray(picture.content)[top : top + SIZE * factor, left : left + SIZE * factor]
    return pixels[::factor, ::factor]


def test_each_row_is_the_first_future_of_its_model(tmp_path: Path) -> None:
    pictures = desk.draw("beside", FIGURE, there(tmp_path))
    assert [picture.number for picture in pictures] == [1, 2]
    for clip, picture in enumerate(pictures):
        for column in range(CONTEXT):
            assert (cell(picture, 0, column) == GIVEN[clip, column]).all()
        for line, row in enumerate((REAL[clip], ONE[clip, 0], OTHER[clip, 0])):
            for time in range(HORIZON):
                assert (cell(picture, line, CONTEXT + time) == row[time]).all(), (line, time)


def test_chosen_columns_are_the_frames_of_their_numbers(tmp_path: Path) -> None:
    figure = {**FIGURE, "columns": [2, 5, 9]}
    picture, _ = desk.draw("beside", figure, there(tmp_path))
    assert (cell(picture, 0, 0) == GIVEN[0, 1]).all()
    assert (cell(picture, 1, 1) == ONE[0, 0, 2]).all()
    assert (cell(picture, 0, 2) == 255).all()


def test_clips_of_different_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one/drawn and other/certain were given different clips"):
        desk.draw("beside", FIGURE, there(tmp_path, other_real=REAL[::-1]))


def test_rows_of_an_analysis_say_their_values(tmp_path: Path) -> None:
    place = tmp_path / "data/study/analyses/steps"
    place.mkdir(parents=True)
    whole = numpy.concatenate([GIVEN, REAL], axis=1)
    for run, bits in (("one", 1.25), ("other", 3.5)):
        about = {"context": CONTEXT, "settings": {}}
        found = {"prior": {"bits": bits}, "series": [], "per_clip": {}, "about": about}
        facts.write(place / f"{run}.json", "analysis", found)
        with hdf5.creating(place / f"{run}.h5", "analysis", {}) as file:
            hdf5.store(file, "real", whole)
            hdf5.store(file, "prior", ONE[:, 0])
    rows = {"one/prior": "early {value}", "other/prior": "late {value}"}
    figure = {**FIGURE, "analysis": "steps", "rows": rows, "value": "prior.bits"}
    del figure["protocol"]
    with mock.patch.object(strips, "draw", wraps=strips.draw) as drawn:
        desk.draw("beside", figure, there(tmp_path))
    lines = drawn.call_args_list[0].args[0]
    assert [line.label for line in lines] == ["real", "early 1.25", "late 3.50"]
    assert (lines[0].frames == whole[0]).all()
    assert (lines[2].frames == ONE[0, 0]).all()
    assert lines[2].first == CONTEXT + 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"analysis": "steps"}, "either a protocol or an analysis"),
        ({"protocol": ""}, "either a protocol or an analysis"),
        ({"protocol": "", "analysis": "steps", "others": True}, "measured under a protocol"),
    ],
    ids=["both", "none", "others"],
)
def test_rows_are_of_a_protocol_or_of_an_analysis(
    tmp_path: Path, place: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        desk.draw("beside", {**FIGURE, **place}, there(tmp_path))
