"""Samples of other programs: those of the layout are taken, and every mistake is named."""

from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.evaluation import external
from tests.stages import evaluation_study as tiny

HORIZON = tiny.FRAMES - tiny.CONTEXT


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    return tiny.make(tmp_path_factory.mktemp("study"))


def frames(*start: int, dtype: Any = numpy.uint8, side: int = tiny.SIZE) -> NDArray[Any]:
    return numpy.zeros((*start, HORIZON, side, side, 3), dtype)


def read(study: tiny.Study, path: Path, **protocol: Any) -> NDArray[numpy.uint8]:
    clips = tiny.clipped(study, tiny.protocol(**protocol))
    with external.all_fitting([path], clips, ["argmax"]) as (samples,):
        found: NDArray[numpy.uint8] = samples.read(1, range(samples.entry.futures)).numpy()
    return found


def test_samples_of_the_layout_are_read_by_clip(study: tiny.Study) -> None:
    futures = frames(2, 3)
    futures[1] = 7
    path = tiny.make_external(study, futures)
    assert read(study, path, samples=3).tolist() == futures[1].tolist()
    assert external.protocols_of(study.path("external_samples")) == {path: "samples"}


def test_parts_of_the_samples_of_a_clip_are_all_of_them(study: tiny.Study) -> None:
    futures = frames(2, 3)
    futures[1] += numpy.arange(3, dtype=numpy.uint8)[:, None, None, None, None]
    path = tiny.make_external(study, futures)
    clips = tiny.clipped(study, tiny.protocol(samples=3))
    with external.all_fitting([path], clips, []) as (samples,):
        parts = [part.numpy() for part in samples.entry.parts(1, 2)]
    assert numpy.array_equal(numpy.concatenate(parts), futures[1])


def test_one_future_is_enough_where_nothing_is_drawn(study: tiny.Study) -> None:
    path = tiny.make_external(study, frames(2, 1))
    assert read(study, path, samples=100).shape == (1, HORIZON, tiny.SIZE, tiny.SIZE, 3)


MISTAKES: list[tuple[NDArray[Any], dict[str, Any], str]] = [
    (frames(2, 1), {"protocol": "other"}, "meant for the protocol other, not for samples"),
    (frames(2, 1), {"dataset": "0" * 32}, "was made from other frames"),
    (frames(2, 1), {"context": 8}, "has context 8; the protocol samples asks for 4"),
    (frames(2, 1), {"clip_start": (72, 85)}, "continues other clips"),
    (frames(2, 1), {"clip_start": (72,)}, "continues other clips"),
    (frames(2, 2), {}, r"shape \(2, 2, 4, 16, 16, 3\); it must be \(2, 1, 4, 16, 16, 3\)\."),
    (frames(2, 1, side=8), {}, "it must be"),
    (frames(2, 1, dtype=numpy.float32) * numpy.nan, {}, "float32: store uint8, 0 to 255"),
    (frames(2, 1), {"predictor": "mean_frame"}, "another one has this name"),
    (frames(2, 1), {"predictor": "argmax"}, "another one has this name"),
    (frames(2, 1), {"predictor": "My Model"}, "use small letters"),
    (frames(2, 1), {"lacking": "dataset"}, "lacks dataset"),
    (frames(2, 1), {"schema": "foreframe/other"}, "says that it is foreframe/other"),
]


@pytest.mark.parametrize(("futures", "changes", "message"), MISTAKES)
def test_a_mistake_is_named_with_the_page_that_helps(
    study: tiny.Study, futures: NDArray[Any], changes: dict[str, Any], message: str
) -> None:
    path = tiny.make_external(study, futures, **changes)
    with pytest.raises(UserError, match=rf"elsewhere\.h5 .*{message}.* docs/compare\.md"):
        read(study, path)


def test_what_is_no_hdf5_file_is_named(study: tiny.Study) -> None:
    path = study.path("external_samples") / "elsewhere.h5"
    path.write_text("samples")
    with pytest.raises(UserError, match="cannot be used as samples"):
        read(study, path)


def test_two_files_of_one_name_are_refused(study: tiny.Study) -> None:
    first = tiny.make_external(study, frames(2, 1))
    second = first.with_name("again.h5")
    second.write_bytes(first.read_bytes())
    clips = tiny.clipped(study, tiny.PROTOCOL)
    with (
        pytest.raises(UserError, match=r"again\.h5 .*another one has this name"),
        external.all_fitting([first, second], clips, []),
    ):
        pass
    second.unlink()


def test_compressed_and_chunked_files_are_as_good(study: tiny.Study) -> None:
    path = tiny.make_external(study, frames(2, 1))
    with h5py.File(path, "r+") as file:
        values = file["frames"][:]
        del file["frames"]
        file.create_dataset("frames", data=values, chunks=(1, 1, 1, 4, 4, 3), compression="gzip")
    assert read(study, path).shape[0] == 1
