"""LeRobot datasets of every version give the frames, actions and states that were recorded."""

import json
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy
import pyarrow
import pytest
from pyarrow import parquet

from foreframe.errors import UserError
from foreframe.sources.lerobot import rows as lerobot_rows
from foreframe.sources.reading import completeness, spans
from tests.foreframe.sources import containers, lerobot_made
from tests.foreframe.sources.lerobot_made import CAMERA

LENGTHS = (40, 33, 5, 12, 3)
RECORDINGS = containers.random(*LENGTHS)
KINDS = [(version, images) for version in ("v2.0", "v2.1", "v3.0") for images in (False, True)]


def collect(folder: Path, **changes: Any) -> list[containers.Collected]:
    return containers.collect("lerobot", folder, **{"camera": CAMERA, **changes})


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    """Return a dataset of each version, with videos and with images; nobody changes them."""
    folder = tmp_path_factory.mktemp("lerobot")
    return {
        (version, images): lerobot_made.write(
            folder / f"{version}{images}", RECORDINGS, version, images
        )
        for version, images in KINDS
    }


Datasets = dict[tuple[str, bool], Path]


@pytest.mark.parametrize("kind", KINDS)
def test_every_version_gives_back_what_was_recorded(
    kind: tuple[str, bool], datasets: Datasets
) -> None:
    found = collect(datasets[kind])
    assert [each.origin for each in found] == [f"episode {number}" for number in range(5)]
    assert [each.part for each in found] == ["train"] * 4 + ["test"]
    for episode, recording in zip(found, RECORDINGS, strict=True):
        assert numpy.array_equal(episode.frames, recording.frames)
        assert numpy.array_equal(episode.actions, recording.actions)
        assert numpy.array_equal(episode.states, recording.states)


def test_channels_have_the_names_of_the_dataset(datasets: Datasets, tmp_path: Path) -> None:
    found = containers.stream("lerobot", datasets["v3.0", False], camera=CAMERA)
    assert found.actions == ("waist", "elbow")
    assert found.states == ("motors",)
    folder = shutil.copytree(datasets["v3.0", False], tmp_path / "copy")
    for names in (["motors"], None, [], {"motors": None}):
        feature(folder, "action", names=names)
        found = containers.stream("lerobot", folder, camera=CAMERA)
        assert found.actions == ("action_0", "action_1")


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_two_workers_and_a_later_start_give_the_same_bytes(
    version: str, datasets: Datasets
) -> None:
    whole = collect(datasets[version, False])
    for first in range(6):
        assert containers.same(collect(datasets[version, False], first=first), whole[first:])
    assert containers.same(collect(datasets[version, False], workers=2), whole)


@pytest.mark.parametrize("interval", [0.25, 0.07])
def test_the_rate_is_changed_as_for_arrays(
    interval: float, datasets: Datasets, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"frame_interval": interval, "height": 9, "width": 8}
    arrays = containers.collect("npz", containers.npz(tmp_path / "npz", RECORDINGS), **changes)
    for kind in (("v2.1", False), ("v3.0", False), ("v3.0", True)):
        for one, two in zip(collect(datasets[kind], **changes), arrays, strict=True):
            assert numpy.array_equal(one.frames, two.frames)
            assert numpy.array_equal(one.actions, two.actions)
            assert numpy.array_equal(one.states, two.states)


def test_an_episode_is_found_without_decoding_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = containers.random(300)[0].frames
    lerobot_made.video(tmp_path / "long.mp4", frames)
    decoded: list[int] = []
    in_seconds = completeness.in_seconds

    def counted(stream: av.VideoStream, ticks: int) -> Fraction:
        decoded.append(ticks)
        return in_seconds(stream, ticks)

    monkeypatch.setattr(completeness, "in_seconds", counted)
    for start in (0, 1, 11, 12, 13, 147, 270, 299):
        decoded.clear()
        length = min(20, 300 - start)
        span = spans.Span(
            tmp_path / "long.mp4", Fraction(start, 10), Fraction(1, 10), length, alone=False
        )
        shown = [picture.to_ndarray() for picture, _ in spans.pictures(span)]
        assert numpy.array_equal(shown, frames[start : start + length])
        # Ten pictures of margin, and back to the key before.
        assert length <= len(decoded) <= length + 10 + 12 + 1


