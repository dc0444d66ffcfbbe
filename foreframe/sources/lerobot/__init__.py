"""Frames from a LeRobot dataset on disk, versions 2.0, 2.1 and 3.0: one camera, with actions.

The features `action` and `observation.state` become actions and states, under the names that the
dataset gives them. Pictures may lie in videos or among the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from pydantic import Field

from foreframe.errors import UserError
from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    Row,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
)
from foreframe.sources.lerobot import episodes as lerobot_episodes
from foreframe.sources.lerobot import meta as lerobot_meta
from foreframe.sources.lerobot import rows as lerobot_rows
from foreframe.sources.lerobot.meta import Info, Recorded
from foreframe.sources.reading import decoding, pictures, spans
from foreframe.sources.reading.resampling import resampled, seconds

ACTION, STATE = "action", "observation.state"

# What a dataset calls numbers.
NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")

# A picture with its pixels' width to their height, or an encoded image.
Picture = tuple[VideoFrame, float] | bytes


class Settings(SourceSettings):
    """Size and frame interval of the frames, and whose pictures they are."""

    kind: Literal["lerobot"]
    camera: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class _Columns:
    """The features of a row that are read, and the number of each one's numbers; 0 if it is not."""

    camera: str
    actions: int
    states: int

    @property
    def numbers(self) -> dict[str, int]:
        """The features that hold numbers, with how many."""
        counts = {ACTION: self.actions, STATE: self.states}
        return {name: count for name, count in counts.items() if count}


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the episodes of the dataset in the folder `videos`, in the order of their numbers.

    Nothing here is random: `seed` is not used.

    Raises:
        UserError: pyarrow is missing, there is no dataset, no such camera, or a part is missing,
            damaged or does not fit the others.
    """
    lerobot_rows.parquet()
    info = lerobot_meta.read(videos)
    _check_camera(info, settings.camera)
    actions, states = _names(info, ACTION), _names(info, STATE)
    columns = _Columns(settings.camera, len(actions), len(states))
    recorded = lerobot_episodes.listed(info, settings.camera)
    return Stream(actions, states, _episodes(settings, info, columns, recorded, workers, first))


def _episodes(
    settings: Settings,
    info: Info,
    columns: _Columns,
    recorded: list[Recorded],
    workers: int,
    first: int,
) -> Iterator[Episode]:
    rest = recorded[first:]
    episodes = parallel.in_order(
        partial(_read, settings, info.step, columns),
        rest,
        workers,
        BLOCK * settings.height * settings.width * 3,
    )
    for each, blocks in zip(rest, episodes, strict=True):
        yield Episode(f"episode {each.number}", len(recorded), blocks, each.part)


def _check_camera(info: Info, camera: str) -> None:
    cameras = [
        name for name, each in info.features.items() if each.get("dtype") in ("video", "image")
    ]
    if camera not in cameras:
        raise UserError(
            f"source.camera is {camera!r}, but the cameras of {info.folder} are: "
            f"{', '.join(cameras) or 'none'}."
        )


def _names(info: Info, feature: str) -> tuple[str, ...]:
    """Return the names of a feature's numbers, () if the dataset does not have it."""
    entry = info.features.get(feature)
    if entry is None:
        return ()
    shape = entry.get("shape")
    count = lerobot_meta.whole(shape[0]) if isinstance(shape, list) and len(shape) == 1 else None
    if entry.get("dtype") not in NUMBERS or not count:
        raise info.wrong(f"{feature} is {entry.get('dtype')} {shape}, not one row of numbers")
    names = [str(name) for name in _flat(entry.get("names"))]
    if len(names) == count:
        return tuple(names)
    # Many datasets name the row ("motors"), not its numbers.
    return tuple(f"{feature.rpartition('.')[2]}_{number}" for number in range(count))


def _flat(names: object) -> Iterator[object]:
    """Yield the names in a list, or in a table of lists such as {"motors": ["waist", "elbow"]}."""
    if isinstance(names, dict):
        names = list(names.values())
    for name in names if isinstance(names, list) else []:
        yield from name if isinstance(name, list) else [name]


def _read(
    settings: Settings, step: Fraction, columns: _Columns, recorded: Recorded
) -> Iterator[Block]:
    return in_blocks(_rows(settings, step, columns, recorded))


def _rows(
    settings: Settings, step: Fraction, columns: _Columns, recorded: Recorded
) -> Iterator[Row]:
    rows = _recorded(columns, recorded)
    for picture, action, state in resampled(rows, step, seconds(settings.frame_interval)):
        yield _frame(settings, recorded, picture), action, state


def _recorded(
    columns: _Columns, recorded: Recorded
) -> Iterator[tuple[Picture, NDArray[numpy.float32], NDArray[numpy.float32]]]:
    """Yield every picture with the action and the state of its row."""
    names = list(columns.numbers)
    if recorded.span is None:
        for row in lerobot_rows.rows(recorded, [*names, columns.camera]):
            image = (row[columns.camera] or {}).get("bytes")
            if not isinstance(image, bytes):
                raise UserError(
                    f"{recorded.rows}: {columns.camera} has an image outside of the file. Convert "
                    "the dataset to videos, or embed its images."
                )
            yield image, *_numbers(columns, recorded, row)
        return
    table = lerobot_rows.rows(recorded, names)
    for picture, row in zip(spans.pictures(recorded.span), table, strict=True):
        yield picture, *_numbers(columns, recorded, row)


def _numbers(
    columns: _Columns, recorded: Recorded, row: dict[str, Any]
) -> tuple[NDArray[numpy.float32], NDArray[numpy.float32]]:
    found = {name: _floats(row[name]) for name in columns.numbers}
    for name, count in columns.numbers.items():
        values = found[name]
        if values.shape != (count,) or not numpy.isfinite(values).all():
            raise UserError(
                f"{recorded.rows}, episode {recorded.number}, frame {row['frame_index']}: {name} "
                f"is not {count} finite numbers. Correct it or copy the dataset again."
            )
    nothing = numpy.empty(0, numpy.float32)
    return found.get(ACTION, nothing), found.get(STATE, nothing)


def _floats(value: Any) -> NDArray[numpy.float32]:
    # A feature of one number is stored as a number; what is missing is not finite either.
    entries = value if isinstance(value, list) else [value]
    with numpy.errstate(over="ignore"):
        return numpy.array([numpy.nan if x is None else x for x in entries]).astype(numpy.float32)


def _frame(settings: Settings, recorded: Recorded, picture: Picture) -> NDArray[numpy.uint8]:
    if isinstance(picture, bytes):
        name = f"{recorded.rows}: an image of episode {recorded.number}"
        return pictures.read(picture, settings.height, settings.width, name=name)
    return decoding.fitted(picture[0], settings.height, settings.width, picture[1])
