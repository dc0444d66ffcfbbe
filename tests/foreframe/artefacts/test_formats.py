"""Every format reads back what was written, has stable bytes, and refuses what it is not."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy
import pandas
import pytest
import torch

from foreframe.artefacts import digest, facts, hdf5, tables, tensors
from foreframe.errors import ArtefactError

ARRAY = numpy.arange(24, dtype=numpy.int16).reshape(2, 3, 4)
TABLE = pandas.DataFrame({"step": [1, 2], "loss": [0.1 + 0.2, 1e-17]})
WEIGHTS = {"b": torch.randn(3, generator=torch.Generator()), "a": torch.ones(2, 2)}


def write_facts(path: Path) -> None:
    facts.write(path, "test", {"b": 0.1 + 0.2, "a": [1, None, "é"]})


def write_table(path: Path) -> None:
    tables.write(path, TABLE)


def write_arrays(path: Path) -> None:
    with hdf5.creating(path, "test", {"levels": "[]", "interval": 0.1}) as file:
        hdf5.store(file, "codes", ARRAY, chunks=(1, 3, 4))
        hdf5.store(file, "empty", numpy.zeros((0, 3), numpy.int16))
        hdf5.store(file, "names", ["seed 1", "vidéo.mp4"])


def write_weights(path: Path) -> None:
    tensors.write(path, {"a": torch.ones(2, 2), "b": torch.zeros(3)}, "test", {"x": 1, "k": "v"})


WRITERS = [write_facts, write_table, write_arrays, write_weights]


@pytest.mark.parametrize("writer", WRITERS)
def test_same_bytes_under_another_name_and_in_another_process(
    writer: Callable[[Path], None], tmp_path: Path
) -> None:
    writer(tmp_path / "one.bin")
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        f"import test_formats; test_formats.{writer.__name__}(Path(sys.argv[2]))"
    )
    other = tmp_path / "two.other"
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(other)], check=True)
    assert (tmp_path / "one.bin").read_bytes() == other.read_bytes()


def test_facts_read_back(tmp_path: Path) -> None:
    write_facts(tmp_path / "f.json")
    content = facts.read(tmp_path / "f.json", "test")
    assert content["b"] == 0.1 + 0.2
    assert content["a"] == [1, None, "é"]


def test_facts_refuse_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        facts.write(tmp_path / "f.json", "test", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "g.json").write_text('{"schema": "foreframe/test", "version": 2, "a": NaN}')
    with pytest.raises(ArtefactError, match="NaN"):
        facts.read(tmp_path / "g.json", "test")


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"schema": "other"}'])
def test_facts_refuse_what_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(ArtefactError, match=r"f\.json"):
        facts.read(tmp_path / "f.json", "test")


def test_facts_refuse_another_version(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"schema": "foreframe/test", "version": 99}')
    with pytest.raises(ArtefactError, match="version 99"):
        facts.read(tmp_path / "f.json", "test")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"version"', '"Version"'), ("0.30000000000000004", "1e999"), ('"b"', '"\\ud800"')],
)
def test_facts_edited_by_hand_are_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_facts(path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"f\.json .*Delete it and run `dvc repro`"):
        facts.read(path, "test")


def test_facts_of_another_spelling_are_the_same_facts(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_facts(path)
    content = facts.read(path, "test")
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))))
    assert facts.read(path, "test") == content


def test_tables_read_back_exactly(tmp_path: Path) -> None:
    checksum = tables.write(tmp_path / "t.csv", TABLE)
    pandas.testing.assert_frame_equal(
        tables.read(tmp_path / "t.csv", ["loss"], checksum), TABLE, check_exact=True
    )


def test_tables_refuse_missing_columns_and_files(tmp_path: Path) -> None:
    checksum = tables.write(tmp_path / "t.csv", TABLE)
    with pytest.raises(ArtefactError, match="perplexity"):
        tables.read(tmp_path / "t.csv", ["perplexity"], checksum)
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(ArtefactError, match="damaged"):
        tables.read(tmp_path / "e.csv", [], checksum)
    with pytest.raises(ArtefactError, match="does not exist"):
        tables.read(tmp_path / "n.csv", [], checksum)


def test_a_table_of_another_run_is_refused(tmp_path: Path) -> None:
    checksum = tables.write(tmp_path / "t.csv", TABLE)
    tables.write(tmp_path / "t.csv", TABLE * 2)
    with pytest.raises(ArtefactError, match="belongs to another run"):
        tables.read(tmp_path / "t.csv", ["loss"], checksum)


def test_arrays_read_back_with_checksums(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5")
    with hdf5.opening(tmp_path / "a.h5", "test") as file:
        assert (file["codes"][...] == ARRAY).all()
        assert file["empty"].shape == (0, 3)
        assert list(file["names"].asstr()[...]) == ["seed 1", "vidéo.mp4"]
        assert file.attrs["interval"] == 0.1
        assert file.attrs["levels"] == "[]"
        assert all(file[name].fletcher32 for name in file)


def test_arrays_refuse_wrong_cut_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_arrays(path)
    with (
        pytest.raises(ArtefactError, match="no foreframe/frames file"),
        hdf5.opening(path, "frames"),
    ):
        pass
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArtefactError, match="cannot be opened"), hdf5.opening(path, "test"):
        pass
    path.write_text("no HDF5")
    with pytest.raises(ArtefactError, match="cannot be opened"), hdf5.opening(path, "test"):
        pass
    with h5py.File(path, "w"):
        pass
    with pytest.raises(ArtefactError, match="it says: None"), hdf5.opening(path, "test"):
        pass


def test_a_flipped_bit_in_an_array_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with hdf5.creating(path, "test", {}) as file:
        hdf5.store(file, "codes", numpy.full(10_000, 7, numpy.uint8))
    content = bytearray(path.read_bytes())
    content[content.index(bytes([7] * 50)) + 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="damaged"), hdf5.opening(path, "test") as file:
        file["codes"][...]


def test_a_failed_write_of_arrays_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def write_and_stop(path: Path) -> None:
    with hdf5.creating(path, "test", {}):
        raise RuntimeError("stop")


def test_weights_read_back(tmp_path: Path) -> None:
    tensors.write(tmp_path / "w", WEIGHTS, "test", {"kind": "x"})
    weights, header = tensors.read(tmp_path / "w", "test")
    assert header["kind"] == "x"
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("content", [b"", b"12345678", b"\x08" + bytes(7) + b"{}      "])
def test_weights_refuse_what_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ArtefactError, match="damaged"):
        tensors.read(tmp_path / "w", "test")


def test_the_digest_of_a_file_is_its_md5(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3_000_000))
    assert digest.digest(path) == hashlib.md5(bytes(3_000_000)).hexdigest()


def test_the_digest_of_a_folder_is_the_one_that_dvc_computes(tmp_path: Path) -> None:
    for name in ("b/c.txt", "a.txt", "b/a.txt"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text(name)
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["dvc", "add", "-q", "folder"], cwd=tmp_path, check=True)
    assert digest.digest(tmp_path / "folder") in (tmp_path / "folder.dvc").read_text()
