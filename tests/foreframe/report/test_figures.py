"""Declared figures: what they draw is what the artefacts hold; a wrong word is answered."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from PIL import Image

from foreframe import kinds
from foreframe.artefacts import facts, hdf5
from foreframe.errors import UserError
from foreframe.report import desk, strips, style
from foreframe.report.desk import Desk
from foreframe.report.figures import filled
from foreframe.report.results import Number
from tests import report_artefacts, smoke
from tests import report_numbers as numbers

DECLARED = report_artefacts.declared("driving")
RULES = ("unigram", "copy_previous", "bigram")
ALT = "Words for those who cannot see it."


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    report_artefacts.make(folder / "data/driving")
    return folder


@pytest.fixture
def there(study: Path) -> Desk:
    return report_artefacts.desk(study, [study / "data/driving"], report_artefacts.parameters())


def chart(name: str, there: Desk) -> Any:
    with style.drawing():
        return desk.draw(name, DECLARED[name], there)[0].content


def test_every_kind_is_used_by_a_study_or_by_a_chapter() -> None:
    studies = [path.parent.name for path in smoke.ROOT.glob("studies/*/figures.yaml")]
    declared = [figure for name in studies for figure in report_artefacts.declared(name).values()]
    used = {figure["kind"] for figure in declared}
    used |= {part["kind"] for figure in declared for part in figure.get("parts", [])}
    assert set(kinds.available(desk.PACKAGE)) == used | {"inspection", "clips"}


def test_every_figure_has_words_and_names_what_it_read(there: Desk, tmp_path: Path) -> None:
    names = desk.write_all(DECLARED, there.library, there.results, there.settings, tmp_path)
    assert {name.rpartition("_")[0] or name for name in names} >= {"example", "rollout", "errors"}
    paths = set(there.library.paths())
    for name in names:
        written = facts.parse(tmp_path / f"{name}.json")
        assert len(written["alt"]) >= 20 and "{" not in written["alt"]
        assert (tmp_path / written["file"]).exists()
        assert {each["path"] for each in written["artefacts"]} <= paths
        assert written["artefacts"], name
        plays = name.startswith(("example", "rollout"))
        assert (written["clip"] is not None) == plays == (tmp_path / f"{name}.webp").exists()
    sources = facts.parse(tmp_path / "curve_top.json")["artefacts"]
    read = {(each["schema"], each["run"]) for each in sources}
    assert read == {("training", "top"), ("models", "main")}


def test_bars_of_bits_are_the_nats_over_the_logarithm_of_two(there: Desk) -> None:
    for axes, level in zip(chart("likelihood", there).axes, ("top", "bottom"), strict=True):
        prior = numbers.models()["priors"][level]
        nats = [prior["nll"]["test"]]
        nats += [
            prior["baselines"][name]["test"] for name in ("unigram", "copy_previous", "bigram")
        ]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths[::-1] == pytest.approx(
            [each / math.log(2) for each in (*nats, prior["chance"])]
        )


def test_lines_by_frame_are_the_table_and_have_colours_of_their_own(there: Desk) -> None:
    table = numbers.per_frame()
    every = chart("per_frame", there).axes
    assert [axes.get_ylabel().split()[0] for axes in every] == ["PSNR", "SSIM", "sharpness,"]
    for axes, column in zip(every, ("psnr", "ssim", "sharpness_ratio"), strict=True):
        assert len({line.get_color() for line in axes.lines}) == len(numbers.PREDICTORS)
        for line, name in zip(axes.lines, numbers.PREDICTORS, strict=True):
            assert line.get_label() == name.replace("_", " ")
            expected = table[table["predictor"] == name][column]
            numpy.testing.assert_array_equal(line.get_ydata(), expected)


def test_lines_of_several_evaluations_share_their_axes(
    there: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = there.series("main", "driving")
    other = main.assign(samples="other", mean=main["mean"] + 1)
    monkeypatch.setattr(there, "series", lambda run, where: {"main": main, "other": other}[run])
    raw = {"kind": "by_frame", "table": ["main / driving", "other / driving"],
           "of": "{line} / {panel}", "panels": {"psnr": "PSNR"}, "alt": ALT,
           "lines": {"main / argmax": "ours", "other / mean_frame": "theirs"}}  # fmt: skip
    content: Any = desk.draw("both", raw, there)[0].content
    (axes,) = content.axes
    table = numbers.per_frame()
    assert [line.get_label() for line in axes.lines] == ["ours", "theirs"]
    for line, name, more in zip(axes.lines, ("argmax", "mean_frame"), (0, 1), strict=True):
        expected = table[table["predictor"] == name]["psnr"] + more
        numpy.testing.assert_array_equal(line.get_ydata(), expected)


def test_no_two_lines_look_alike_and_a_rule_looks_the_same_of_every_run(
    there: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = there.series("main", "driving")
    names = [f"run_{number}" for number in range(7)]
    monkeypatch.setattr(there, "series", lambda run, where: main.assign(samples=run))
    raw = {"kind": "by_frame", "table": [f"{name} / driving" for name in names],
           "of": "{line} / {panel}", "panels": {"psnr": "PSNR"}, "alt": ALT,
           "lines": {**{f"{name} / argmax": name for name in names},
                     "run_3 / copy_last_frame": "rule"}}  # fmt: skip
    content: Any = desk.draw("many", raw, there)[0].content
    *lines, rule = content.axes[0].lines
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 7
    assert rule.get_color() == style.PREDICTORS["copy_last_frame"]


def test_a_dashed_line_stands_where_training_clips_ended(
    there: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {("main", "clip_frames", ""): 10, ("main", "context", "driving"): 4}

    def number(run: str, quantity: str, where: str = "") -> Number:
        return Number(known[run, quantity, where], None, None, "")

    monkeypatch.setattr(there, "number", number)
    raw = {"kind": "by_frame", "table": "main / driving", "of": "main / {line} / {panel}",
           "panels": {"psnr": "PSNR"}, "alt": ALT, "lines": {"argmax": "ours"},
           "trained": "main / driving"}  # fmt: skip
    content: Any = desk.draw("trained", raw, there)[0].content
    (axes,) = content.axes
    _, line = axes.lines
    assert line.get_xdata() == [6.5, 6.5] and line.get_linestyle() == "--"


def test_events_are_dashed_lines_and_bands_where_they_last(
    there: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: dict[str, list[float]] = {"bounce": [0, 1, 0, 0, 1, 0], "overlap": [0, 0, 1, 1, 1, 0.4]}
    lines = {**shares, "prior": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    rows = [
        ("traces/model", name, "share" if name in shares else "mean", frame, value)
        for name, values in lines.items()
        for frame, value in enumerate(values, start=1)
    ]
    table = pandas.DataFrame(rows, columns=["samples", "predictor", "quantity", "frame", "mean"])
    table = table.assign(low=math.nan, high=math.nan)
    monkeypatch.setattr(there, "series", lambda run, where: table)
    raw = {"kind": "by_frame", "table": "analysis / traces/model", "alt": ALT,
           "of": "traces/model / {line} / {panel}", "panels": {"mean": "means"},
           "lines": {"prior": "prior"},
           "events": {"traces/model / bounce": "bounced", "traces/model / overlap": "overlap"},
           }  # fmt: skip
    content: Any = desk.draw("traces", raw, there)[0].content
    (axes,) = content.axes
    dashed = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [[2, 2], [5, 5]]
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == (2.5, 3)
    said = [text.get_text() for text in content.legends[0].get_texts()]
    assert said == ["prior", "bounced", "overlap"]
    with pytest.raises(UserError, match="traces/model has no event lunch"):
        desk.draw("traces", {**raw, "events": {"traces/model / lunch": "lunch"}}, there)


def test_the_split_is_drawn_in_seconds(there: Desk, study: Path) -> None:
    split = facts.read(study / "data/driving/split.json", "split")
    drawn = chart("split", there).axes[0].collections
    for bars, name in zip(drawn, numbers.SETS, strict=True):
        ends = [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in bars.get_paths()]
        expected = [(0.1 * start, 0.1 * stop) for start, stop in split[name]]
        numpy.testing.assert_allclose(ends, expected)


def test_curves_and_codebooks_are_the_tables_of_the_training(there: Desk) -> None:
    training = there.training("vqvae")
    _, spread = chart("codebooks", there).axes
    drawn = {line.get_label(): line.get_ydata() for line in spread.lines}
    for part in ("train", "validation"):
        expected = training.epochs[f"{part}_perplexity_bottom"]
        numpy.testing.assert_array_equal(drawn[f"{part} perplexity bottom"], expected)
    assert set(drawn["codebook.top.size"]) == {numbers.CODES}
    whole, parts = chart("curve_autoencoder", there).axes
    assert parts.get_yscale() == "log" and len(parts.lines) == 3 + len(training.epochs)
    numpy.testing.assert_allclose(whole.lines[0].get_ydata(), training.curve["loss"])


def test_curves_of_several_runs_are_told_apart_by_their_names(there: Desk) -> None:
    raw = {"kind": "curve", "of": ["top", "bottom"], "names": {"bottom": "the lower one"},
           "panels": [{"lines": ["loss"], "ylabel": "nats"}], "alt": ALT}  # fmt: skip
    content: Any = desk.draw("both", raw, there)[0].content
    first, second = (line.get_label() for line in content.axes[0].lines)
    # One without a name is called by its size.
    assert second == "the lower one" and first.endswith("weights"), first


def test_a_rollout_holds_the_real_clip_its_futures_and_the_last_frame(
    there: Desk, study: Path
) -> None:
    pictures = desk.draw("rollout", DECLARED["rollout"], there)
    assert [picture.number for picture in pictures] == [1, 2]  # as many as sampling.show says
    image = pictures[1].content
    assert isinstance(image, Image.Image)
    with hdf5.opening(study / "data/driving/samples/driving.h5", "samples") as file:
        real, future = file["real"][1], file["argmax/frames"][1]
    # Columns are the frames 7 to 16, of which 9 is the first predicted one.
    for line, column, expected in (
        (0, 0, real[6]), (0, 9, real[15]), (1, 2, future[0, 0]), (1, 9, future[0, 7]),
        (3, 9, real[7]),
    ):  # fmt: skip
        numpy.testing.assert_array_equal(_cell(image, line, column), expected)
    # Futures have no given frames.
    assert (_cell(image, 1, 0) == 255).all()
    assert len(pictures[1].clip) == numbers.CLIP


def test_futures_without_a_true_row_have_the_given_frames_before_them(
    there: Desk, study: Path
) -> None:
    raw = {"kind": "strip", "of": "samples / main / driving", "rows": {"argmax/frames": "{clip}"},
           "given": "main / context / driving", "clips": [1, 2], "columns": [7, 8, 9, 16],
           "alt": ALT}  # fmt: skip
    image = desk.draw("rollouts", raw, there)[0].content
    with hdf5.opening(study / "data/driving/samples/driving.h5", "samples") as file:
        real, future = file["real"][1:3], file["argmax/frames"][1:3, 0]
    for line in range(2):
        expected = real[line, 6], real[line, 7], future[line, 0], future[line, 7]
        for column, frame in enumerate(expected):
            numpy.testing.assert_array_equal(_cell(image, line, column), frame)


def test_episodes_are_the_first_frames_of_runs_of_the_test_set(
    there: Desk, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [[360, 364], [364, 384], [384, 400]]
    monkeypatch.setattr(there, "facts", lambda schema, data: {"test": runs})
    raw = {"kind": "episodes", "data": "driving", "episodes": 2, "frames": 9, "alt": ALT}
    (picture,) = desk.draw("episodes", raw, there)
    with hdf5.opening(study / "data/driving/frames.h5", "frames") as file:
        frames = file["frames"][:]
    assert len(picture.clip) == 4  # the shortest has no more
    for line, start in enumerate((360, 364)):
        for column in range(4):
            cell = _cell(picture.content, line, column)
            numpy.testing.assert_array_equal(cell, frames[start + column])


def test_a_gallery_of_clips_has_the_last_frame_of_each_in_few_levels(
    there: Desk, study: Path
) -> None:
    raw = {"kind": "gallery", "data": "samples / main / driving", "frames": "real", "rows": 1,
           "count": 2, "bits": "sampling.show", "alt": ALT}  # fmt: skip
    pixels = numpy.asarray(desk.draw("gallery", raw, there)[0].content)
    with hdf5.opening(study / "data/driving/samples/driving.h5", "samples") as file:
        last = file["real"][:2, -1]
    factor = strips.factor_for(last.shape[2], strips.CELL)
    step = last.shape[2] * factor + strips.GAP
    for place, frame in enumerate(last):
        cell = pixels[:, place * step :][::factor, : last.shape[2] * factor : factor]
        numpy.testing.assert_array_equal(cell, strips.coarse(frame, 2))


def test_filled_pictures_stand_under_what_was_given_and_asked_for(there: Desk, study: Path) -> None:
    raw = {"kind": "filled", "of": "samples / main / driving", "frames": "argmax/frames",
           "pictures": 2, "hole": "sampling.show", "bits": "autoencoders.vqvae.view.bits",
           "alt": ALT}  # fmt: skip
    image = desk.draw("filled", raw, there)[0].content
    with hdf5.opening(study / "data/driving/samples/driving.h5", "samples") as file:
        real, future = file["real"][:2], file["argmax/frames"][:2]
    whole = real[:, -1]
    rows = real[:, 0], filled.middle(whole, 2), whole, future[:, 0, -1]
    for line, pictures in enumerate(rows):
        for column, expected in enumerate(pictures):
            cell, expected = (each[2:-2, :6] for each in (_cell(image, line, column), expected))
            numpy.testing.assert_array_equal(cell, expected)  # a box stands in the middle


def _cell(image: Any, line: int, column: int) -> strips.Frames:
    """Return the frame that a strip of the study's size shows in a row and column."""
    size = report_artefacts.Size()
    factor = strips.factor_for(size.width, strips.CELL)
    step = [length * factor + strips.GAP for length in (size.height, size.width)]
    y = 2 * strips.TEXT + line * (step[0] + strips.EDGE)
    x = strips.LABELS + column * step[1]
    pixels = numpy.asarray(image)[y : y + size.height * factor, x : x + size.width * factor]
    return pixels[::factor, ::factor]


