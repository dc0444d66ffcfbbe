"""A source collected in shards, and in one go."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foreframe.data.shards import Shard, Shards
from foreframe.sources import SourceSettings
from stages import collect, collect_shard, join_frames

VIDEOS = Path("videos")
NAMES = "abcdefghij"


def shards(*counts: int | None, videos: Path = VIDEOS) -> Shards:
    """Return shards of so many episodes each, one after the other."""
    firsts = [sum(each or 0 for each in counts[:place]) for place in range(len(counts))]
    return {
        NAMES[place]: Shard(videos=videos, first=firsts[place], count=count)
        for place, count in enumerate(counts)
    }


def collected(folder: Path, source: SourceSettings, parts: Shards, **changes: Any) -> None:
    """Collect the shards into a folder."""
    given = {"source": source, "seed": 0, "workers": 1, **changes}
    for name, shard in parts.items():
        collect_shard.main(shard=shard, **given, out=folder / f"{name}.h5")


def joined(folder: Path, source: SourceSettings, parts: Shards, seed: int = 0) -> bytes:
    """Return the bytes of the joined frames."""
    out = folder / "joined" / "frames.h5"
    join_frames.main(folder=folder, shards=parts, source=source, seed=seed, out=out)
    return out.read_bytes()


def whole(out: Path, source: SourceSettings, videos: Path = VIDEOS) -> bytes:
    """Return the bytes of the frames that are collected in one go."""
    collect.main(videos=videos, source=source, seed=0, workers=1, out=out)
    return out.read_bytes()


def kept(folder: Path) -> Mapping[str, bytes]:
    """Return the bytes of every file in a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
