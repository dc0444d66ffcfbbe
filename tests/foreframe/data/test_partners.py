"""Labelled partners: who has a label, how often each comes, and that no other label is given."""

from pathlib import Path

import h5py
import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.data import writing
from foreframe.data.clips import SplitRuns, save_split
from foreframe.data.normalization import measure, save
from foreframe.data.partners import Labelled, chosen
from foreframe.data.views import View
from foreframe.errors import UserError
from foreframe.models import learning
from foreframe.randomness import generator, numpy_generator
from foreframe.sources import Block, Episode
from tests.foreframe.data import seen
from tests.foreframe.training.games import phase

NAMES = ("a", "b", "c")
LABELS = [0, 0, 1, 0, 2, 1, 2, 1, 0, 2, 1, 0]
TRAIN = 10


def asked(**changes: object) -> Labelled:
    known = {"label": "letter", "labelled": 2, "first": 0}
    return Labelled.model_validate({**known, **changes})


def test_the_first_of_each_class_have_a_label() -> None:
    labels_N = torch.tensor(LABELS)
    assert chosen(labels_N, NAMES, asked()).tolist() == [0, 1, 2, 4, 5, 6]
    assert chosen(labels_N, NAMES, asked(first=2, labelled=1)).tolist() == [2, 3, 4]


def test_more_than_there_are_of_a_class_are_refused() -> None:
    with pytest.raises(UserError, match=r"labelled is 4, but from clip 0 on .* 3 of the class c"):
        chosen(torch.tensor(LABELS), NAMES, asked(labelled=4))
    with pytest.raises(UserError, match=r"from clip 8 on .* 1 of the class b"):
        chosen(torch.tensor(LABELS), NAMES, asked(first=8))


@pytest.fixture
def files(tmp_path: Path) -> learning.Files:
    layout = writing.Layout(8, 8, 0.1, "made", (), (), {"letter": NAMES}, 4)
    found = learning.Files(*(tmp_path / name for name in ("frames", "split", "normalization")))
    with writing.creating(found.frames, layout) as writer:
        for number, label in enumerate(LABELS):
            rng = numpy_generator(number)
            pixels = rng.integers(0, 256, (1, 8, 8, 3), dtype=numpy.uint8)
            nothing = numpy.empty((1, 0), numpy.float32)
            block = Block(pixels, nothing, nothing)
            list(writer.add(Episode(str(number), 3, iter([block]), "", {"letter": label})))
    count = len(LABELS)
    runs = [(number, number + 1) for number in range(count)]
    save_split(found.split, SplitRuns(tuple(runs[:TRAIN]), tuple(runs[TRAIN:-1]), tuple(runs[-1:])))
    save(found.normalization, measure([numpy.zeros((1, 2, 2, 3), numpy.uint8)]))
    return found


def view() -> View:
    return seen.view(frames=1, train_stride=1, evaluation_stride=1, scaling="unit")


def test_every_row_has_a_partner_and_each_of_them_comes_equally_often(
    files: learning.Files,
) -> None:
    with learning.opening(view(), files, labelled=asked()) as lesson:
        samples = lesson.clips("train")(phase(steps=1))
        order = generator(0, "order").permutation(TRAIN)
        batches = [lesson.seen(samples.read(part), generator(0)) for part in order.split(4)]
        held_out = lesson.clips("validation")(phase(steps=1)).read(torch.tensor([0]))
    assert all(set(batch) == {"x", "partners"} for batch in batches)
    with hdf5.opening(files.frames, "frames") as file:
        x_N = torch.from_numpy(file["frames"][:]).float() / 255
    labelled = [0, 1, 2, 4, 5, 6]
    places = [labelled[row % 6] for row in order.tolist()]
    seen_N = torch.cat([batch["partners"]["x"] for batch in batches])[:, :, 0].movedim(1, -1)
    torch.testing.assert_close(seen_N, x_N[places])
    torch.testing.assert_close(
        torch.cat([batch["x"] for batch in batches])[:, :, 0].movedim(1, -1), x_N[order]
    )
    labels = torch.cat([batch["partners"]["labels"]["letter"] for batch in batches])
    assert labels.tolist() == [LABELS[place] for place in places]
    times = numpy.bincount(places)[labelled]
    assert times.max() - times.min() == 1 and times.sum() == TRAIN
    assert held_out["labels"]["letter"].tolist() == [LABELS[TRAIN]]
    assert "partners" not in held_out


def test_no_other_label_is_given(files: learning.Files) -> None:
    def all_batches() -> list[torch.Tensor]:
        with learning.opening(view(), files, labelled=asked()) as lesson:
            batch = lesson.clips("train")(phase(steps=1)).read(torch.arange(TRAIN))
            assert "labels" not in batch
            return [batch["x"], batch["partners"]["x"], batch["partners"]["labels"]["letter"]]

    before = all_batches()
    # Clip 3 was passed over; those after 6 came too late, whatever else they were said to be.
    with h5py.File(files.frames, "r+") as file:
        file["episode_label/letter"][7:10] = [2, 1, 0]
    assert all(torch.equal(*each) for each in zip(before, all_batches(), strict=True))
