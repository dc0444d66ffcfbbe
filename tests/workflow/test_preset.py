"""Presets are complete, valid, and written without losing a comment."""

import shutil
from pathlib import Path

import pytest

from foreframe.config import params, reading
from foreframe.errors import UserError
from tests.workflow import tiny
from workflow import preset

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", preset.names())
def test_every_preset_is_valid(name: str) -> None:
    params.check(preset.values(name), name)


def test_the_committed_parameters_are_the_laptop_preset() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (preset.FOLDER / "laptop.yaml").read_bytes()


def test_there_and_back_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    before = path.read_text()
    for name in preset.names():
        preset.write(name, path)
        assert reading.load(path) == preset.values(name)
    preset.write("laptop", path)
    assert path.read_text() == before


def test_every_comment_stays_and_a_users_own_too(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    text = path.read_text().replace("seed: 0", "seed: 7  # my lucky number")
    path.write_text(text)
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    changes = preset.write("thesis", path)
    written = path.read_text()
    assert all(comment in written for comment in comments)
    assert "seed: 7 -> 0" in changes


def test_it_says_what_changed(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    preset.write("laptop", path)
    assert preset.write("laptop", path) == []
    path.write_text(path.read_text().replace("kind: car_racing", "kind: video_folder"))
    assert preset.write("laptop", path) == ["source.kind: video_folder -> car_racing"]


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "\udcff"])
def test_a_broken_file_is_written_anew(content: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    preset.write("smoke", path)
    assert reading.load(path) == preset.values("smoke")


STUDIES = sorted({path.parent.name for path in preset.FOLDER.glob("*/*.yaml")})


@pytest.mark.parametrize("study", STUDIES)
def test_every_preset_of_a_further_study_is_valid_beside_the_main_one(
    study: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    assert preset.names(preset.FOLDER / study) == preset.names()
    main = tmp_path / "params.yaml"
    committed = (ROOT / "studies" / study / "params.yaml").read_bytes()
    assert committed == (preset.FOLDER / study / "laptop.yaml").read_bytes()
    for name in (*preset.names(), "laptop"):
        preset.write_all(name, main)
        path = preset.check(main, study)
        assert reading.load(path) == preset.values(name, preset.FOLDER / study)
    assert path.read_bytes() == committed


def test_a_further_study_follows_where_it_has_presets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets, main = tmp_path / "presets", tmp_path / "params.yaml"
    tiny.write(tmp_path, {f"studies/{name}/dvc.yaml": "stages: {}\n" for name in ("a", "b")})
    tiny.write(tmp_path, {"studies/a/params.yaml": "size: 1  # of it\nown: 2\n"})
    tiny.write(presets, {"a/laptop.yaml": "size: 3\nmore: {x: 1}\n", "a/smoke.yaml": "size: 4\n"})
    for path in preset.FOLDER.glob("*.yaml"):
        shutil.copy(path, presets)
    monkeypatch.setattr(preset, "FOLDER", presets)
    changes = preset.write_all("smoke", main)
    assert changes[tmp_path / "studies/a/params.yaml"] == [
        "more.x: 1 added", "own: 2 removed", "size: 1 -> 4",
    ]  # fmt: skip
    text = (tmp_path / "studies/a/params.yaml").read_text()
    assert text == "size: 4  # of it\nmore:\n  x: 1\n"
    assert reading.load(main) == preset.values("smoke")
    assert not (tmp_path / "studies/b/params.yaml").exists()
    with pytest.raises(UserError, match="Choose one of: laptop, smoke"):
        preset.write_all("thesis", main)


def test_an_unknown_preset_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="laptop, smoke, thesis"):
        preset.write("huge", tmp_path / "params.yaml")
    assert list(tmp_path.iterdir()) == []
