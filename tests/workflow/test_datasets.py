"""The commands `foreframe data`: what they list, and which copies they call complete."""

import json
from pathlib import Path

import pytest

from foreframe.sources import datasets, ucf101
from foreframe.sources.reading import downloads
from tests.foreframe.sources import copies, test_kitti_caltech, test_ucf101
from tests.smoke import ROOT
from workflow import cli

made = test_kitti_caltech.made


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a params.yaml whose videos are in data/videos."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("kind: car_racing", "kind: kth"))
    (tmp_path / "data/videos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["data", *arguments])
    code = end.value.code
    assert code is None or isinstance(code, int), code
    return code or 0


def test_every_source_that_reads_a_dataset_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    expected = ["bair", "bdd100k", "cityscapes", "kinetics", "kitti_caltech", "kth", "ucf101"]
    assert set(expected) <= set(datasets.names())
    assert command("list") == 0
    text = capsys.readouterr().out
    for kind in datasets.names():
        dataset = datasets.of(kind)
        assert f"\n{kind}: {dataset.title}" in f"\n{text}"
        for fact in (dataset.size, dataset.licence, dataset.page, *dataset.files):
            assert fact in text
    assert text.count("nothing in data/videos") >= len(expected)
    assert "kth: KTH human actions, the source of params.yaml\n" in text


def test_what_is_there_is_counted(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        copies.video(study / "data/videos/train" / f"{name}.mov")
    command("list")
    assert "here      2 train drives in data/videos\n" in capsys.readouterr().out


def test_a_complete_copy_is_called_so(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("check", "kitti_caltech", "--folder", str(made)) == 0
    text = capsys.readouterr().out
    assert "train      57 of 57\n" in text
    assert text.endswith("Complete.\n")


def test_what_is_wrong_with_a_copy_is_named(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = study / "data/videos"
    lines = [f"Biking/v_Biking_g{group:02}_c01.avi 1" for group in range(1, 16)]
    test_ucf101.lists(videos, "\n".join(lines), "Biking/v_Biking_g20_c01.avi\n")
    for group in (1, 20, 21):
        copies.video(videos / f"Biking/v_Biking_g{group:02}_c01.avi")
    (videos / "Biking/v_Biking_g01_c01.avi").write_bytes(b"")
    assert command("check", "ucf101") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "UCF101 human actions in data/videos, videos (fold 1):",
        "  test       1 of 3,783",
        "  train      1 of 9,537",
        "  missing: 14",
        *[f"    v_Biking_g{group:02}_c01.avi" for group in range(2, 12)],
        "    and 4 more",
        "  not of the dataset: 1",
        "    v_Biking_g21_c01.avi",
        "  damaged: 1",
        "    data/videos/Biking/v_Biking_g01_c01.avi is empty",
        "Not complete.",
    ]


def test_what_was_downloaded_is_looked_at(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = test_ucf101.SETTINGS.model_copy(update={"download": True})
    data = {"own": {"videos": "data/videos", "source": settings.model_dump()}}
    (study / "params.yaml").write_text(json.dumps({"data": data}))
    folder = downloads.place(ucf101.PINS)
    folder.mkdir(parents=True)
    test_ucf101.lists(folder)
    copies.video(folder / "UCF101/v_Biking_g08_c01.avi")
    command("list")
    line = f"here      1 train videos (fold 1) in {folder}; 3 missing\n"
    assert line in capsys.readouterr().out
    assert command("check", "ucf101") == 1


def test_mistakes_are_plain_errors(study: Path) -> None:
    for arguments, words in (
        (("check", "imagenet"), "no dataset called imagenet: choose one of bair, bdd100k"),
        (("check", "kth"), "data/videos has no recording of KTH"),
        (("check", "kth", "--folder", "nowhere"), "nowhere does not exist"),
    ):
        with pytest.raises(SystemExit, match=words):
            cli.main(["data", *arguments])
    (study / "params.yaml").unlink()
    with pytest.raises(SystemExit, match=r"params\.yaml does not exist"):
        cli.main(["data", "list"])
