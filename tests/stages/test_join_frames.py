"""The frames of shards are those of one collection, and shards that do not fit are refused."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from foreframe import kinds
from foreframe.data import frames as frames_file
from foreframe.data.shards import Shard, Shards
from foreframe.errors import ArtefactError, UserError
from foreframe.sources import SourceSettings, car_racing, npz, video_folder
from foreframe.sources.car_racing.variety import Variety
from stages import collect_shard, join_frames
from tests.foreframe.sources import making, synthetic_episodes
from tests.stages.shards_study import VIDEOS, collected, joined, kept, shards, whole


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the journals in the folder of each test."""
    monkeypatch.chdir(tmp_path)


def lengths(*counts: int) -> SourceSettings:
    """Make videos of so many frames each; return what reads them."""
    VIDEOS.mkdir()
    for number, count in enumerate(counts):
        making.write(VIDEOS / f"{number}.mkv", making.moving(count, 16, 24))
    return video_folder.Settings(kind="video_folder", height=16, width=24, frame_interval=0.1)


def balls() -> SourceSettings:
    return synthetic_episodes.settings("random_walk", train_episodes=5, test_episodes=2)


def classes() -> SourceSettings:
    return synthetic_episodes.settings("gaussian_grid", train_episodes=4, test_episodes=3)


def drives() -> SourceSettings:
    return car_racing.Settings(
        kind="car_racing", height=16, width=16, frame_interval=0.1, episodes=3,
        frames_per_episode=5, speed_low=20.0, speed_high=30.0,
        variety=Variety(colours=0.0, track=0.0, camera=0.0),
    )  # fmt: skip


