"""Frames from a folder of the user's own videos: every file is one episode, without actions."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block, Episode, SourceSettings, Stream, in_blocks, parallel
from foreframe.sources.reading import decoding, listing

ENDINGS = (".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm")


class Settings(SourceSettings):
    """Size and frame interval to which all videos are brought."""

    kind: Literal["video_folder"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the videos of a folder in the natural order of their names (clip2 before clip10).

    Nothing here is random: `seed` is not used.

    Raises:
        UserError: the folder is missing, empty or holds another file, or a video cannot be used.
    """
    return Stream((), (), _episodes(settings, listed(videos), workers, first))


def _episodes(settings: Settings, paths: list[Path], workers: int, first: int) -> Iterator[Episode]:
    rest = paths[first:]
    videos = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for path, blocks in zip(rest, videos, strict=True):
        yield Episode(path.name, len(paths), blocks)


def listed(videos: Path) -> list[Path]:
    """Return the video files of a folder in natural order; README and hidden files are left out.

    Raises:
        UserError: the folder is missing or empty, or has a file that is no video.
    """
    if not videos.is_dir():
        raise UserError(f"The folder {videos} does not exist. Make it and put videos into it.")
    found = [path for path in videos.iterdir() if not path.name.startswith((".", "README"))]
    if not found:
        raise UserError(
            f"The folder {videos} has no videos. Put some into it ({', '.join(ENDINGS)})."
        )
    for path in sorted(found):
        if path.suffix.lower() not in ENDINGS or not path.is_file():
            raise UserError(
                f"{path} is no video ({', '.join(ENDINGS)}). Remove it from the folder."
            )
    return sorted(found, key=lambda path: listing.natural(path.name))


def _read(settings: Settings, path: Path) -> Iterator[Block]:
    nothing = numpy.empty(0, numpy.float32)
    frames = decoding.read(path, settings.height, settings.width, settings.frame_interval)
    return in_blocks((frame, nothing, nothing) for frame in frames)
