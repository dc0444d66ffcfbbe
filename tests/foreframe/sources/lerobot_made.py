"""Small LeRobot datasets with the exact layout of each version, videos and tables included."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy
import pyarrow
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from tests.foreframe.sources.containers import Recording

CAMERA = "observation.images.top"
RATE = 10

# Of the two layouts: data and videos.
SINGLE = (
    "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
)
PACKED = (
    "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
)


def write(
    folder: Path, recordings: Sequence[Recording], version: str, images: bool = False
) -> Path:
    """Write a dataset of this version; version 3.0 has two episodes in each file."""
    folder.mkdir()
    _json(folder / "meta" / "info.json", _info(recordings, version, images))
    if version == "v3.0":
        _packed(folder, recordings, images)
    else:
        _single(folder, recordings, images)
    return folder


def _info(recordings: Sequence[Recording], version: str, images: bool) -> dict[str, Any]:
    data, videos = PACKED if version == "v3.0" else SINGLE
    shape = list(recordings[0].frames.shape[1:])
    camera = {
        "dtype": "image" if images else "video",
        "shape": shape,
        "names": ["height", "width", "channels"],
    }
    scalar = {"dtype": "int64", "shape": [1], "names": None}
    return {
        "codebase_version": version,
        "robot_type": "arm",
        "total_episodes": len(recordings),
        "total_frames": sum(len(each.frames) for each in recordings),
        "total_tasks": 1,
        "chunks_size": 2,
        "fps": RATE,
        "splits": {"train": f"0:{len(recordings) - 1}", "test": f"{len(recordings) - 1}:99"},
        "data_path": data,
        "video_path": None if images else videos,
        "features": {
            CAMERA: camera,
            "observation.images.wrist": dict(camera),
            "action": {"dtype": "float32", "shape": [2], "names": {"motors": ["waist", "elbow"]}},
            "observation.state": {"dtype": "float32", "shape": [1], "names": ["motors"]},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            "frame_index": scalar,
            "episode_index": scalar,
        },
    }


def _single(folder: Path, recordings: Sequence[Recording], images: bool) -> None:
    lines = []
    for number, recording in enumerate(recordings):
        place = {"episode_chunk": number // 2, "episode_index": number, "video_key": CAMERA}
        _table(folder / SINGLE[0].format(**place), {number: recording}, images)
        if not images:
            video(folder / SINGLE[1].format(**place), recording.frames)
        entry = {"episode_index": number, "tasks": ["move"], "length": len(recording.frames)}
        lines.append(json.dumps(entry))
    (folder / "meta" / "episodes.jsonl").write_text("\n".join(lines) + "\n")


def _packed(folder: Path, recordings: Sequence[Recording], images: bool) -> None:
    entries = []
    for first in range(0, len(recordings), 2):
        pair = dict(list(enumerate(recordings))[first : first + 2])
        place = {"chunk_index": 0, "file_index": first // 2, "video_key": CAMERA}
        _table(folder / PACKED[0].format(**place), pair, images)
        if not images:
            frames = numpy.concatenate([each.frames for each in pair.values()])
            video(folder / PACKED[1].format(**place), frames)
        start = 0.0
        for number, each in pair.items():
            entry = {"episode_index": number, "tasks": ["move"], "length": len(each.frames)}
            entry |= {"data/chunk_index": 0, "data/file_index": first // 2}
            if not images:
                key = f"videos/{CAMERA}"
                entry |= {f"{key}/chunk_index": 0, f"{key}/file_index": first // 2}
                stop = start + len(each.frames) / RATE
                entry |= {f"{key}/from_timestamp": start, f"{key}/to_timestamp": stop}
                start = stop
            entries.append(entry)
    path = folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(entries), path)


def _table(path: Path, recordings: dict[int, Recording], images: bool) -> None:
    """Write the rows of episodes, each as a group of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [_rows(number, each, images) for number, each in recordings.items()]
    with parquet.ParquetWriter(path, tables[0].schema, write_page_checksum=True) as writer:
        for table in tables:
            writer.write_table(table)


def _rows(number: int, recording: Recording, images: bool) -> Any:
    count = len(recording.frames)
    columns = {
        "action": pyarrow.array(recording.actions.tolist(), pyarrow.list_(pyarrow.float32())),
        # A feature of one number is a column of numbers.
        "observation.state": pyarrow.array(recording.states[:, 0]),
        "timestamp": pyarrow.array(numpy.arange(count, dtype=numpy.float32) / RATE),
        "frame_index": pyarrow.array(numpy.arange(count)),
        "episode_index": pyarrow.array(numpy.full(count, number)),
    }
    if images:
        columns[CAMERA] = pyarrow.array(
            [
                {"bytes": _png(frame), "path": f"frame-{n}.png"}
                for n, frame in enumerate(recording.frames)
            ]
        )
    return pyarrow.table(columns)


def _png(frame: NDArray[numpy.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "PNG")
    return content.getvalue()


def video(path: Path, frames: NDArray[numpy.uint8]) -> None:
    """Write a lossless H.264 video with pictures that refer to later ones, a key every 12."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=RATE, options={"qp": "0", "bf": "3"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.gop_size = "rgb24", 12
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def _json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=4))
