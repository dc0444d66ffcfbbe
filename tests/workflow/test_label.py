"""`foreframe label`: clips are shown without names, and answers are held against the truth."""

import csv
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageSequence

from foreframe.artefacts import facts
from foreframe.data import frames as frames_file
from foreframe.data.clips import SplitRuns, load_split, save_split
from tests.stages import dynamics_study
from workflow import cli
from workflow.label import Asked

EACH = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("label")
    dynamics_study.write(folder / "frames.h5", train_episodes=50)
    episodes = frames_file.episodes(folder / "frames.h5")
    parts = SplitRuns(tuple(episodes[:10]), tuple(episodes[10:50]), tuple(episodes[50:]))
    save_split(folder / "split.json", parts)
    return folder


def run(*words: str) -> str:
    """Run the command; return what it ends with, empty if all is well."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["label", *words])
    return str(ended.value.code or "")


def shown(data: Path, out: Path, *more: str) -> str:
    files = ("--frames", str(data / "frames.h5"), "--split", str(data / "split.json"))
    return run("clips", *files, "--label", "class", "--each", str(EACH), "--out", str(out), *more)


def asked(out: Path) -> Asked:
    found = facts.read(out / "asked.json", "labelling")
    return Asked(**{name: found[name] for name in ("frames", "split", "label", "each", "seed")})


def truth(out: Path) -> tuple[list[int], tuple[str, ...]]:
    return asked(out).clips()[1:]


def answer(out: Path, classes: list[str]) -> None:
    rows = [f"{number:04}.webp,{name}" for number, name in enumerate(classes, start=1)]
    (out / "answers.csv").write_text("\n".join(["clip,class", *rows]))


def test_clips_are_as_many_of_each_class_whole_and_of_the_validation_set(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "shown"
    assert shown(data, out) == ""
    actual, names = truth(out)
    assert numpy.bincount(actual).tolist() == 10 * [EACH]
    validation = load_split(data / "split.json").validation
    with frames_file.opening(data / "frames.h5") as file:
        known = [file["frames"][start:stop] for start, stop in validation]
        own = file["episode_label/class"][10:50]
    for number, label in enumerate(actual, start=1):
        with Image.open(out / f"{number:04}.webp") as picture:
            frames = numpy.stack(
                [
                    numpy.asarray(part.convert("RGB").resize((16, 16), Image.Resampling.NEAREST))
                    for part in ImageSequence.Iterator(picture)
                ]
            )
        (place,) = [place for place, clip in enumerate(known) if numpy.array_equal(clip, frames)]
        assert own[place] == label
    assert len(names) == 10


def test_nothing_that_is_written_tells_the_classes(data: Path, tmp_path: Path) -> None:
    assert shown(data, tmp_path / "a") == shown(data, tmp_path / "b", "--seed", "1") == ""
    orders = [truth(tmp_path / name)[0] for name in "ab"]
    assert orders[0] != orders[1]
    chosen = [set(asked(tmp_path / name).clips()[0]) for name in "ab"]
    assert chosen[0] != chosen[1]
    assert all(order != sorted(order) for order in orders)
    with (tmp_path / "a/answers.csv").open() as file:
        assert {row["class"] for row in csv.DictReader(file)} == {""}


def test_answers_are_scored(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "shown"
    assert shown(data, out) == ""
    actual, names = truth(out)
    answer(out, [names[label] for label in actual])
    capsys.readouterr()
    assert run("score", str(out)) == ""
    assert capsys.readouterr().out.startswith("0.0% of 20 clips are wrong")
    answer(out, [names[label if label else 1] for label in actual])
    assert run("score", str(out)) == ""
    text = capsys.readouterr().out
    assert text.startswith("10.0% of 20 clips are wrong (")
    assert (
        "linear constant             100.0%" in text and "rotation                    0.0%" in text
    )


def test_what_is_wrong_is_said(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "shown"
    assert "has 4 clips of the class linear constant, fewer than 5" in shown(
        data, out, "--each", "5"
    )
    assert "--each is 0. Ask for at least 1" in shown(data, out, "--each", "0")
    assert "mood is no label" in shown(data, out, "--label", "mood")
    assert shown(data, out) == ""
    assert "answers.csv is there already. Choose another folder" in shown(data, out)
    assert "the clip 0001.webp has no answer. Write one of: linear" in run("score", str(out))
    answer(out, ["flying"])
    assert "0001.webp is called 'flying'. Write one of" in run("score", str(out))
    (out / "answers.csv").unlink()
    assert "answers.csv does not exist. Run `foreframe label clips`" in run("score", str(out))
