"""CLEVR: records with a string for each byte are read, cut and split; damage is named."""

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray
from PIL import Image

from foreframe.errors import UserError
from foreframe.randomness import numpy_generator
from foreframe.sources import clevr
from foreframe.sources.clevr.masked import ENTITIES, HEIGHT, WIDTH
from foreframe.sources.reading.fitting import fit
from tests.foreframe.sources import copies

SIDE = 64
OBJECTS = (3, 7, 6, 1, 10, 2)  # of each record
KEPT = [number for number, count in enumerate(OBJECTS) if count <= 6]


def settings(**changes: Any) -> clevr.Settings:
    known: dict[str, Any] = {
        "kind": "clevr",
        "height": SIDE,
        "width": SIDE,
        "frame_interval": 1.0,
        "hole": 0,
        "edition": "with_masks",
        "most_objects": 6,
        "masks": "next_frame",
    }
    return clevr.Settings(**(known | changes))


def drawn(number: int) -> tuple[NDArray[Any], NDArray[Any], Sequence[float]]:
    """Return a picture (H,W,3), its masks (E,H,W) and what says that an entity is one."""
    random, count = numpy_generator(0, "clevr", number), OBJECTS[number]
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8)
    owner = random.integers(0, count + 1, (HEIGHT // 12, WIDTH // 12 + 1))
    wide = owner.repeat(12, axis=0).repeat(12, axis=1)[:, :WIDTH]
    masks = 255 * (wide == numpy.arange(ENTITIES)[:, None, None]).astype(numpy.uint8)
    return picture, masks, [1.0] * (count + 1) + [0.0] * (ENTITIES - 1 - count)


def strings(values: NDArray[Any]) -> bytes:
    """Return a feature of a string for each byte."""
    rows = numpy.empty((values.size, 3), numpy.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2] = 0x0A, 1, values.reshape(-1)
    return copies.message(1, rows.tobytes())


def record(number: int, **changes: bytes) -> bytes:
    """Return an example as the file has it."""
    picture, masks, visible = drawn(number)
    floats = struct.pack(f"<{ENTITIES}f", *visible)
    features: Mapping[str, bytes] = {
        "image": strings(picture),
        "mask": strings(masks[..., None]),
        "visibility": copies.message(2, copies.message(1, floats)),
        **changes,
    }
    entries = b"".join(
        copies.message(1, copies.message(1, name.encode()) + copies.message(2, feature))
        for name, feature in features.items()
    )
    return copies.message(1, entries)


def written(folder: Path, contents: Sequence[bytes], *, packed: bool = True) -> Path:
    path = copies.records(folder / clevr.FILE, contents)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("clevr")
    written(found, [record(number) for number in range(len(OBJECTS))])
    return found


def test_pictures_of_few_objects_are_kept_cut_and_split(folder: Path) -> None:
    found = copies.check_suffixes(clevr, settings(), folder)
    assert [episode.origin for episode in found] == [f"picture {each + 1}" for each in KEPT]
    # 70 % of four are two and a bit.
    assert [episode.part for episode in found] == ["train", "train", "test", "test"]
    for episode, number in zip(found, KEPT, strict=True):
        picture, masks, _ = drawn(number)
        assert numpy.array_equal(episode.frames[0], fit(picture[29:221, 64:256], SIDE, SIDE))
        # Of three by three pixels the one in the middle.
        owner = masks[:, 29:221, 64:256].argmax(axis=0)[1::3, 1::3]
        assert numpy.array_equal(episode.frames[1], (25 * owner)[..., None].repeat(3, axis=2))


def test_without_masks_or_a_limit_there_are_pictures_alone_and_all(folder: Path) -> None:
    found = copies.collect(clevr, settings(masks="none", most_objects=None), folder)
    assert [len(episode.frames) for episode in found] == [1] * len(OBJECTS)
    assert clevr.DATASET.find(folder).counts == {"train": len(OBJECTS)}
    assert list(clevr.DATASET.damage(folder)) == []


def test_unpacked_files_and_whole_strings_are_read_alike(folder: Path, tmp_path: Path) -> None:
    picture, masks, _ = drawn(0)
    whole = {
        name: copies.message(1, copies.message(1, values.tobytes()))
        for name, values in (("image", picture), ("mask", masks))
    }
    written(tmp_path, [record(0, **whole)], packed=False)
    (one,) = copies.collect(clevr, settings(), tmp_path)
    assert numpy.array_equal(one.frames, copies.collect(clevr, settings(), folder)[0].frames)


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    content = bytearray(gzip.decompress((folder / clevr.FILE).read_bytes()))
    content[len(content) * 3 // 4 - 99] ^= 16
    (tmp_path / clevr.FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"record \d: its checksum does not match"):
        copies.collect(clevr, settings(), tmp_path)
    assert ["checksum" in line for line in clevr.DATASET.damage(tmp_path)] == [True]
    packed = (folder / clevr.FILE).read_bytes()
    (tmp_path / clevr.FILE).write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match="is damaged: record"):
        copies.collect(clevr, settings(), tmp_path)
    (tmp_path / clevr.FILE).write_bytes(gzip.decompress(packed)[:1000])
    with pytest.raises(UserError, match="record 1: the file ends inside it"):
        copies.collect(clevr, settings(), tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": strings(numpy.zeros(9))}, "image is not 240 x 320 x 3 bytes"),
        ({"mask": strings(numpy.zeros(9))}, "mask is not 11 x 240 x 320 bytes"),
        ({"visibility": strings(numpy.zeros(9))}, "visibility is not 11 numbers"),
    ],
)
def test_other_records_are_refused(changes: dict[str, bytes], said: str, tmp_path: Path) -> None:
    written(tmp_path, [record(0, **changes)])
    with pytest.raises(UserError, match=rf"record 1: {said}\. This is not the file"):
        copies.collect(clevr, settings(), tmp_path)
    written(tmp_path, [b"\x08\x01"])
    with pytest.raises(UserError, match=r"record 1: it is no tf\.train\.Example"):
        copies.collect(clevr, settings(), tmp_path)


def test_giraffe_s_pictures_are_read_from_their_folders(tmp_path: Path) -> None:
    for name in ("clevr10/a10.png", "clevr10/a9.png", "clevr2/a1.png"):
        path = tmp_path / "clevr2345/images" / name
        copies.picture(path, len(name), 128, 128)
    chosen = settings(edition="clevr2345", most_objects=None, masks="none")
    found = copies.check_suffixes(clevr, chosen, tmp_path)
    assert [(Path(each.origin).name, each.part) for each in found] == [
        ("a1.png", ""), ("a9.png", ""), ("a10.png", ""),
    ]  # fmt: skip
    known = numpy.asarray(Image.open(tmp_path / found[0].origin).resize((SIDE, SIDE)))
    assert numpy.array_equal(found[0].frames[0], known)
    assert clevr.DATASET.find(tmp_path).counts == {"train": 3}
    assert list(clevr.DATASET.damage(tmp_path)) == []
    for part in ("train", "test"):
        copies.picture(tmp_path / "other/images" / part / "1.png", 1)
    sets = copies.collect(clevr, chosen, tmp_path / "other")
    assert [each.part for each in sets] == ["test", "train"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no clevr_with_masks_train"):
        copies.collect(clevr, settings(), tmp_path)
    with pytest.raises(UserError, match="has no pictures of CLEVR2345"):
        chosen = settings(edition="clevr2345", most_objects=None, masks="none")
        copies.collect(clevr, chosen, tmp_path)
    (tmp_path / clevr.FILE).write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        copies.collect(clevr, settings(), tmp_path)
    written(tmp_path, [record(4)])
    with pytest.raises(UserError, match="has no picture of 6 objects or fewer"):
        copies.collect(clevr, settings(), tmp_path)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="clevr2345 tells neither how many objects"):
        settings(edition="clevr2345")
    with pytest.raises(ValueError, match="hole and masks both ask for a second frame"):
        settings(hole=8)
