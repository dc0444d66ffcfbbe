"""Stage split_shards: which frames of each shard are whose, counted from the shard's own first.

A shard's entry changes only where its own frames change sets. So whatever depends on that entry
alone, such as the codes of its clips, stays as it is when shards are added behind it.
"""

from pathlib import Path
from typing import Annotated, Any

from foreframe.artefacts import facts
from foreframe.config.split import SETS
from foreframe.data import clips
from foreframe.data import shards as shard_files
from foreframe.data.clips import Run, SplitRuns
from foreframe.data.shards import SCHEMA, Shards
from foreframe.errors import ArtefactError
from foreframe.kinds import Kind
from foreframe.running import stage
from foreframe.sources import SourceSettings


def inside(runs: SplitRuns, start: int, stop: int) -> dict[str, list[Run]]:
    """Return those runs of each set that lie in [start, stop), counted from `start`."""
    return {
        name: [
            (first - start, last - start)
            for first, last in runs.runs(name)
            if start <= first and last <= stop
        ]
        for name in SETS
    }


def main(
    *,
    folder: Path,
    shards: Shards,
    source: Annotated[SourceSettings, Kind("foreframe.sources")],
    seed: int,
    split: Path,
    out: Path,
) -> None:
    """Write the runs of `split` by shard: `order`, `starts` of shards, and `runs` by name.

    Raises:
        UserError: shards do not follow each other.
        ArtefactError: a shard is missing or of something else, or the split of other frames.
    """
    found = shard_files.find(folder, shards, source, seed)
    whole = clips.load_split(split)
    starts: dict[str, int] = {}
    runs: dict[str, Any] = {}
    end = 0
    for name, each in found.items():
        starts[name], end = end, end + each.frames
        runs[name] = inside(whole, starts[name], end)
    kept = sum(len(each[name]) for each in runs.values() for name in SETS)
    if kept < sum(len(whole.runs(name)) for name in SETS):
        raise ArtefactError(f"{split} was made from other frames than these shards. {facts.CURE}")
    facts.write(out, SCHEMA, {"order": list(found), "starts": starts, "runs": runs})


if __name__ == "__main__":
    stage.run(main)
