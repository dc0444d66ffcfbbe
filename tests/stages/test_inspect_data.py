"""Copies across sets are found and noise is not; blocks do not matter; memory does not grow."""

import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from foreframe.artefacts import facts
from foreframe.data import clips
from foreframe.data.views import View
from foreframe.errors import ArtefactError
from foreframe.inspection import reading
from stages import inspect_data
from tests.foreframe.data import seen
from tests.foreframe.inspection.recordings import Frames, compressed, noise, scene, write

LENGTH = 60
# Six episodes: four for training, one each to validate and to test.
SPLIT = clips.SplitRuns(
    tuple((60 * n, 60 * n + 60) for n in range(4)), ((240, 300),), ((300, 360),)
)
VIEW = seen.view()
PLANTED, COPIED = 312, 77  # where a copy begins, and of what; an odd frame of the training set


def episodes() -> list[Frames]:
    return [scene(number, LENGTH) for number in range(6)]


def planted(copy: Frames) -> list[Frames]:
    """Return the episodes with a clip of the training set in the test set."""
    result = episodes()
    result[5][PLANTED - 300 : PLANTED - 300 + len(copy)] = copy
    return result


def original() -> Frames:
    return scene(1, LENGTH)[COPIED - 60 : COPIED - 60 + 8]


def run(
    folder: Path, tapes: list[Frames], split: clips.SplitRuns = SPLIT, view: View = VIEW
) -> dict[str, Any]:
    """Run the stage in `folder` and return its facts."""
    folder.mkdir(exist_ok=True)
    write(folder / "frames.h5", tapes)
    clips.save_split(folder / "split.json", split)
    inspect_data.main(
        frames=folder / "frames.h5",
        split=folder / "split.json",
        view=view,
        inspection=folder / "inspection.json",
        arrays=folder / "inspection.h5",
    )
    return facts.read(folder / "inspection.json", "inspection")


def test_unrelated_scenes_are_near_to_none(tmp_path: Path) -> None:
    found = run(tmp_path, episodes())["duplicates"]
    assert found["threshold"] > 10
    for pair in found["pairs"].values():
        assert (pair["near"], pair["identical"]) == (0, 0)
        assert pair["closest"] > found["threshold"]
    assert found["pairs"]["train_test"]["windows"] == 4 * (LENGTH - 8 + 1)


@pytest.mark.parametrize("kind", ["exact", "brighter", "compressed", "both"])
def test_a_copied_clip_is_found_even_brighter_or_encoded_again(kind: str, tmp_path: Path) -> None:
    copy = original()
    if kind in ("compressed", "both"):
        copy = compressed(copy, 75)
    if kind in ("brighter", "both"):
        copy = copy + 2
    found = run(tmp_path, planted(copy))["duplicates"]
    pair, shown = found["pairs"]["train_test"], found["shown"]["train_test"][0]
    assert pair["near"] == 1 and pair["chance"] < 0.2
    assert pair["identical"] == (1 if kind == "exact" else 0)
    assert (shown["clip"], shown["window"]) == (PLANTED, COPIED)
    assert shown["distance"] == pair["closest"] <= found["threshold"]
    assert shown["difference"] == pytest.approx(
        numpy.abs(copy[:8].astype(int) - original()[:8]).mean()
    )
    assert found["pairs"]["train_validation"]["near"] == 0


def test_noise_is_near_to_nothing(tmp_path: Path) -> None:
    tapes = episodes()
    tapes[5] = noise(1, tapes[5].shape)
    found = run(tmp_path, tapes)["duplicates"]
    assert found["pairs"]["train_test"]["near"] == 0
    assert found["pairs"]["train_test"]["closest"] > 2 * found["threshold"]


def test_the_shown_pairs_and_clips_are_frames_of_the_recording(tmp_path: Path) -> None:
    run(tmp_path, planted(original()))
    frames = numpy.concatenate(planted(original()))
    with h5py.File(tmp_path / "inspection.h5") as file:
        for group in [*file["clips"].values(), *file["pairs"].values()]:
            for clip, start in zip(group["frames"][:], group["start"][:], strict=True):
                numpy.testing.assert_array_equal(clip, frames[start : start + 8])
        numpy.testing.assert_array_equal(
            file["pairs/train_test/frames"][0], file["pairs/train_test/frames"][1]
        )
        assert file["clips/train/start"][:].tolist() == [0, 120, 232]


