"""Stage collect: streams episodes from a source into one file of frames.

They go through a journal, so that a run that was killed goes on at the next episode.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from foreframe import journal, kinds, recording, stage
from foreframe.config.base import Folder
from foreframe.config.split import Clip
from foreframe.errors import UserError
from foreframe.journal import Journal
from foreframe.kinds import Kind
from foreframe.recording import Layout
from foreframe.sources import Episode, SourceSettings
from foreframe.training.interruption import Interruption

# How many names a message lists before it says "and N more".
LISTED = 10


def main(
    *,
    videos: Folder,
    source: Annotated[SourceSettings, Kind("foreframe.sources")],
    clip: Clip,
    seed: int,
    workers: int,
    out: Path,
) -> None:
    """Write all episodes of `source` to `out`, made by `workers` processes at once.

    Raises:
        UserError: an episode is shorter than one clip, or the source cannot be read.
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
            chunk=clip.frames,
        )
        record(kept, stream.episodes, layout)
        refuse_short(kept, clip)
        publish(kept, layout, out)


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
    with recording.creating(out, layout) as writer:
        for episode in kept.episodes(layout):
            for _ in writer.add(episode):
                pass


def refuse_short(kept: Journal, clip: Clip) -> None:
    """Refuse episodes that hold no clip: leaving them out in silence would change the data.

    Raises:
        UserError: names the episodes and the cure.
    """
    short = [
        f"{known.origin} ({known.frames} frames)"
        for known in kept.records()
        if known.frames < clip.frames
    ]
    if short:
        more = f" and {len(short) - LISTED} more" if len(short) > LISTED else ""
        raise UserError(
            f"Shorter than one clip of {clip.frames} frames: {', '.join(short[:LISTED])}{more}. "
            "Make these episodes longer or remove them, or lower clip.frames or "
            "source.frame_interval."
        )


if __name__ == "__main__":
    stage.run(main)