# Mistakes ---------------------------------------------------------------------------------------


def info(folder: Path, **changes: Any) -> None:
    path = folder / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def feature(folder: Path, name: str, **changes: Any) -> None:
    features = json.loads((folder / "meta" / "info.json").read_text())["features"]
    features[name].update(changes)
    info(folder, features=features)


def table(path: Path, change: Callable[[dict[str, list[Any]]], object]) -> None:
    columns = parquet.read_table(path).to_pydict()
    change(columns)
    parquet.write_table(pyarrow.table(columns), path)


def backwards(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        values.reverse()


SINGLE_ROWS = "data/chunk-000/episode_000001.parquet"
SINGLE_VIDEO = f"videos/chunk-000/{CAMERA}/episode_000001.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
PACKED_ROWS = "data/chunk-000/file-000.parquet"
PACKED_VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"


MISTAKES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no dataset": ("v2.1", lambda f: shutil.rmtree(f / "meta"), "it has no meta/info.json"),
    "cut info": ("v2.1", lambda f: (f / "meta/info.json").write_text('{"fps'), "is damaged"),
    "a list": ("v2.1", lambda f: (f / "meta/info.json").write_text("[]"), "a table is expected"),
    "version 1": ("v2.1", lambda f: info(f, codebase_version="v1.6"), "codebase_version is 'v1.6'"),
    "version 4": ("v2.1", lambda f: info(f, codebase_version="v4.0"), "versions v2.0, v2.1, v3.0"),
    "no rate": ("v2.1", lambda f: info(f, fps=0), "fps is 0"),
    "no features": ("v2.1", lambda f: info(f, features=None), "features is no table"),
    "text actions": ("v2.1", lambda f: feature(f, "action", dtype="string"), "action is string"),
    "a path out": ("v2.1", lambda f: info(f, data_path="../{episode_index}"), "data_path is"),
    "an absolute path": ("v2.1", lambda f: info(f, data_path="/etc/{episode_index}"), "data_path"),
    "an attribute": (
        "v2.1",
        lambda f: info(f, data_path="{episode_index.__class__}"),
        "data_path is",
    ),
    "unknown field": ("v2.1", lambda f: info(f, video_path="{other}"), "video_path is"),
    "no video path": ("v3.0", lambda f: info(f, video_path=None), "video_path is None"),
    "other count": ("v2.1", lambda f: info(f, total_episodes=7), "total_episodes is 7, but 5"),
    "no list": ("v2.1", lambda f: (f / "meta/episodes.jsonl").unlink(), "episodes.jsonl cannot be"),
    "no packed list": ("v3.0", lambda f: (f / EPISODES).unlink(), "has no list of episodes"),
    "cut list": (
        "v2.1",
        lambda f: (f / "meta/episodes.jsonl").write_text('{"episode_index": 0'),
        "episodes.jsonl is damaged",
    ),
    "no length": (
        "v2.1",
        lambda f: (f / "meta/episodes.jsonl").write_text('{"episode_index": 0}'),
        "length is None",
    ),
    "no rows": ("v2.1", lambda f: (f / SINGLE_ROWS).unlink(), "episode_000001.parquet is missing"),
    "no video": ("v2.1", lambda f: (f / SINGLE_VIDEO).unlink(), "episode_000001.mp4 is missing"),
    "text for rows": (
        "v2.1",
        lambda f: (f / SINGLE_ROWS).write_text("version https://git-lfs.github.com/spec/v1"),
        "episode_000001.parquet is damaged",
    ),
    "fewer rows": (
        "v2.1",
        lambda f: table(f / SINGLE_ROWS, lambda c: [c[n].pop() for n in c]),
        "has 32 rows, not 33",
    ),
    "other order": (
        "v2.1",
        lambda f: table(f / SINGLE_ROWS, backwards),
        "row 0 has frame_index 32",
    ),
    "another's rows": (
        "v2.1",
        lambda f: shutil.copy(f / "data/chunk-000/episode_000000.parquet", f / SINGLE_ROWS),
        "it has 0 rows, not 33",
    ),
    "no actions": (
        "v2.1",
        lambda f: table(f / SINGLE_ROWS, lambda c: c.pop("action")),
        "has no column action",
    ),
    "wrong actions": (
        "v2.1",
        lambda f: table(f / SINGLE_ROWS, lambda c: c["action"].__setitem__(3, [1.0])),
        "frame 3: action is not 2 finite numbers",
    ),
    "missing state": (
        "v2.1",
        lambda f: table(f / SINGLE_ROWS, lambda c: c["observation.state"].__setitem__(3, None)),
        "frame 3: observation.state is not 1 finite",
    ),
    "shorter video": (
        "v2.1",
        lambda f: lerobot_made.video(f / SINGLE_VIDEO, RECORDINGS[1].frames[:-1]),
        "33 pictures belong to the data, but there are 32",
    ),
    "longer video": (
        "v2.1",
        lambda f: lerobot_made.video(f / SINGLE_VIDEO, RECORDINGS[0].frames),
        "33 pictures belong to the data, but there are more",
    ),
    "cut packed video": (
        "v3.0",
        lambda f: lerobot_made.video(f / PACKED_VIDEO, RECORDINGS[0].frames),
        r"from 4 s on 33 pictures belong to the data, but there are 0",
    ),
    "other times": (
        "v3.0",
        lambda f: table(
            f / EPISODES, lambda c: c[f"videos/{CAMERA}/to_timestamp"].__setitem__(0, 9.0)
        ),
        "40 frames lies from 0.0 s to 9.0 s of its video, not for 4 s",
    ),
    "no such file": (
        "v3.0",
        lambda f: table(f / EPISODES, lambda c: c["data/file_index"].__setitem__(0, 7)),
        "file-007.parquet is missing",
    ),
    "a wrong index": (
        "v3.0",
        lambda f: table(f / EPISODES, lambda c: c["data/file_index"].__setitem__(0, -1)),
        "data/file_index is -1",
    ),
    "twice the same": (
        "v3.0",
        lambda f: table(f / EPISODES, lambda c: c["episode_index"].__setitem__(1, 0)),
        r"numbered \[0, 0, 2",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_are_named(what: str, datasets: Datasets, tmp_path: Path) -> None:
    version, spoil, message = MISTAKES[what]
    folder = shutil.copytree(datasets[version, False], tmp_path / "copy")
    spoil(folder)
    with pytest.raises(UserError, match=message):
        collect(folder)


def test_flipped_numbers_are_noticed(datasets: Datasets, tmp_path: Path) -> None:
    folder = shutil.copytree(datasets["v3.0", False], tmp_path / "copy")
    content = bytearray((folder / PACKED_ROWS).read_bytes())
    content[60] ^= 1
    (folder / PACKED_ROWS).write_bytes(content)
    with pytest.raises(UserError, match=r"file-000\.parquet is damaged"):
        collect(folder)


def test_the_cameras_there_are_are_listed(datasets: Datasets) -> None:
    with pytest.raises(UserError, match=f"are: {CAMERA}, observation.images.wrist"):
        collect(datasets["v2.1", False], camera="front")
    # Named in info.json, but not copied.
    with pytest.raises(UserError, match=r"wrist/episode_000000\.mp4 is missing"):
        collect(datasets["v2.1", False], camera="observation.images.wrist")


def test_images_outside_of_the_rows_are_named(datasets: Datasets, tmp_path: Path) -> None:
    folder = shutil.copytree(datasets["v2.1", True], tmp_path / "copy")
    table(folder / SINGLE_ROWS, lambda c: c[CAMERA][3].update(bytes=None))
    with pytest.raises(UserError, match="has an image outside of the file"):
        collect(folder)


def test_without_pyarrow_the_cure_is_named(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="pip install pyarrow"):
        collect(datasets["v2.1", False])
    monkeypatch.undo()
    assert lerobot_rows.parquet() is parquet
