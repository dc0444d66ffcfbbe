"""A collection that stops anywhere goes on there, and makes again only what it cannot trust."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreframe.data import journal, writing
from foreframe.errors import ArtefactError, UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode, car_racing, in_blocks

ROADS = {"road": ("town", "country")}
LAYOUT = writing.Layout(8, 10, 0.1, "test", ("steer",), ("speed", "offset"), ROADS, 4)
LENGTHS = (5, 40, 1, 33, 70, 4)


class Source:
    """Makes the same episodes again and again, notes which, and may stop in the midst of one."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def episodes(self, first: int, frames: int | None = None) -> Iterator[Episode]:
        """Yield the episodes from `first` on; KeyboardInterrupt after so many frames."""
        left = iter(range(frames if frames is not None else 10**6))
        for number in range(first, len(LENGTHS)):
            part = ("train", "", "test")[number % 3]
            blocks, road = self._blocks(number, left), {"road": number % 2}
            yield Episode(f"tape {number}", len(LENGTHS), blocks, part, road)

    def _blocks(self, number: int, left: Iterator[int]) -> Iterator[Block]:
        rng = numpy_generator(7, number)
        for block in in_blocks(
            (rng.integers(0, 256, (8, 10, 3), dtype=numpy.uint8), rng.random(1), rng.random(2))
            for _ in range(LENGTHS[number])
        ):
            if sum(1 for _ in zip(block.frames, left, strict=False)) < len(block.frames):
                raise KeyboardInterrupt
            yield block
        self.made.append(number)


def collect(folder: Path, source: Source, out: Path, frames: int | None = None) -> int:
    """Record what is missing, write `out`, and return how many episodes were there before."""
    with journal.opening(folder) as kept:
        known = kept.count
        for episode in source.episodes(known, frames):
            list(kept.record(episode, LAYOUT))
        with writing.creating(out, LAYOUT) as writer:
            for episode in kept.episodes(LAYOUT):
                list(writer.add(episode))
    assert not folder.exists()
    return known


def stop(folder: Path, source: Source, frames: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        collect(folder, source, folder.parent / "unused.h5", frames)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the episodes make without a journal."""
    path = tmp_path_factory.mktemp("straight") / "frames.h5"
    with writing.creating(path, LAYOUT) as writer:
        for episode in Source().episodes(0):
            list(writer.add(episode))
    return path


SHARED = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SHARED
@given(stops=st.lists(st.integers(0, sum(LENGTHS) - 1), max_size=4))
def test_every_episode_is_made_once_however_often_it_stops(
    stops: list[int], straight: Path, tmp_path: Path
) -> None:
    source = Source()
    for frames in stops:
        before = len(source.made)
        if frames >= sum(LENGTHS[before:]):
            continue
        stop(tmp_path / "journal", source, frames)
    known = collect(tmp_path / "journal", source, tmp_path / "frames.h5")
    assert known <= len(LENGTHS)
    assert source.made == list(range(len(LENGTHS)))
    assert (tmp_path / "frames.h5").read_bytes() == straight.read_bytes()


@SHARED
@given(data=st.data())
def test_what_is_damaged_is_made_again_and_no_more(
    data: st.DataObject, straight: Path, tmp_path: Path
) -> None:
    folder, source = tmp_path / "journal", Source()
    stop(folder, source, sum(LENGTHS) - 1)
    rows = numpy.cumsum([length * (8 * 10 * 3 + 3 * 4) for length in LENGTHS[:5]])
    lines = numpy.cumsum([len(line) for line in (folder / "episodes.jsonl").open("rb")])
    name, ends = data.draw(st.sampled_from([("rows", rows), ("episodes.jsonl", lines)]))
    path = folder / name
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    path.write_bytes(content)
    intact = int((ends <= place).sum())
    assert collect(folder, source, tmp_path / "frames.h5") == intact
    assert source.made == [*range(5), *range(intact, 6)]
    assert (tmp_path / "frames.h5").read_bytes() == straight.read_bytes()


def test_what_changes_while_it_is_open_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "rows"
    with journal.opening(path.parent) as kept:
        for episode in Source().episodes(0):
            list(kept.record(episode, LAYOUT))
        content = bytearray(path.read_bytes())
        content[1000] ^= 4
        path.write_bytes(content)
        with pytest.raises(ArtefactError, match=r"does not hold what was written.*Delete"):
            for episode in kept.episodes(LAYOUT):
                list(episode.blocks)


# Which journal is whose ---------------------------------------------------------------------------


def chosen(**changes: Any) -> car_racing.Settings:
    values: dict[str, Any] = {
        "kind": "car_racing", "height": 16, "width": 16, "frame_interval": 0.1, "episodes": 2,
        "frames_per_episode": 9, "speed_low": 20.0, "speed_high": 30.0,
        "variety": {"colours": 0.0, "track": 0.0, "camera": 0.0},
    }  # fmt: skip
    return car_racing.Settings(**{**values, **changes})


def test_a_journal_belongs_to_settings_seed_data_code_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = tmp_path / "videos"
    (videos / "inner").mkdir(parents=True)
    (videos / "inner" / "a.mkv").write_bytes(b"abc")
    source, found = chosen(), []

    def note(source: car_racing.Settings = source, seed: int = 0) -> None:
        found.append(journal.folder_of(source, seed, videos))

    note()
    assert found == [journal.folder_of(chosen(), 0, videos)]
    note(chosen(speed_low=20.5))
    note(seed=1)
    (videos / "inner" / "b.mkv").touch()
    note()
    os.utime(videos / "inner" / "a.mkv", ns=(10, 10))
    note()
    (videos / "inner" / "b.mkv").rename(videos / "inner" / "c.mkv")
    note()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "code_digest", lambda *modules: repr(modules))
        note()
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.distributions", list)
        note()
    assert len(set(found)) == len(found) == 8
    assert all(folder.parent == Path(".checkpoints") for folder in found)


def test_a_folder_that_is_missing_is_as_good_as_an_empty_one(tmp_path: Path) -> None:
    assert journal.listing(tmp_path) == journal.listing(tmp_path / "missing")


def test_an_episode_of_other_labels_is_refused_before_it_is_recorded(tmp_path: Path) -> None:
    with journal.opening(tmp_path / "kept") as kept:
        for given in ({}, {"road": 2}, {"sky": 0}):
            episode = Episode("tape", 1, iter(()), "", given)
            with pytest.raises(UserError, match="The episode tape has the"):
                list(kept.record(episode, LAYOUT))
        assert kept.count == 0
