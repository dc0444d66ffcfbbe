"""The store of weights: only the published file enters, and what is stored is held against it."""

from pathlib import Path

import pytest
import torch

from foreframe.errors import ArtefactError, UserError
from foreframe.features import archive, registry, store
from tests.foreframe.features import synthetic

HEADS = registry.entry("lpips_alex")


def test_what_is_added_comes_back_with_the_digest_of_its_origin(tmp_path: Path) -> None:
    entry = synthetic.unpinned(HEADS)
    file = synthetic.public_file(tmp_path, entry)
    added = store.add(tmp_path / "store", entry, file)
    found = store.require(tmp_path / "store", entry)
    expected = archive.read(file)
    assert found.digest == added.digest == store.sha256(file)
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(found.tensors[name], expected[name]) for name in expected)


def test_equal_files_are_stored_as_equal_bytes(tmp_path: Path) -> None:
    entry = synthetic.unpinned(HEADS)
    file = synthetic.public_file(tmp_path, entry)
    for folder in ("one", "two"):
        store.add(tmp_path / folder, entry, file)
    one, two = (store.path(tmp_path / folder, entry.name) for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    file = synthetic.public_file(tmp_path, HEADS)
    with pytest.raises(UserError, match=r"is not the published alex\.pth"):
        store.add(tmp_path / "store", HEADS, file)
    assert not (tmp_path / "store").exists()


def test_a_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    other = synthetic.unpinned(HEADS)
    file = synthetic.public_file(tmp_path, registry.entry("lpips_vgg"))
    with pytest.raises(ArtefactError, match=r"another layout: lin1\.model\.1\.weight"):
        store.add(tmp_path / "store", other, file)
    assert not (tmp_path / "store").exists()


def test_what_no_metric_needs_must_be_there_and_is_not_kept(tmp_path: Path) -> None:
    entry = synthetic.unpinned(HEADS, unused={"classifier.bias": (3,)})
    file = synthetic.public_file(tmp_path, entry)
    assert "classifier.bias" not in store.add(tmp_path, entry, file).tensors
    with pytest.raises(ArtefactError, match=r"classifier\.bias is missing"):
        store.add(tmp_path, entry, synthetic.public_file(tmp_path, HEADS))


def test_absent_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`foreframe weights fetch i3d`"):
        store.require(tmp_path, registry.entry("i3d"))


def test_stored_weights_of_another_origin_are_refused(tmp_path: Path) -> None:
    synthetic.stored(tmp_path, HEADS)
    with pytest.raises(ArtefactError, match="does not hold the published weights lpips_alex"):
        store.require(tmp_path, HEADS)
    store.path(tmp_path, HEADS.name).rename(store.path(tmp_path, "lpips_vgg"))
    with pytest.raises(ArtefactError, match="does not hold the published weights lpips_vgg"):
        store.require(tmp_path, synthetic.unpinned(registry.entry("lpips_vgg")))


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    entry = synthetic.unpinned(HEADS)
    path = synthetic.stored(tmp_path, entry)
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError):
            store.require(tmp_path, entry)


def test_the_registry_is_complete() -> None:
    for name, entry in registry.ENTRIES.items():
        assert entry.name == name
        assert entry.url.startswith("https://")
        assert entry.url.endswith(f"/{entry.file}")
        assert entry.licence
        if entry.sha256 is not None:
            assert len(entry.sha256) == 64
        # torchvision and pytorch-fid write the first eight digits into the name.
        digits = Path(entry.file).stem.rpartition("-")[2]
        if digits != Path(entry.file).stem:
            assert entry.sha256 is not None
            assert entry.sha256.startswith(digits)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="called resnet: choose one of i3d"):
        registry.entry("resnet")
