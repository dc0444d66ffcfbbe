"""The statistics come from the training frames, all of them and no others."""

from pathlib import Path

import numpy
import pytest

from foreframe.artefacts import facts
from foreframe.data import clips, writing
from foreframe.errors import ArtefactError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode
from stages import measure_colours

SPLIT = clips.SplitRuns(((0, 37), (37, 61)), ((61, 80),), ((80, 100),))
TRAINING = numpy.s_[:61]


def write(path: Path, frames: numpy.ndarray) -> None:
    with writing.creating(path, writing.Layout(6, 5, 0.1, "test", (), (), {}, 8)) as writer:
        block = Block(frames, *2 * [numpy.zeros((len(frames), 0), numpy.float32)])
        list(writer.add(Episode("tape", 1, iter([block]))))


def random_frames() -> numpy.ndarray:
    return numpy_generator(0).integers(0, 256, (100, 6, 5, 3), dtype=numpy.uint8)


def run(folder: Path, frames: numpy.ndarray) -> bytes:
    write(folder / "frames.h5", frames)
    clips.save_split(folder / "split.json", SPLIT)
    out = folder / "normalization.json"
    measure_colours.main(frames=folder / "frames.h5", split=folder / "split.json", out=out)
    return out.read_bytes()


def test_mean_and_deviation_are_those_of_the_training_frames(tmp_path: Path) -> None:
    frames = random_frames()
    run(tmp_path, frames)
    values = facts.read(tmp_path / "normalization.json", "normalization")
    scaled = frames[TRAINING] / 255
    numpy.testing.assert_allclose(values["mean"], scaled.mean((0, 1, 2)), rtol=1e-13)
    numpy.testing.assert_allclose(values["std"], scaled.std((0, 1, 2)), rtol=1e-13)
    assert values["pixels"] == 61 * 6 * 5


def test_validation_and_test_frames_do_not_matter(tmp_path: Path) -> None:
    frames = random_frames()
    before = run(tmp_path, frames)
    frames[61:] = 255 - frames[61:]
    assert run(tmp_path, frames) == before
    frames[60, 3, 2, 1] ^= 1
    assert run(tmp_path, frames) != before


def test_a_split_of_other_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="fewer frames than the split"):
        run(tmp_path, random_frames()[:50])
