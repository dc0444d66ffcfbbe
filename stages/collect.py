"""Stage collect: streams episodes from a source into one file of frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from foreframe import kinds, recording, stage
from foreframe.config.base import Folder
from foreframe.config.split import Clip
from foreframe.errors import UserError
from foreframe.kinds import Kind
from foreframe.sources import Episode, SourceSettings

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
    layout = recording.Layout(
        height=source.height,
        width=source.width,
        frame_interval=source.frame_interval,
        source=source.kind,
        actions=module.ACTIONS,
        states=module.STATES,
        chunk=clip.frames,
    )
    episodes = module.episodes(source, seed, videos, workers)
    with recording.creating(out, layout) as writer:
        write(writer, episodes)
        refuse_short(writer, clip)


def write(writer: recording.Writer, episodes: Iterator[Episode]) -> None:
    """Append every episode and show the progress on standard error."""
    # Nobody watches a log file: without a terminal there is no bar.
    with tqdm(unit=" episodes", desc="collect", disable=None) as bar:
        for episode in episodes:
            bar.total = episode.total
            for _ in writer.add(episode):
                bar.set_postfix(frames=sum(writer.lengths), refresh=False)
                bar.refresh()
            bar.update()


def refuse_short(writer: recording.Writer, clip: Clip) -> None:
    """Refuse episodes that hold no clip: leaving them out in silence would change the data.

    Raises:
        UserError: names the episodes and the cure.
    """
    short = [
        f"{origin} ({length} frames)"
        for origin, length in zip(writer.origins, writer.lengths, strict=True)
        if length < clip.frames
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
