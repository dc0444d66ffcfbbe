"""The list of the episodes of a LeRobot dataset, and the check that it is all there."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from foreframe.errors import UserError
from foreframe.sources.lerobot import meta as lerobot_meta
from foreframe.sources.lerobot import rows as lerobot_rows
from foreframe.sources.lerobot.meta import Info, Recorded
from foreframe.sources.reading import listing
from foreframe.sources.reading.spans import Span


def listed(info: Info, camera: str) -> list[Recorded]:
    """Return all episodes in order, after a look whether their files are there.

    Raises:
        UserError: the list is damaged, has another length than info.json says, or a file is
            missing.
    """
    found = list((_single if info.version < "v3" else _packed)(info, camera))
    numbers = [recorded.number for recorded in found]
    if numbers != sorted(set(numbers)) or not numbers:
        raise info.wrong(f"the episodes are numbered {numbers[:10]}")
    if info.values.get("total_episodes") != len(found):
        raise info.wrong(
            f"total_episodes is {info.values.get('total_episodes')!r}, but {len(found)} are listed"
        )
    files = {path for each in found for path in (each.rows, each.span and each.span.path) if path}
    missing = sorted(str(path) for path in files if not path.is_file())
    if missing:
        raise UserError(
            f"{missing[0]} is missing, one of {len(missing)} missing files of the {len(files)} of "
            "the dataset. Copy it again."
        )
    return found


def _is_video(info: Info, camera: str) -> bool:
    return info.features[camera].get("dtype") == "video"


def _single(info: Info, camera: str) -> Iterator[Recorded]:
    """Yield the episodes of versions 2.0 and 2.1, which have a file each."""
    chunks = lerobot_meta.whole(info.values.get("chunks_size"))
    if not chunks:
        raise info.wrong(f"chunks_size is {info.values.get('chunks_size')!r}")
    path = info.folder / "meta" / "episodes.jsonl"
    for entry in lerobot_meta.lines(path):
        number, length = _integers(path, entry, "episode_index", "length")
        place = {"episode_chunk": number // chunks, "episode_index": number}
        span = None
        if _is_video(info, camera):
            video = info.path("video_path", video_key=camera, **place)
            span = Span(video, Fraction(0), info.step, length, alone=True)
        rows = info.path("data_path", **place)
        yield Recorded(number, length, rows, span, lerobot_meta.part(info, number))


def _packed(info: Info, camera: str) -> Iterator[Recorded]:
    """Yield the episodes of version 3.0, of which many share a file."""
    folder = info.folder / "meta" / "episodes"
    paths = sorted(
        folder.glob("chunk-*/file-*.parquet"), key=lambda path: listing.natural(str(path))
    )
    if not paths:
        raise UserError(f"{folder} has no list of episodes. Copy the dataset again.")
    video = [f"videos/{camera}/{name}" for name in ("chunk_index", "file_index")]
    times = [f"videos/{camera}/{name}" for name in ("from_timestamp", "to_timestamp")]
    columns = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    if _is_video(info, camera):
        columns += video + times
    for path in paths:
        for entry in lerobot_rows.table(path, columns):
            number, length, *place = _integers(path, entry, *columns[:4])
            span = None
            if _is_video(info, camera):
                start = _start(path, info, length, *(entry[name] for name in times))
                file = _place(*_integers(path, entry, *video))
                file_path = info.path("video_path", video_key=camera, **file)
                span = Span(file_path, start, info.step, length, alone=False)
            rows = info.path("data_path", **_place(*place))
            yield Recorded(number, length, rows, span, lerobot_meta.part(info, number))


def _place(chunk: int, file: int) -> dict[str, int]:
    return {"chunk_index": chunk, "file_index": file}


def _integers(path: Path, entry: Mapping[str, Any], *names: str) -> list[int]:
    values = [lerobot_meta.whole(entry.get(name)) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None or (name == "length" and value == 0):
            raise UserError(
                f"{path}: {name} is {entry.get(name)!r} in one entry. Copy the dataset again."
            )
    return [value for value in values if value is not None]


def _start(path: Path, info: Info, length: int, start: object, stop: object) -> Fraction:
    if isinstance(start, float) and isinstance(stop, float) and 0 <= start < stop < 1e9:
        begin, end = Fraction(start), Fraction(stop)
        # Roughly: where each picture is will be looked at when it is read.
        if abs(end - begin - length * info.step) < 2 * info.step:
            return begin
    raise UserError(
        f"{path}: an episode of {length} frames lies from {start} s to {stop} s of its video, not "
        f"for {float(length * info.step):.4g} s. Copy the dataset again."
    )