def test_a_schematic_has_the_numbers_of_its_run_and_of_the_data(there: Desk) -> None:
    (axes,) = chart("overview", there).axes
    words = " ".join(text.get_text() for text in axes.texts)
    assert f"{numbers.CODES} codes" in words and "3×16×24×32" in words and "4×3×4" in words


def test_a_kind_a_key_a_run_and_a_result_that_do_not_exist_are_named(there: Desk) -> None:
    for figure, message in (
        ({"kind": "pie"}, r"figures\.x\.kind: 'pie' is unknown.*, bars, "),
        ({"data": "driving"}, r"figures\.x\.kind is missing\. Choose one of: accuracies, .*bars, "),
        ({"kind": "split", "data": "driving", "of": 1}, r"figures\.x\.of is no parameter.*allowed"),
        ({"kind": "split"}, r"figures\.x\.data is missing"),
        ({"kind": "split", "data": "moon"}, r"figures\.x: .* split of moon .*: driving\."),
        ({"kind": "schematic", "show": "stacks", "of": "middle", "codes": "vqvae",
          "data": "driving"},
         r"figures\.x: .* middle .*: bottom, top, vqvae\."),
        ({"kind": "bars", "of": "top / nil / test", "groups": {"a": "a"}, "label": ""},
         r"figures\.x: there is no result top / nil / test\. Choose one of: nll"),
        ({"kind": "by_frame", "table": "main / driving", "of": "main / {line} / {panel}",
          "panels": {"loudness": ""}}, r"figures\.x: none of main / .* was measured"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            desk.draw("x", {"alt": ALT, **figure}, there)


def test_a_figure_without_words_for_those_who_cannot_see_it_is_refused(there: Desk) -> None:
    for figure in (
        {"kind": "split", "data": "driving"}, {"kind": "split", "data": "driving", "alt": "a bar"},
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"figures\.x\.alt"):
            desk.draw("x", figure, there)


def test_a_figure_that_two_files_declare_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "figures.yaml"
    path.write_text("figures: {a: {kind: split}}", encoding="utf-8")
    with pytest.raises(UserError, match=r"the figure a is declared twice"):
        desk.read([path, Path(shutil.copy(path, tmp_path / "again.yaml"))])


def test_a_declared_run_has_the_settings_of_another_or_of_a_section(there: Desk) -> None:
    runs = {"joint": desk.Run(settings="compute"), "twin": desk.Run(settings="top", like="top")}
    found = desk.whole_runs(runs, there.settings, there.library)
    assert found.runs["joint"] == there.settings.section("compute")
    assert found.runs["twin"] == found.runs["top"] and found.changes("twin") == {}
    with pytest.raises(UserError, match="no file of settings has nothing"):
        desk.whole_runs({"x": desk.Run(settings="nothing")}, there.settings, there.library)
