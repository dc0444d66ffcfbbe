"""Collecting streams whatever the source gives into one file, or leaves no trace."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from foreframe.artefacts import facts
from foreframe.config.compute import Compute
from foreframe.config.split import SETS, Split
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.errors import UserError
from foreframe.sources import car_racing, video_folder
from foreframe.sources.car_racing.variety import Variety
from stages import collect, inspect_data, measure_colours, split, train_probe
from tests.foreframe.data import seen
from tests.foreframe.sources import making, synthetic_episodes

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the journals of this module's collections in the folder of each test."""
    monkeypatch.chdir(tmp_path)


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
        seed=0,
        workers=threads,
        out=out,
    )


def test_videos_become_episodes_of_one_file(tmp_path: Path) -> None:
    videos = folder_of(tmp_path / "videos", a=20, b=9)
    run(tmp_path / "frames.h5", videos)
    expected = numpy.concatenate([making.moving(20, 16, 24), making.moving(9, 16, 24)])
    with frames_file.opening(tmp_path / "frames.h5") as file:
        assert numpy.array_equal(file["frames"][:], expected)
        assert file["frames"].chunks == (16, 16, 24, 3)
        assert "actions" not in file
        assert file["episode_origin"].asstr()[:].tolist() == ["a.mkv", "b.mkv"]
        assert file.attrs["source"] == "video_folder"
        assert file.attrs["frame_interval"] == 0.1
    assert frames_file.episodes(tmp_path / "frames.h5") == [(0, 20), (20, 29)]


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
                variety=Variety(colours=0.0, track=0.0, camera=0.0),
            ),
            seed=0,
            workers=threads,
            out=tmp_path / f"{threads}.h5",
        )
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    with frames_file.opening(tmp_path / "1.h5") as file:
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


@pytest.mark.parametrize(("lengths", "chunk"), [((1, 1), 1), ((3, 9), 9), ((20, 1), 16)])
def test_a_chunk_is_no_longer_than_the_longest_episode(
    lengths: tuple[int, int], chunk: int, tmp_path: Path
) -> None:
    first, second = lengths
    run(tmp_path / "frames.h5", folder_of(tmp_path / "videos", a=first, b=second))
    with frames_file.opening(tmp_path / "frames.h5") as file:
        assert file["frames"].chunks == (chunk, 16, 24, 3)
        assert file["episode_length"][:].tolist() == [first, second]


def test_labelled_single_images_go_through_every_stage_of_the_data(tmp_path: Path) -> None:
    source = synthetic_episodes.settings(
        "gaussian_grid", frames_per_episode=1, train_episodes=30, test_episodes=10
    )
    path = {name: tmp_path / name for name in ("frames.h5", "split.json", "i.json", "i.h5")}
    collect.main(videos=tmp_path, source=source, seed=0, workers=1, out=path["frames.h5"])
    with frames_file.opening(path["frames.h5"]) as file:
        assert file["frames"].chunks[0] == 1 and file["episode_length"][:].tolist() == [1] * 40
        found = labels.of_clips(file, ["component"], range(40))["component"].tolist()
        points_NS, known = file["states"][:], labels.classes(file)["component"]
    for label, (x, y) in zip(found, points_NS, strict=True):
        assert known[label] == f"({2 * round(x / 2):g}, {2 * round(y / 2):g})"
    official = Split(by="official", train=0.8, validation=0.1, test=0.1)
    split.main(frames=path["frames.h5"], split=official, out=path["split.json"])
    given = {"frames": path["frames.h5"], "split": path["split.json"]}
    measure_colours.main(**given, out=tmp_path / "normalization.json")
    view = seen.view(frames=1, train_stride=1)
    inspect_data.main(**given, view=view, inspection=path["i.json"], arrays=path["i.h5"])
    inspected = facts.read(path["i.json"], "inspection")
    assert inspected["motion"] == dict.fromkeys(SETS)
    assert sum(inspected["sets"][name]["clips"] for name in SETS) == 40
    train_probe.main(
        **given, compute=COMPUTE, model=tmp_path / "probe", facts=tmp_path / "probe.json"
    )
    assert facts.read(tmp_path / "probe.json", "probe")["states"] == []


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
"""

# Runs the stage as the command line would, with a limit, and says how much memory it took. (The
# ru_maxrss of a process is never less than that of the one that started it.)
WRAPPER = r"""
import re, resource, sys
from pathlib import Path
from foreframe.running import stage
from stages import collect
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    stage.run(collect.main)
finally:
    print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def run_apart(
    folder: Path, videos: Path, limit: int = resource.RLIM_INFINITY
) -> subprocess.CompletedProcess[str]:
    (folder / "params.yaml").write_text(f"{PARAMETERS}videos: {videos}\n")
    parameters = [
        part
        for name in ("videos", "source", "seed", "workers")
        for part in (f"--{name}", f"{folder / 'params.yaml'}:{name}")
    ]
    command = [sys.executable, "-c", WRAPPER, str(limit), *parameters]
    out = folder / "data" / "frames.h5"
    return subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False
    )


def peak(folder: Path, videos: int, frames: int) -> int:
    """Return the kB that collecting takes at most, from some videos of so many small frames."""
    (folder / f"{videos}x{frames}").mkdir()
    path = making.write(folder / f"{videos}x{frames}" / "0.avi", making.moving(frames, 16, 24))
    for number in range(1, videos):
        (path.parent / f"{number}.avi").hardlink_to(path)
    done = run_apart(folder, path.parent)
    assert done.returncode == 0, done.stderr
    with frames_file.opening(folder / "data" / "frames.h5") as file:
        assert file["frames"].shape == (videos * frames, 96, 128, 3)
    sys.stdout.write(f"{videos} videos of {frames} frames: {done.stdout.strip()} kB\n")
    return int(done.stdout)


@pytest.mark.parametrize(
    ("fewer", "more"),
    [
        ((20, 8), (200, 8)),
        ((1, 500), (1, 2000)),  # its buffers are full by then
        pytest.param((500, 8), (5000, 8), marks=pytest.mark.slow),
        pytest.param((1, 2000), (1, 20_000), marks=pytest.mark.slow),
    ],
)
def test_the_memory_does_not_grow_with_the_videos(
    fewer: tuple[int, int], more: tuple[int, int], tmp_path: Path
) -> None:
    # 53, 55, 1327 and 664 MB more of frames; a name and a length are kept of each video.
    assert peak(tmp_path, *more) - peak(tmp_path, *fewer) < 15_000 + 1.5 * more[0]


@pytest.mark.parametrize(("frames", "name", "recorded"), [(150, "rows", 1), (200, "frames.h5", 2)])
def test_a_disk_that_fills_up_leaves_no_artefact_and_nothing_to_do_twice(
    frames: int, name: str, recorded: int, tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for video in "ab":
        making.write(videos / f"{video}.avi", making.moving(100, 96, 128))
    # Room for one video and a half, or for both but not for what HDF5 adds.
    done = run_apart(tmp_path, videos, limit=frames * 96 * 128 * 3)
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("data/*"))
    assert not list(tmp_path.glob("data/.*"))
    done = run_apart(tmp_path, videos)
    assert done.returncode == 0, done.stderr
    assert f"goes on after episode {recorded}." in done.stderr
    assert not list(tmp_path.glob(".checkpoints/*"))
    assert frames_file.episodes(tmp_path / "data" / "frames.h5") == [(0, 100), (100, 200)]
