"""Stage collect: streams episodes from a source into one file of frames.

They go through a journal, so that a run that was killed goes on at the next episode.
"""

import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from foreframe import kinds
from foreframe.config.base import Folder
from foreframe.data import journal, writing
from foreframe.data.journal import Journal
from foreframe.data.writing import Layout
from foreframe.kinds import Kind
from foreframe.running import stage
from foreframe.sources import Episode, SourceSettings
from foreframe.training.interruption import Interruption

# Frames in one chunk of the file, or all of the longest episode where that is shorter: a clip is
# read in few pieces, and a single image is no larger on disk than it is.
CHUNK = 16


def main(
    *,
    videos: Folder,
    source: Annotated[SourceSettings, Kind("foreframe.sources")],
    seed: int,
    workers: int,
    out: Path,
) -> None:
    """Write all episodes of `source` to `out`, made by `workers` processes at once.

    Raises:
        UserError: the source cannot be read.
    """
    module = kinds.find("foreframe.sources", source.kind)
    with journal.opening(journal.folder_of(source, seed, videos)) as kept:
        stream = module.stream(source, seed, videos, workers, kept.count)
        layout = Layout(
            height=source.height,
            width=source.width,
            frame_interval=source.frame_interval,
            source=source.kind,
            actions=stream.actions,
            states=stream.states,
            labels=stream.labels,
            chunk=CHUNK,
        )
        record(kept, stream.episodes, layout)
        longest = max((known.frames for known in kept.records()), default=CHUNK)
        publish(kept, replace(layout, chunk=min(CHUNK, longest)), out)


def record(kept: Journal, episodes: Iterator[Episode], layout: Layout) -> None:
    """Add the missing episodes to the journal and show the progress on standard error."""
    engine = Interruption()
    frames = sum(known.frames for known in kept.records())
    # Nobody watches a log file: without a terminal there is no bar.
    with tqdm(unit=" episodes", desc="collect", disable=None, initial=kept.count) as bar:
        for episode in episodes:
            bar.total = episode.total
            for count in kept.record(episode, layout):
                frames += count
                bar.set_postfix(frames=frames, refresh=False)
                bar.refresh()
                if engine.number is not None:
                    # The next run waits for this one, and would find all of it done for nothing.
                    sys.exit(128 + signal.SIGTERM)
            bar.update()


def publish(kept: Journal, layout: Layout, out: Path) -> None:
    """Write the episodes of the journal to `out`."""
    with writing.creating(out, layout) as writer:
        for episode in kept.episodes(layout):
            for _ in writer.add(episode):
                pass


if __name__ == "__main__":
    stage.run(main)