def test_numbers_are_those_of_the_whole_arrays(tmp_path: Path) -> None:
    tapes = episodes()
    tapes[4][10:13] = tapes[4][9]  # three steps in which nothing moves
    found = run(tmp_path, tapes)
    sets = {"train": tapes[:4], "validation": tapes[4:5], "test": tapes[5:]}
    for name, parts in sets.items():
        frames = numpy.concatenate(parts)
        numpy.testing.assert_allclose(found["pixels"][name]["mean"], frames.mean((0, 1, 2)))
        numpy.testing.assert_allclose(found["pixels"][name]["std"], frames.std((0, 1, 2)))
        steps = numpy.concatenate(
            [numpy.abs(numpy.diff(part.astype(int), axis=0)).mean((1, 2, 3)) for part in parts]
        )
        values = found["motion"][name]
        assert values["steps"] == len(steps)
        assert values["mean"] == pytest.approx(steps.mean())
        assert values["median"] == pytest.approx(numpy.median(steps))
        assert values["repeated"] == (steps == 0).sum() == (3 if name == "validation" else 0)
    assert found["sets"]["train"] == {
        "episodes": 4, "runs": 4, "frames": 240, "minutes": 240 * 0.1 / 60, "clips": 4 * 27,
    }  # fmt: skip
    assert found["episodes"] == {"count": 6, "shortest": 60, "median": 60.0, "longest": 60}


def test_a_darker_set_has_drifted_and_another_has_not(tmp_path: Path) -> None:
    # Every set sees the same places; the test set sees them 20 levels darker.
    place = scene(8, 10)
    tapes = [numpy.concatenate([place] * 6) for _ in range(6)]
    tapes[5] = tapes[5] - 20
    found = run(tmp_path, tapes)["drift"]
    assert found["sets"]["validation"]["earth_mover"] == pytest.approx(0.0, abs=1e-9)
    assert found["sets"]["test"]["earth_mover"] == pytest.approx(20.0)
    assert found["sets"]["test"]["usual_beyond"] == {"earth_mover": 0, "jensen_shannon": 0}
    assert found["stretch_frames"] == 60 and len(found["usual"]["earth_mover"]) == 4


def test_the_size_of_blocks_and_chunks_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", planted(original()))
    monkeypatch.setattr(reading, "BYTES", 1)
    run(tmp_path / "parts", planted(original()))
    for name in ("inspection.json", "inspection.h5"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "parts"))
        assert one == other


def test_a_single_short_episode_is_not_judged(tmp_path: Path) -> None:
    split = clips.SplitRuns(((0, 30),), ((30, 42),), ((42, 60),))
    found = run(tmp_path, [scene(1, 60)], split)["duplicates"]
    assert found["threshold"] is None
    assert found["calibration"]["median"] is None
    assert all(pair["near"] == 0 for pair in found["pairs"].values())


def test_ten_times_the_video_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for frames in (600, 6000):
        folder = tmp_path / str(frames)
        folder.mkdir()
        write(folder / "frames.h5", [noise(1, (frames, 64, 64, 3))], chunk=16)
        train, test = frames * 8 // 10, frames * 9 // 10
        split = clips.SplitRuns(((0, train),), ((train, test),), ((test, frames),))
        clips.save_split(folder / "split.json", split)
        tracemalloc.start()
        inspect_data.main(
            frames=folder / "frames.h5",
            split=folder / "split.json",
            view=seen.view(frames=16, evaluation_stride=8),
            inspection=folder / "inspection.json",
            arrays=folder / "inspection.h5",
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The larger file has 66 MB more.
    assert peaks[1] < peaks[0] + 5e6


def test_a_split_of_other_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="fewer frames than the split"):
        run(tmp_path, episodes()[:5])
    assert not (tmp_path / "inspection.json").exists()
