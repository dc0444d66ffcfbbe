"""What other programs drew (`data/external`) has its rows in curves and in sheets of frames."""

from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from foreframe.artefacts import facts
from foreframe.report import desk, style
from foreframe.report.library import Library
from tests import report_artefacts
from tests import report_numbers as numbers
from tests.foreframe.report import test_side_by_side as sheets

THEIRS = sheets.frames(7, futures=2)
SHEET = sheets.FIGURE | {"others": True}


def put(folder: Path, protocol: str = "near", name: str = "savp", text: type = str) -> Path:
    """Write samples as h5py alone writes them, with text of either type."""
    path = folder / f"data/external/{name}_{protocol}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, value in (
            ("schema", "foreframe/external_samples"), ("predictor", name), ("protocol", protocol),
        ):  # fmt: skip
            file.attrs[key] = value if text is str else numpy.bytes_(value.encode())
        file.attrs["version"] = facts.VERSION
        file["frames"] = THEIRS
    return path


@pytest.mark.parametrize("text", [str, bytes])
def test_samples_say_whose_they_are_and_of_which_protocol(text: type, tmp_path: Path) -> None:
    """Beside them only files of samples count, as in an evaluation."""
    path = put(tmp_path, text=text)
    (path.parent / "README.md").write_text("words", encoding="utf-8")
    (found,) = Library([path.parent]).artefacts.values()
    assert (found.schema, found.run, found.where) == ("external_samples", "savp", "near")
    assert found.path == path.as_posix()


def test_a_sheet_has_their_first_futures_above_the_study_s_own(tmp_path: Path) -> None:
    plain = desk.draw("beside", SHEET, sheets.there(tmp_path / "without"))
    assert [picture.content.size for picture in plain] == [  # type: ignore[union-attr]
        picture.content.size  # type: ignore[union-attr]
        for picture in desk.draw("beside", sheets.FIGURE, sheets.there(tmp_path / "plain"))
    ]
    put(tmp_path)
    put(tmp_path, protocol="far", name="elsewhere")
    there = sheets.there(tmp_path, external=True)
    for clip, picture in enumerate(desk.draw("beside", SHEET, there)):
        rows = (sheets.REAL[clip], THEIRS[clip, 0], sheets.ONE[clip, 0], sheets.OTHER[clip, 0])
        for line, row in enumerate(rows):
            for time in range(sheets.HORIZON):
                column = sheets.CONTEXT + time
                assert (sheets.cell(picture, line, column) == row[time]).all(), (line, time)
    assert any(path.endswith("savp_near.h5") for path in there.used)
    assert not any(path.endswith("elsewhere_far.h5") for path in there.used)


def test_a_chart_has_a_line_for_each_of_them(tmp_path: Path) -> None:
    report_artefacts.make(tmp_path / "data/driving")
    there = report_artefacts.desk(
        tmp_path, [tmp_path / "data/driving"], report_artefacts.parameters()
    )
    raw: dict[str, Any] = {
        "kind": "by_frame", "alt": "Words for those who cannot see it.", "table": "main / driving",
        "of": "{line} / {panel}", "panels": {"psnr": "PSNR"}, "lines": {"main / argmax": "ours"},
        "others": "main / driving",
    }  # fmt: skip
    with style.drawing():
        content: Any = desk.draw("chart", raw, there)[0].content
    (axes,) = content.axes
    assert [line.get_label() for line in axes.lines] == ["ours", "someone elses"]
    assert len({line.get_color() for line in axes.lines}) == 2
    table = numbers.per_frame()
    expected = table[table["predictor"] == "someone_elses"]["psnr"]
    numpy.testing.assert_array_equal(axes.lines[1].get_ydata(), expected)


@pytest.mark.parametrize("study", ["hierarchical_vrnn", "comparison"])
def test_curves_of_a_protocol_take_them_in(study: str) -> None:
    declared = report_artefacts.declared(study)
    for name, figure in declared.items():
        kind, _, protocol = name.rpartition("_")
        if kind == "by_frame" and "psnr" in figure["panels"]:
            run, measured = figure["others"].split(" / ")
            assert measured == protocol and figure["others"] in figure["table"], name
            assert f"{run} / copy_last_frame" in figure["lines"], name
        if kind == "beside" and study == "hierarchical_vrnn":
            assert figure["others"] is True
