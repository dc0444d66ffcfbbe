"""Frames from folders of images: every folder that holds images is one episode, without actions."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.sources import BLOCK, Block, Episode, Stream, in_blocks, parallel
from foreframe.sources.reading import listing, pictures
from foreframe.sources.reading.fitting import fit
from foreframe.sources.reading.resampling import RecordedSettings, chosen, seconds


class Settings(RecordedSettings):
    """Size and frame interval of the frames, and the time between two images of a folder."""

    kind: Literal["image_folder"]


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the folders of images below `videos`, at any depth, in the natural order of names.

    The whole tree is looked at before any image is read. Nothing here is random: `seed` is not
    used.

    Raises:
        UserError: a folder is missing, empty or holds one image or another file, or an image cannot
            be used or differs in size from the others of its folder.
    """
    return Stream((), (), _episodes(settings, videos, _folders(videos), workers, first))


def _episodes(
    settings: Settings, videos: Path, folders: list[Path], workers: int, first: int
) -> Iterator[Episode]:
    rest = folders[first:]
    episodes = parallel.in_order(
        partial(_read, settings), rest, workers, BLOCK * settings.height * settings.width * 3
    )
    for folder, blocks in zip(rest, episodes, strict=True):
        yield Episode(folder.relative_to(videos).as_posix(), len(folders), blocks)


def _folders(videos: Path) -> list[Path]:
    """Return the folders that hold images; a folder comes before those inside it."""
    if not videos.is_dir():
        raise UserError(
            f"The folder {videos} does not exist. Make it and put folders of images into it."
        )
    images, folders = _content(videos)
    if images:
        raise UserError(
            f"{videos / images[0]} lies outside of a subfolder, and each subfolder is one episode. "
            "Move the images of each episode into a folder of their own."
        )
    if not folders:
        raise UserError(f"The folder {videos} is empty. Put folders of images into it.")
    above = (os.path.realpath(videos),)
    return [path for name in folders for path in _walk(videos / name, above)]


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    place = os.path.realpath(folder)
    if place in above:
        raise UserError(f"{folder} is a link to a folder that it lies in. Remove it.")
    images, folders = _content(folder)
    if not images and not folders:
        raise UserError(
            f"The folder {folder} has no images. If it was extracted from an archive, extract it "
            "again; or else remove it."
        )
    if len(images) == 1:
        raise UserError(
            f"The folder {folder} has a single image; an episode needs one for each moment. Put "
            "the images of an episode together into one folder."
        )
    if images:
        yield folder
    for name in folders:
        yield from _walk(folder / name, (*above, place))


def _content(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of a folder's images and of its subfolders, each in natural order."""
    images, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(listing.SKIPPED):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.name.lower().endswith(pictures.ENDINGS) and entry.is_file():
                images.append(entry.name)
            else:
                raise UserError(
                    f"{entry.path} is no image ({', '.join(pictures.ENDINGS)}). Remove it from "
                    "the folder."
                )
    return sorted(images, key=listing.natural), sorted(folders, key=listing.natural)


def _read(settings: Settings, folder: Path) -> Iterator[Block]:
    nothing = numpy.empty(0, numpy.float32)
    return in_blocks((frame, nothing, nothing) for frame in _frames(settings, folder))


def _frames(settings: Settings, folder: Path) -> Iterator[NDArray[numpy.uint8]]:
    names, _ = _content(folder)
    recorded, wanted = seconds(settings.recorded_interval), seconds(settings.frame_interval)
    shape = None
    for number in chosen(len(names), recorded, wanted):
        picture_HW3 = pictures.decode(folder / names[number])
        shape = shape or picture_HW3.shape
        if picture_HW3.shape != shape:
            raise UserError(
                f"{folder / names[number]} is {picture_HW3.shape[1]} x {picture_HW3.shape[0]} "
                f"pixels, but {names[0]} of the same folder is {shape[1]} x {shape[0]}. Bring the "
                "images of a folder to one size, or put them into different folders."
            )
        yield fit(picture_HW3, settings.height, settings.width)
