"""Stage collect_shard: some episodes of a source, as a file of frames of their own.

Shards are collected side by side, on one machine or many; `join_frames` makes one data set of them.
An episode is a function of the seed and its number, so it is the same in every shard.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

from foreframe import kinds
from foreframe.data import journal, writing
from foreframe.data import shards as shard_files
from foreframe.data.journal import Journal
from foreframe.data.shards import Origin, Shard
from foreframe.data.writing import Layout
from foreframe.errors import UserError
from foreframe.kinds import Kind
from foreframe.running import stage
from foreframe.sources import Episode, SourceSettings
from stages import collect


def main(
    *,
    shard: Shard,
    source: Annotated[SourceSettings, Kind("foreframe.sources")],
    seed: int,
    workers: int,
    out: Path,
) -> None:
    """Write the episodes of `shard` to `out`, made by `workers` processes at once.

    Raises:
        UserError: the source cannot be read, or has fewer episodes.
    """
    module = kinds.find("foreframe.sources", source.kind)
    with journal.opening(folder_of(shard, source, seed)) as kept:
        stream = module.stream(source, seed, shard.videos, workers, shard.first + kept.count)
        layout = Layout(
            height=source.height,
            width=source.width,
            frame_interval=source.frame_interval,
            source=source.kind,
            actions=stream.actions,
            states=stream.states,
            labels=stream.labels,
            chunk=collect.CHUNK,
        )
        collect.record(kept, own(stream.episodes, shard, kept.count), layout)
        refuse_few(kept.count, shard)
        longest = max(known.frames for known in kept.records())
        layout = replace(layout, chunk=min(collect.CHUNK, longest))
        publish(kept, layout, Origin.of(shard, source, seed), out)


def folder_of(shard: Shard, source: SourceSettings, seed: int) -> Path:
    """Return the folder of the shard's journal: shards of one source have each their own."""
    whole = journal.folder_of(source, seed, shard.videos)
    return whole.with_name(f"{whole.name}-{shard.first}-{shard.count or 'all'}")


def own(episodes: Iterator[Episode], shard: Shard, done: int) -> Iterator[Episode]:
    """Yield those of a source's remaining episodes that are the shard's and are not done yet."""
    if shard.count is None:
        yield from (replace(each, total=each.total - shard.first) for each in episodes)
    elif done < shard.count:
        for each in islice(episodes, shard.count - done):
            yield replace(each, total=shard.count)


def refuse_few(count: int, shard: Shard) -> None:
    """Refuse a shard that goes beyond the source's last episode.

    Raises:
        UserError: says how many episodes there are.
    """
    if count < (shard.count or 1):
        last = "" if shard.count is None else f" to {shard.first + shard.count - 1}"
        raise UserError(
            f"A shard is of the episodes {shard.first}{last} of {shard.videos}, counted from 0, "
            f"but only {count} of them exist. Lower its first or count, or give the source more "
            "episodes."
        )


def publish(kept: Journal, layout: Layout, origin: Origin, out: Path) -> None:
    """Write the episodes of the journal, and what they are of, to `out`."""
    with writing.creating(out, layout) as writer:
        shard_files.describe(writer.file, origin)
        for episode in kept.episodes(layout):
            for _ in writer.add(episode):
                pass


if __name__ == "__main__":
    stage.run(main)
