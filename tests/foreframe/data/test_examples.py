"""Examples are the rows of the file that their numbers say; what the data lack is refused."""

from pathlib import Path

import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.data import actions, frames, labels, writing
from foreframe.data.clips import Clips
from foreframe.data.examples import Examples
from foreframe.errors import ArtefactError, UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import Block, Episode
from tests.foreframe.data import seen

LENGTHS = (12, 1, 9)
CLASSES = {"road": ("town", "country"), "sky": ("clear", "grey", "night")}


def write(path: Path, *, rich: bool = True) -> None:
    """Write three episodes, of one frame the second, with all that a source can know or nothing."""
    driven, known = (("steer",), ("x", "y")) if rich else ((), ())
    layout = writing.Layout(8, 8, 0.1, "made", driven, known, CLASSES if rich else {}, 4)
    with writing.creating(path, layout) as writer:
        for number, length in enumerate(LENGTHS):
            rng = numpy_generator(number)
            block = Block(
                rng.integers(0, 256, (length, 8, 8, 3), dtype=numpy.uint8),
                rng.random((length, len(driven)), dtype=numpy.float32),
                rng.random((length, len(known)), dtype=numpy.float32),
            )
            found = {"road": number % 2, "sky": number} if rich else {}
            list(writer.add(Episode(f"tape {number}", 3, iter([block]), "", found)))


def examples(path: Path, starts: list[int], length: int = 4, **view: object) -> Examples:
    return Examples(
        Clips(path, starts, length),
        seen.view(**view),
        with_actions=True,
        with_labels=("sky", "road"),
    )


def test_a_batch_holds_frames_leading_actions_and_the_labels_of_episodes(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    write(path)
    with examples(path, [0, 8, 13, 18]) as found, frames.opening(path) as file:
        batch = found.read(torch.tensor([3, 0, 2]))
        assert len(found) == 4
        expected = numpy.stack([file["frames"][start : start + 4] for start in (18, 0, 13)])
        assert numpy.array_equal(batch["x"], expected)
        assert torch.equal(batch["actions"], actions.leading(file, [18, 0, 13], 4))
    assert {name: part.tolist() for name, part in batch["labels"].items()} == {
        "sky": [2, 0, 2],
        "road": [0, 0, 0],
    }


def test_a_view_of_states_gives_the_rows_of_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    write(path)
    with examples(path, [12, 3], 1, **seen.STATES) as found, frames.opening(path) as file:
        batch = found.read([1, 0])
        assert numpy.array_equal(batch["x"], file["states"][:][[[3], [12]]])
        assert batch["x"].dtype == torch.float32
        assert batch["labels"]["road"].tolist() == [0, 1]


def test_a_source_that_knows_nothing_is_refused_what_is_asked_of_it(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    write(path, rich=False)
    clips = Clips(path, [0], 4)
    asked = [
        (seen.view(**seen.STATES), False, (), "has no states: its source made gives none"),
        (seen.view(), True, (), "has no actions"),
        (seen.view(), False, ("road",), "road is no label of the data. There are: none"),
    ]
    for view, driven, named, words in asked:
        with pytest.raises(UserError, match=words):
            Examples(clips, view, with_actions=driven, with_labels=named).__enter__()
    with Examples(clips, seen.view(), with_actions=False, with_labels=()) as plain:
        assert set(plain.read([0])) == {"x"}
    with frames.opening(path) as file:
        assert "episode_label" not in file and "label_classes" not in file.attrs


def test_classes_are_found_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "frames.h5")
    with frames.opening(tmp_path / "frames.h5") as file:
        known = labels.classes(file)
        assert file["episode_label/sky"].dtype == numpy.int16
    assert known == CLASSES
    assert [labels.number(known, "sky", name) for name in CLASSES["sky"]] == [0, 1, 2]
    with pytest.raises(UserError, match=r"'rain' is no sky\. There are: clear, grey, night"):
        labels.number(known, "sky", "rain")
    with pytest.raises(UserError, match=r"moon is no label of the data\. There are: road, sky"):
        labels.number(known, "moon", "new")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"road": 0}, "tape 0 has the labels road, but its source has road, sky"),
        ({"road": 0, "sky": 0, "sea": 0}, "road, sea, sky, but its source has road, sky"),
        ({"road": 2, "sky": 0}, "tape 0 has the road 2; there are 2 classes"),
        ({"road": -1, "sky": 0}, "tape 0 has the road -1"),
    ],
)
def test_labels_that_are_not_the_sources_are_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        labels.check(given, CLASSES, "tape 0")


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("road", numpy.array([0, 1, 2], numpy.int16), "its road is none of the 2 classes"),
        ("road", numpy.array([0, -1, 0], numpy.int16), "its road is none of the 2 classes"),
        ("road", numpy.array([0, 1], numpy.int16), "its road is not one int16 for each episode"),
        ("road", numpy.array([0, 1, 0]), "its road is not one int16 for each episode"),
        ("sea", numpy.array([0, 1, 0], numpy.int16), "names of their classes do not fit"),
    ],
)
def test_a_file_whose_labels_are_none_is_damaged(
    name: str, values: numpy.ndarray, words: str, tmp_path: Path
) -> None:
    attributes = {"label_classes": '{"road": ["town", "country"]}'}
    with hdf5.creating(tmp_path / "frames.h5", "frames", attributes) as file:
        hdf5.store(file, "frames", numpy.zeros((3, 8, 8, 3), numpy.uint8))
        hdf5.store(file, "episode_start", numpy.arange(3))
        hdf5.store(file, "episode_length", numpy.ones(3, numpy.int64))
        hdf5.store(file, "episode_origin", ["a", "b", "c"])
        hdf5.store(file, f"episode_label/{name}", values)
    with pytest.raises(ArtefactError, match=words), frames.opening(tmp_path / "frames.h5"):
        pass