# How a source is made, and how many episodes its shards have.
WAYS: Mapping[str, tuple[Callable[[], SourceSettings], tuple[int | None, ...]]] = {
    "one shard": (balls, (7,)),
    "actions and states, unequal shards": (balls, (1, 4, 2)),
    "sets and labels": (classes, (3, None)),
    "a simulator": (drives, (2, 1)),
    "chunks that end inside shards": (lambda: lengths(20, 9, 31, 1), (1, 2, 1)),
    "no shard with the longest chunk but one": (lambda: lengths(3, 20, 5), (1, 1, None)),
    "no long episode": (lambda: lengths(1, 3, 2), (2, 1)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_bytes_are_those_of_one_collection(way: str, tmp_path: Path) -> None:
    make, counts = WAYS[way]
    source, parts = make(), shards(*counts)
    collected(tmp_path / "shards", source, parts)
    assert joined(tmp_path / "shards", source, parts) == whole(tmp_path / "frames.h5", source)


def test_neither_workers_nor_the_order_of_work_change_a_shard(tmp_path: Path) -> None:
    source, parts = balls(), shards(3, 4)
    collected(tmp_path / "one", source, parts)
    collected(tmp_path / "two", source, {"b": parts["b"]}, workers=2)
    collected(tmp_path / "two", source, {"a": parts["a"]})
    assert kept(tmp_path / "one") == kept(tmp_path / "two")
    with frames_file.opening(tmp_path / "one" / "b.h5") as file:
        assert file["episode_part"].asstr()[:].tolist() == ["train", "train", "test", "test"]


def test_folders_of_their_own_follow_each_other_and_what_was_there_stays(tmp_path: Path) -> None:
    source = lengths(20, 9)
    Path("more").mkdir()
    making.write(Path("more/2.mkv"), making.moving(31, 16, 24))
    folder = tmp_path / "shards"
    parts = shards(None)
    collected(folder, source, parts)
    before = joined(folder, source, parts)
    parts |= {"b": Shard(videos=Path("more"), first=0, count=None)}
    collected(folder, source, {"b": parts["b"]})
    both = joined(folder, source, parts)
    Path("more/2.mkv").rename(VIDEOS / "2.mkv")
    assert both == whole(tmp_path / "frames.h5", source) != before


def test_a_killed_shard_goes_on_and_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, parts = balls(), shards(3, 4)
    collected(tmp_path / "straight", source, parts)
    made: list[int] = []
    walk = kinds.find("foreframe.sources", "random_walk")
    plain = walk._draw

    def drawn(settings: Any, seed: int, number: int, part: str) -> Any:
        made.append(number)
        if made == [0, 1]:
            raise KeyboardInterrupt
        return plain(settings, seed, number, part)

    monkeypatch.setattr(walk, "_draw", drawn)
    with pytest.raises(KeyboardInterrupt):
        collected(tmp_path / "shards", source, {"a": parts["a"]})
    collected(tmp_path / "shards", source, parts)
    assert made == [0, 1, 1, 2, 3, 4, 5, 6]
    assert kept(tmp_path / "shards") == kept(tmp_path / "straight")
    assert not list(Path(".checkpoints").iterdir())


@pytest.mark.parametrize(("first", "count", "have"), [(5, 3, 2), (7, 1, 0), (9, None, 0)])
def test_a_shard_of_episodes_that_do_not_exist_is_refused(
    first: int, count: int | None, have: int
) -> None:
    shard = Shard(videos=VIDEOS, first=first, count=count)
    with pytest.raises(UserError, match=rf"episodes {first}.* but only {have} of them exist"):
        collected(Path("shards"), balls(), {"a": shard})
    assert not list(Path().glob("shards/*"))


# What is refused, and what the message says -----------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards of balls."""
    collected(tmp_path / "shards", balls(), shards(3, 2, 2))
    return tmp_path / "shards"


def refused(folder: Path, kind: type[UserError], words: str, parts: Shards, **changes: Any) -> None:
    out = Path("out.h5")
    given = {"source": balls(), "seed": 0, **changes}
    with pytest.raises(kind, match=words):
        join_frames.main(folder=folder, shards=parts, **given, out=out)
    assert not out.exists()


def test_a_shard_whose_file_is_missing_is_named(folder: Path) -> None:
    (folder / "b.h5").unlink()
    refused(folder, ArtefactError, r"b\.h5 does not exist", shards(3, 2, 2))


def test_a_shard_that_is_left_out_doubled_or_out_of_order_is_named(folder: Path) -> None:
    a, b, c = shards(3, 2, 2).values()
    refused(folder, UserError, "shard c begins with episode 5 .* hold 3", {"a": a, "c": c})
    refused(folder, UserError, "shard b begins with episode 3 .* hold 0", {"b": b, "a": a})
    (folder / "d.h5").write_bytes((folder / "b.h5").read_bytes())
    refused(folder, UserError, "shard d begins with episode 3 .* hold 5", {"a": a, "b": b, "d": b})
    refused(folder, UserError, "no shard", {})


def test_shards_that_overlap_are_named(folder: Path) -> None:
    overlapping = Shard(videos=VIDEOS, first=2, count=3)
    collected(folder, balls(), {"b": overlapping})
    parts = {**shards(3, 2), "b": overlapping}
    refused(folder, UserError, "shard b begins with episode 2 .* hold 3", parts)


def test_a_file_of_other_episodes_than_the_list_says_is_named(folder: Path) -> None:
    refused(folder, ArtefactError, r"b\.h5 was collected from episode 3 on, not 4", shards(3, 1, 2)
            | {"b": Shard(videos=VIDEOS, first=4, count=2)})  # fmt: skip
    refused(folder, ArtefactError, r"c\.h5 has 2 episodes, but the shard c 1", shards(3, 2, 1))


def test_a_shard_of_another_seed_source_or_folder_is_named(folder: Path) -> None:
    parts = shards(3, 2, 2)
    collected(folder, balls(), {"b": parts["b"]}, seed=1)
    refused(folder, ArtefactError, r"b\.h5 was collected with the seed 1, not 0", parts)
    faster = synthetic_episodes.settings(
        "random_walk", train_episodes=5, test_episodes=2, most_moves=2
    )
    collected(folder, faster, {"b": parts["b"]})
    refused(folder, ArtefactError, r"b\.h5 was collected with other settings", parts)
    collected(folder, balls(), {"b": Shard(videos=Path("other"), first=3, count=2)})
    refused(folder, ArtefactError, r"b\.h5 was collected from other, not videos", parts)


def test_a_simulator_that_begins_anew_for_another_folder_is_refused(folder: Path) -> None:
    again = Shard(videos=Path("other"), first=0, count=3)
    collected(folder, balls(), {"d": again})
    parts = {**shards(3), "d": again}
    refused(folder, UserError, "shards a and d begin with the same episode", parts)


def test_data_of_two_kinds_are_refused(tmp_path: Path) -> None:
    source = npz.Settings(
        kind="npz", height=16, width=16, frame_interval=0.1, recorded_interval=0.1
    )
    parts = {}
    for name, action in {"a": "steer", "b": "gas"}.items():
        parts[name] = Shard(videos=Path(f"drives {name}"), first=0, count=None)
        parts[name].videos.mkdir()
        frames, actions = making.moving(3, 16, 16), numpy.zeros((3, 1), numpy.float32)
        numpy.savez(
            parts[name].videos / "0.npz", frames=frames, actions=actions, action_names=[action]
        )
    collected(tmp_path / "shards", source, parts)
    words = r"b\.h5 has other actions, states or classes"
    refused(tmp_path / "shards", UserError, words, parts, source=source)


def test_plain_frames_are_no_shard(folder: Path) -> None:
    whole(folder / "b.h5", balls())
    refused(folder, ArtefactError, r"b\.h5 does not say which episodes", shards(3, 2, 2))


def test_a_record_that_is_not_one_is_damaged(folder: Path) -> None:
    with h5py.File(folder / "b.h5", "r+") as file:
        file["shard"][...] = re.sub(rb'"seed":0', b'"seed":x', bytes(file["shard"][0]))
    refused(folder, ArtefactError, r"b\.h5 is damaged", shards(3, 2, 2))


def test_a_shard_has_a_journal_of_its_own() -> None:
    one, two = (Shard(videos=VIDEOS, first=0, count=count) for count in (1, 2))
    folders = {
        collect_shard.folder_of(each, balls(), seed) for each in (one, two) for seed in (0, 1)
    }
    assert len(folders) == 4
