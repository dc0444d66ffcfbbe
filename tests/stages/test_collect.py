"""Collecting streams whatever the source gives into one file, or leaves no trace."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe import frames
from foreframe.config.split import Clip
from foreframe.errors import UserError
from foreframe.sources import car_racing, video_folder
from stages import collect
from tests.foreframe.sources import making

CLIP = Clip(frames=8)


def folder_of(path: Path, **lengths: int) -> Path:
    """Make a folder of lossless videos of these lengths."""
    path.mkdir()
    for name, length in lengths.items():
        making.write(path / f"{name}.mkv", making.moving(length, 16, 24))
    return path


def run(out: Path, videos: Path, threads: int = 1, **changes: Any) -> None:
    settings = {"kind": "video_folder", "height": 16, "width": 24, "frame_interval": 0.1}
    collect.main(
        videos=videos,
        source=video_folder.Settings(**{**settings, **changes}),
        clip=CLIP,
        seed=0,
        workers=threads,
        out=out,
    )


def test_videos_become_episodes_of_one_file(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "videos", a=20, b=9)
    run(tmp_path / "frames.h5", videos)
    expected = numpy.concatenate([making.moving(20, 16, 24), making.moving(9, 16, 24)])
    with frames.opening(tmp_path / "frames.h5") as file:
        assert numpy.array_equal(file["frames"][:], expected)
        assert file["frames"].chunks == (8, 16, 24, 3)
        assert "actions" not in file
        assert file["episode_origin"].asstr()[:].tolist() == ["a.mkv", "b.mkv"]
        assert file.attrs["source"] == "video_folder"
        assert file.attrs["frame_interval"] == 0.1
    assert frames.episodes(tmp_path / "frames.h5") == [(0, 20), (20, 29)]


def test_simulated_drives_keep_their_actions_and_seeds(tmp_path: Path) -> None:
    for threads in (1, 2):
        collect.main(
            videos=tmp_path / "unused",
            source=car_racing.Settings(
                kind="car_racing",
                height=16,
                width=16,
                frame_interval=0.1,
                episodes=2,
                frames_per_episode=12,
                speed_low=20.0,
                speed_high=30.0,
            ),
            clip=CLIP,
            seed=0,
            workers=threads,
            out=tmp_path / f"{threads}.h5",
        )
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    with frames.opening(tmp_path / "1.h5") as file:
        assert file["frames"].shape == (24, 16, 16, 3)
        assert file["actions"].shape == (24, 3)
        assert file.attrs["action_names"] == '["steer", "gas", "brake"]'
        origins = file["episode_origin"].asstr()[:].tolist()
        assert all(origin.startswith("seed ") for origin in origins)
        assert len(set(origins)) == 2


def test_the_same_videos_give_the_same_bytes(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "videos", a=20, b=9, c=31)
    run(tmp_path / "one.h5", videos)
    run(tmp_path / "two.h5", videos, threads=2)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_episodes_shorter_than_a_clip_are_all_named(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "videos", a=20, b=7, c=8, d=3)
    with pytest.raises(UserError, match=r"8 frames: b\.mkv \(7 frames\), d\.mkv \(3 frames\)\. "):
        run(tmp_path / "frames.h5", videos)
    assert not (tmp_path / "frames.h5").exists()


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(data / "frames.h5", folder_of(tmp_path / "videos", a=20))
    before = (data / "frames.h5").read_bytes()
    (tmp_path / "videos" / "b.mp4").write_text("broken")
    with pytest.raises(UserError, match=r"b\.mp4"):
        run(data / "frames.h5", tmp_path / "videos")
    assert (data / "frames.h5").read_bytes() == before
    assert [path.name for path in data.iterdir()] == ["frames.h5"]


# In processes of their own --------------------------------------------------------------------

PARAMETERS = """
seed: 0
workers: 1
source: {kind: video_folder, height: 96, width: 128, frame_interval: 0.1}
clip: {frames: 8}
"""

# Runs the stage as the command line would, with a limit, and says how much memory it took.
WRAPPER = """
import resource, sys
from foreframe import stage
from stages import collect
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    stage.run(collect.main)
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run_apart(
    folder: Path, videos: Path, limit: int = resource.RLIM_INFINITY
) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(f"{PARAMETERS}videos: {videos}\n")
    parameters = [
        part
        for name in ("videos", "source", "clip", "seed", "workers")
        for part in (f"--{name}", f"{folder / 'params.yaml'}:{name}")
    ]
    command = [sys.executable, "-c", WRAPPER, str(limit), *parameters]
    out = folder / "data" / "frames.h5"
    return subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False
    )


def test_the_memory_does_not_grow_with_the_videos(tmp_path: Path) -> None:
    peaks = []
    for count in (1, 8):
        videos = tmp_path / f"videos{count}"
        videos.mkdir()
        path = making.write(videos / "0.avi", making.moving(250, 96, 128))
        for number in range(1, count):
            (videos / f"{number}.avi").hardlink_to(path)
        done = run_apart(tmp_path, videos)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    with frames.opening(tmp_path / "data" / "frames.h5") as file:
        size = file["frames"].nbytes
    # In kilobytes; the larger file is 73 MB of frames, the smaller one 9 MB.
    assert size > 70e6
    assert peaks[1] - peaks[0] < 20_000


def test_a_disk_that_fills_up_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    making.write(videos / "a.avi", making.moving(200, 96, 128))
    done = run_apart(tmp_path, videos, limit=3_000_000)
    assert done.returncode == 1
    assert "frames.h5" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "data").iterdir()) == []
